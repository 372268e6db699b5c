#pragma once
// The licence that a wheel's METADATA names, as an SPDX expression (SPDX 2.3, annex D) where it is surely one, and
// else in the package's own words. Nothing is guessed: "BSD" may be any of four licences and stays "BSD".

#include "proof/verify/installed.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace torchkiln::sbom {

/// Longer texts are cut.
inline constexpr std::size_t k_licence_text_limit_bytes = 64U << 10;
/// Longer expressions are texts.
inline constexpr std::size_t k_licence_expression_limit_bytes = 1000;

/// At most one of the two; neither: the package does not say.
struct Licence {
  std::string expression;  ///< "BSD-3-Clause AND MIT"
  std::string text;        ///< "BSD", or all of a licence; valid UTF-8
  bool operator==(const Licence&) const = default;
};

/// License-Expression before License before classifiers, each where SPDX knows it; else License's or the
/// classifiers' words.
Licence licence_of(const verify::WheelMetadata& metadata);

/// The expression with identifiers spelled as SPDX does and single blanks; nothing for what is none, or names a
/// licence that is not in our list.
std::optional<std::string> spdx_expression(std::string_view text);
/// The "LicenseRef-…" in an expression, which a document has to explain.
std::vector<std::string> licence_references(std::string_view expression);

}  // namespace torchkiln::sbom
