#include "proof/sbom/statement.hpp"

#include "proof/sbom/cyclonedx.hpp"
#include "proof/sbom/provenance.hpp"
#include "proof/sbom/spdx.hpp"

namespace torchkiln::sbom {

using base::Result;
using report::Statement;
using document::Json;

std::string_view name(Format format) {
  switch (format) {
    case Format::spdx:
      return "spdx";
    case Format::cyclonedx:
      return "cyclonedx";
    case Format::provenance:
      return "provenance";
  }
  TK_ASSERT(false, "every format has a name");
}

std::string_view predicate_type(Format format) {
  switch (format) {
    case Format::spdx:
      return "https://spdx.dev/Document";
    case Format::cyclonedx:
      return "https://cyclonedx.org/bom";
    case Format::provenance:
      return "https://slsa.dev/provenance/v1";
  }
  TK_ASSERT(false, "every format has a predicate type");
}

Result<Json> to_document(Format format, const Inventory& inventory, const lock::Lock* lock,
                         std::string_view version) {
  if (format == Format::spdx) return to_spdx(inventory, version);
  if (format == Format::cyclonedx) return to_cyclonedx(inventory, version);
  if (!lock)
    return base::fail(base::ErrorCode::lock_invalid, "provenance needs the lock that the image was made from",
                      {"name it with --lock kiln.lock"});
  return to_provenance(inventory, *lock, version);
}

Result<Statement> to_statement(Format format, const Inventory& inventory, const lock::Lock* lock,
                               std::string_view version) {
  TK_TRY(auto predicate, to_document(format, inventory, lock, version));
  TK_TRY(auto bytes, report::statement_about(inventory.image_name, inventory.image, predicate_type(format),
                                             std::move(predicate)));
  return Statement{std::string(predicate_type(format)), std::move(bytes), inventory.created_s};
}

Result<std::vector<Statement>> statements_of(const Inventory& inventory, const lock::Lock* lock,
                                             std::string_view version) {
  std::vector<Statement> statements;
  for (const auto format : {Format::spdx, Format::cyclonedx, Format::provenance}) {
    if (format == Format::provenance && !lock) continue;
    TK_TRY(auto statement, to_statement(format, inventory, lock, version));
    statements.push_back(std::move(statement));
  }
  return statements;
}

}  // namespace torchkiln::sbom
