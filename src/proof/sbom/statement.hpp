#pragma once
// The documents as in-toto statements on the image's digest, to be signed and attached like stamps.

#include "foundation/document/json.hpp"
#include "plan/lock/lock.hpp"
#include "proof/report/statement.hpp"
#include "proof/sbom/inventory.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace torchkiln::sbom {

enum class Format { spdx, cyclonedx, provenance };
/// "spdx", "cyclonedx", "provenance".
std::string_view name(Format format);
/// What statements call it: "https://spdx.dev/Document", "https://cyclonedx.org/bom",
/// "https://slsa.dev/provenance/v1".
std::string_view predicate_type(Format format);

/// The document itself. `lock` is the one that the inventory was made with, or nullptr; provenance needs it
/// (lock_invalid). `version` is torchkiln's.
base::Result<document::Json> to_document(Format format, const Inventory& inventory, const lock::Lock* lock,
                                         std::string_view version);

/// Made when the image says that it was.
base::Result<report::Statement> to_statement(Format format, const Inventory& inventory, const lock::Lock* lock,
                                     std::string_view version);
/// All of them: SPDX, CycloneDX and, with a lock, provenance.
base::Result<std::vector<report::Statement>> statements_of(const Inventory& inventory, const lock::Lock* lock,
                                                   std::string_view version);

}  // namespace torchkiln::sbom
