#include "knowledge/matrix/requirement.hpp"

#include "foundation/base/text.hpp"

#include <algorithm>

#include <fmt/format.h>

namespace torchkiln::matrix {

namespace {

base::Unexpected invalid(std::string_view text) {
  return base::fail(base::ErrorCode::input_invalid, fmt::format("\"{}\" is not a requirement of a wheel", text),
                    {"write name[extra]==1.0 and at most one marker: ; python_version < \"3.12\""});
}

}  // namespace

base::Result<WheelRequirement> parse_requirement(std::string_view text) {
  WheelRequirement requirement;
  const auto semicolon = text.find(';');
  std::string_view rest = base::trim(text.substr(0, semicolon));
  if (semicolon != std::string_view::npos) {
    constexpr std::string_view k_marker = "python_version";
    std::string_view marker = base::trim(text.substr(semicolon + 1));
    if (!marker.starts_with(k_marker)) return invalid(text);
    std::string clause(base::trim(marker.substr(k_marker.size())));
    clause.erase(
        std::remove_if(clause.begin(), clause.end(), [](char c) { return c == '"' || c == '\'' || c == ' '; }),
        clause.end());
    TK_TRY(requirement.python, version::SpecifierSet::parse(clause));
  }
  const auto name_end = std::min(rest.find_first_of("[<>=!~ "), rest.size());
  requirement.name = std::string(rest.substr(0, name_end));
  if (requirement.name.empty()) return invalid(text);
  rest = base::trim(rest.substr(name_end));
  if (rest.starts_with('[')) {
    const auto close = rest.find(']');
    if (close == std::string_view::npos) return invalid(text);
    for (const auto extra : base::split(rest.substr(1, close - 1), ','))
      requirement.extras.emplace_back(base::trim(extra));
    rest = base::trim(rest.substr(close + 1));
  }
  if (!rest.empty()) {
    TK_TRY(requirement.versions, version::SpecifierSet::parse(rest));
  }
  return requirement;
}

bool WheelRequirement::holds_on(std::string_view python_tag) const {
  if (!python) return true;
  if (python_tag.ends_with('t')) python_tag.remove_suffix(1);
  const auto tag = version::Version::parse(python_tag);
  return tag && python->contains(*tag);
}

}  // namespace torchkiln::matrix
