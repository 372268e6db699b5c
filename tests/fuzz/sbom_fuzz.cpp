// METADATA, dpkg's status and os-release may come out of anybody's image.

#include "foundation/document/json.hpp"
#include "proof/sbom/licence.hpp"

using namespace torchkiln;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const auto licence = sbom::licence_of(verify::read_wheel_metadata(bytes));
  TK_ASSERT(licence.expression.empty() || licence.text.empty(), "a licence is an expression or a text");
  TK_ASSERT(document::to_bytes({{"licence", licence.text}}), "a licence's text is UTF-8");
  if (!licence.expression.empty())
    TK_ASSERT(sbom::spdx_expression(licence.expression) == licence.expression, "an expression is read as written");
  if (const auto expression = sbom::spdx_expression(bytes))
    TK_ASSERT(sbom::spdx_expression(*expression) == *expression, "an expression is written one way");
  for (const auto& package : verify::read_dpkg_status(bytes))
    TK_ASSERT(!package.name.empty() && !package.version.empty(), "a package has a name and a version");
  (void)verify::read_os_release(bytes);
  return 0;
}
