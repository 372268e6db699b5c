#include "foundation/base/text.hpp"
#include "knowledge/version/pep440.hpp"

#include <algorithm>
#include <array>

#include <fmt/format.h>

namespace torchkiln::version {

namespace {

constexpr std::size_t k_clauses_max = 32;

base::Unexpected not_a_specifier(std::string_view text, std::string why) {
  return base::fail(base::ErrorCode::input_invalid,
                    fmt::format("\"{}\" is not a version requirement: {}", text, why),
                    {"write a version (2.8), or clauses such as >=2.7,<2.9"});
}

}  // namespace

base::Result<SpecifierSet::Clause> SpecifierSet::parse_clause(std::string_view text) {
  constexpr std::array<std::pair<std::string_view, Operator>, 7> k_operators{{{"==", Operator::equal},
                                                                              {"!=", Operator::not_equal},
                                                                              {"<=", Operator::less_equal},
                                                                              {">=", Operator::greater_equal},
                                                                              {"~=", Operator::compatible},
                                                                              {"<", Operator::less},
                                                                              {">", Operator::greater}}};
  std::string_view rest = base::trim(text);
  if (rest.starts_with("===")) return not_a_specifier(text, "arbitrary equality (===) is not supported");
  Clause clause{Operator::equal, {}, false};
  bool bare = true;
  for (const auto& entry : k_operators) {
    if (!rest.starts_with(entry.first)) continue;
    clause.op = entry.second;
    rest = base::trim(rest.substr(entry.first.size()));
    bare = false;
    break;
  }
  const bool may_be_prefix = clause.op == Operator::equal || clause.op == Operator::not_equal;
  if (may_be_prefix && rest.ends_with(".*")) {
    clause.prefix = true;
    rest.remove_suffix(2);
  }
  auto version = Version::parse(rest);
  if (!version) return base::fail(version.error());
  clause.version = std::move(*version);
  if (clause.prefix && !clause.version.is_release_only())
    return not_a_specifier(text, "\".*\" goes after release numbers only");
  if (bare && clause.version.is_release_only()) clause.prefix = true;
  if (!may_be_prefix && !clause.version.m_local.empty())
    return not_a_specifier(text, "a local version goes with == and != only");
  if (clause.op == Operator::compatible && clause.version.m_release.size() < 2)
    return not_a_specifier(text, "~= needs at least two numbers");
  return clause;
}

base::Result<SpecifierSet> SpecifierSet::parse(std::string_view text) {
  SpecifierSet set;
  set.m_text = std::string(base::trim(text));
  if (set.m_text.empty()) return not_a_specifier(text, "it is empty");
  const auto parts = base::split(set.m_text, ',');
  if (parts.size() > k_clauses_max) return not_a_specifier(text, "too many clauses");
  for (const auto part : parts) {
    TK_TRY(auto clause, parse_clause(part));
    set.m_clauses.push_back(std::move(clause));
  }
  return set;
}

bool SpecifierSet::Clause::same_release(const Version& candidate) const {
  return candidate.m_epoch == version.m_epoch && Version::of(candidate.m_release) == Version::of(version.m_release);
}

bool SpecifierSet::Clause::matches(const Version& candidate) const {
  // A clause that names no local version does not look at the candidate's (PEP 440, "Version matching").
  Version stripped;
  if (!candidate.m_local.empty()) stripped = candidate.without_local();
  const Version& public_part = candidate.m_local.empty() ? candidate : stripped;
  switch (op) {
    case Operator::equal:
      if (prefix) return public_part.starts_with(version);
      return (version.m_local.empty() ? public_part : candidate) == version;
    case Operator::not_equal:
      if (prefix) return !public_part.starts_with(version);
      return (version.m_local.empty() ? public_part : candidate) != version;
    case Operator::less_equal:
      return public_part <= version;
    case Operator::greater_equal:
      return public_part >= version;
    case Operator::less:
      // "<2.8" does not mean a pre-release of 2.8 itself (PEP 440, "Exclusive ordered comparison").
      if (!version.is_prerelease() && candidate.is_prerelease() && same_release(candidate)) return false;
      return public_part < version;
    case Operator::greater:
      // ">2.8" means neither a post-release nor a local version of 2.8 itself.
      if (same_release(candidate) && ((!version.m_post && candidate.m_post) || !candidate.m_local.empty()))
        return false;
      return public_part > version;
    case Operator::compatible: {
      Version prefix_version = Version::of(version.m_release);
      prefix_version.m_epoch = version.m_epoch;
      prefix_version.m_release.pop_back();
      return public_part >= version && public_part.starts_with(prefix_version);
    }
  }
  return false;
}

bool SpecifierSet::contains(const Version& version) const {
  // As in Python's packaging library: "<2.8rc1" or "!=2.8rc1" is no wish for pre-releases.
  const bool names_prerelease = std::any_of(m_clauses.begin(), m_clauses.end(), [](const Clause& clause) {
    const bool excludes =
        clause.op == Operator::not_equal || clause.op == Operator::less || clause.op == Operator::greater;
    return !excludes && clause.version.is_prerelease();
  });
  if (version.is_prerelease() && !names_prerelease) return false;
  return std::all_of(m_clauses.begin(), m_clauses.end(),
                     [&](const Clause& clause) { return clause.matches(version); });
}

bool SpecifierSet::names_local() const {
  return std::any_of(m_clauses.begin(), m_clauses.end(),
                     [](const Clause& clause) { return !clause.version.m_local.empty(); });
}

std::size_t SpecifierSet::longest_release() const {
  std::size_t longest = 0;
  for (const auto& clause : m_clauses) longest = std::max(longest, clause.version.m_release.size());
  return longest;
}

std::optional<Version> SpecifierSet::lone_equal() const {
  if (m_clauses.size() != 1 || m_clauses.front().op != Operator::equal) return std::nullopt;
  return m_clauses.front().version;
}

std::optional<Version> SpecifierSet::anchor() const {
  for (const auto& clause : m_clauses)
    if (clause.op != Operator::not_equal) return clause.version;
  return std::nullopt;
}

std::string SpecifierSet::Clause::to_string() const {
  constexpr std::array<const char*, 7> k_spelling{"==", "!=", "<", "<=", ">", ">=", "~="};
  return k_spelling[static_cast<std::size_t>(op)] + version.to_string() + (prefix ? ".*" : "");
}

std::string SpecifierSet::to_string() const {
  std::vector<std::string> clauses;
  for (const auto& clause : m_clauses) clauses.push_back(clause.to_string());
  std::sort(clauses.begin(), clauses.end());
  clauses.erase(std::unique(clauses.begin(), clauses.end()), clauses.end());
  return base::join(clauses, ",");
}

}  // namespace torchkiln::version
