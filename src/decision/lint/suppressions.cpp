#include "decision/lint/suppressions.hpp"

#include "foundation/base/text.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <vector>

namespace torchkiln::lint {

namespace {

constexpr std::array<std::string_view, 3> k_tools = {"torchkiln", "hadolint", "tally"};

struct Pragma {
  std::vector<const Rule*> rules;
  bool is_global = false;
};

/// The rules called by one of the names in "DL3008,apt-lists; a reason". An alias may stand for several.
std::vector<const Rule*> rules_named(std::string_view names) {
  std::vector<const Rule*> found;
  names = names.substr(0, names.find_first_of(" \t;:"));
  for (const auto name : base::split(names, ','))
    if (const auto* rule = find_rule(base::trim(name))) found.push_back(rule);
  return found;
}

Pragma pragma_of(std::string_view comment) {
  constexpr std::string_view k_checkov = "checkov:skip=";
  if (comment.starts_with(k_checkov)) return {rules_named(comment.substr(k_checkov.size())), true};
  const auto tool = std::find_if(k_tools.begin(), k_tools.end(), [&](std::string_view one) {
    return comment.starts_with(one) && comment.size() > one.size() &&
           (comment[one.size()] == ' ' || comment[one.size()] == '\t');
  });
  if (tool == k_tools.end()) return {};
  auto rest = base::trim(comment.substr(tool->size()));
  Pragma pragma;
  constexpr std::string_view k_global = "global ";
  if (rest.starts_with(k_global)) {
    pragma.is_global = true;
    rest = base::trim(rest.substr(k_global.size()));
  }
  if (!rest.starts_with("ignore")) return {};
  rest = base::trim(rest.substr(6));
  if (!rest.starts_with('=')) return {};
  // "ignore=DL3008, DL3009" is two rules.
  pragma.rules = rules_named(base::replace_all(std::string(base::trim(rest.substr(1))), ", ", ","));
  return pragma;
}

}  // namespace

Suppressions::Suppressions(const Dockerfile& file) {
  std::map<int, const Comment*> comments;
  for (const auto& comment : file.comments) comments[comment.line] = &comment;
  std::map<const Comment*, Pragma> local;
  for (const auto& comment : file.comments) {
    auto pragma = pragma_of(comment.text);
    if (pragma.rules.empty()) continue;
    if (pragma.is_global)
      m_global.insert(pragma.rules.begin(), pragma.rules.end());
    else
      local.emplace(&comment, std::move(pragma));
  }
  if (local.empty()) return;
  for (const auto& instruction : file.instructions) {
    auto first = instruction.begin.line;
    while (comments.contains(first - 1)) --first;  // the comments right above it
    for (auto at = comments.lower_bound(first); at != comments.end() && at->first <= instruction.last_line; ++at)
      if (const auto found = local.find(at->second); found != local.end())
        for (const auto* rule : found->second.rules) m_local.emplace(instruction.begin.line, rule);
  }
}

bool Suppressions::cover(const Finding& finding) const {
  return m_global.contains(finding.rule) || m_local.contains({finding.instruction_line, finding.rule});
}

}  // namespace torchkiln::lint
