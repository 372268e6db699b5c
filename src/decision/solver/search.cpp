#include "decision/solver/search.hpp"

#include "foundation/base/error.hpp"

#include <algorithm>

namespace torchkiln::solver {

namespace {

/// A guard, not a limit that real matrices come near: their graphs are almost trees, so arc consistency decides
/// nearly everything.
constexpr std::size_t k_nodes_max = 10'000'000;

using Domains = std::vector<ValueSet>;

/// Removes from both variables the values without a partner. Says whether anything was removed.
bool revise(const Constraint& constraint, Domains& domains) {
  ValueSet& first = domains[constraint.first];
  if (!constraint.second) {
    const ValueSet before = first;
    first &= constraint.allowed->front();
    return first != before;
  }
  ValueSet& second = domains[*constraint.second];
  ValueSet kept;
  ValueSet reached;
  first.for_each([&](std::size_t value) {
    const ValueSet& partners = (*constraint.allowed)[value];
    if (!partners.meets(second)) return;
    kept.add(value);
    reached |= partners;
  });
  reached &= second;
  const bool changed = kept != first || reached != second;
  first = kept;
  second = reached;
  return changed;
}

/// Revises until nothing changes. False when a variable has no value left.
bool make_consistent(const Problem& problem, const Active& active, Domains& domains) {
  for (bool changed = true; changed;) {
    changed = false;
    for (const std::size_t index : active) {
      const Constraint& constraint = problem.constraints[index];
      changed |= revise(constraint, domains);
      if (domains[constraint.first].is_empty()) return false;
      if (constraint.second && domains[*constraint.second].is_empty()) return false;
    }
  }
  return true;
}

Domains full_domains(const Problem& problem) {
  Domains domains;
  domains.reserve(problem.sizes.size());
  for (const std::size_t size : problem.sizes) {
    TK_ASSERT(size <= k_values_max, "a variable has more values than a ValueSet holds");
    domains.push_back(ValueSet::all(size));
  }
  return domains;
}

class Search {
 public:
  Search(const Problem& problem, const Active& active) : m_problem(problem), m_active(active) {}

  /// Assigns the variables from `variable` on; the domains are arc consistent.
  std::optional<std::vector<std::size_t>> solve(std::size_t variable, const Domains& domains) {
    TK_ASSERT(++m_nodes < k_nodes_max, "the search met a problem that is not almost a tree");
    while (variable < domains.size() && domains[variable].count() == 1) ++variable;
    if (variable == domains.size()) {
      std::vector<std::size_t> assignment;
      for (const auto& domain : domains) domain.for_each([&](std::size_t value) { assignment.push_back(value); });
      return assignment;
    }
    std::vector<std::size_t> values;
    domains[variable].for_each([&](std::size_t value) { values.push_back(value); });
    for (const std::size_t value : values) {
      Domains narrowed = domains;
      narrowed[variable] = ValueSet();
      narrowed[variable].add(value);
      if (!make_consistent(m_problem, m_active, narrowed)) continue;
      if (auto assignment = solve(variable + 1, narrowed)) return assignment;
    }
    return std::nullopt;
  }

 private:
  const Problem& m_problem;
  const Active& m_active;
  std::size_t m_nodes = 0;
};

bool has_solution(const Problem& problem, const Active& active) {
  return best(problem, active).has_value();
}

/// QuickXplain: the part of `candidates` that, added to `background`, has no solution. `just_added` says that the
/// background changed since it was last known to have one.
Active explain(const Problem& problem, const Active& background, const Active& candidates, bool just_added) {
  if (just_added && !has_solution(problem, background)) return {};
  if (candidates.size() == 1) return candidates;
  const auto middle = candidates.begin() + static_cast<std::ptrdiff_t>((candidates.size() + 1) / 2);
  const Active earlier(candidates.begin(), middle);
  const Active later(middle, candidates.end());
  const auto joined = [](const Active& a, const Active& b) {
    Active both = a;
    both.insert(both.end(), b.begin(), b.end());
    return both;
  };
  const Active from_later = explain(problem, joined(background, earlier), later, true);
  const Active from_earlier = explain(problem, joined(background, from_later), earlier, !from_later.empty());
  return joined(from_earlier, from_later);
}

}  // namespace

std::optional<std::vector<ValueSet>> propagate(const Problem& problem, const Active& active) {
  Domains domains = full_domains(problem);
  if (!make_consistent(problem, active, domains)) return std::nullopt;
  return domains;
}

std::optional<std::vector<std::size_t>> best(const Problem& problem, const Active& active) {
  const auto domains = propagate(problem, active);
  if (!domains) return std::nullopt;
  if (std::any_of(domains->begin(), domains->end(), [](const ValueSet& domain) { return domain.is_empty(); }))
    return std::nullopt;
  return Search(problem, active).solve(0, *domains);
}

Active minimal_core(const Problem& problem, const Active& candidates) {
  TK_ASSERT(!has_solution(problem, candidates), "a core was asked of constraints that have a solution");
  if (!has_solution(problem, {})) return {};
  return explain(problem, {}, candidates, false);
}

}  // namespace torchkiln::solver
