#pragma once
// The search under the solver, without any domain knowledge: variables with finite domains, constraints on one or
// two of them, the first solution in lexicographic order, and minimal sets of constraints that contradict each
// other. Arc consistency and depth-first search: exact, deterministic, nothing to tune.

#include "foundation/base/error.hpp"

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

namespace torchkiln::solver {

/// The most values a variable can have.
inline constexpr std::size_t k_values_max = 512;

/// A set of values 0 … k_values_max-1.
class ValueSet {
 public:
  static ValueSet all(std::size_t count) {
    ValueSet set;
    for (std::size_t i = 0; i < count; ++i) set.add(i);
    return set;
  }
  void add(std::size_t value) { m_words[value / 64] |= std::uint64_t{1} << (value % 64); }
  bool contains(std::size_t value) const { return m_words[value / 64] >> (value % 64) & 1; }
  bool is_empty() const {
    for (const auto word : m_words)
      if (word) return false;
    return true;
  }
  std::size_t count() const {
    std::size_t total = 0;
    for (const auto word : m_words) total += static_cast<std::size_t>(std::popcount(word));
    return total;
  }
  bool meets(const ValueSet& other) const {
    for (std::size_t i = 0; i < k_words; ++i)
      if (m_words[i] & other.m_words[i]) return true;
    return false;
  }
  ValueSet& operator&=(const ValueSet& other) {
    for (std::size_t i = 0; i < k_words; ++i) m_words[i] &= other.m_words[i];
    return *this;
  }
  ValueSet& operator|=(const ValueSet& other) {
    for (std::size_t i = 0; i < k_words; ++i) m_words[i] |= other.m_words[i];
    return *this;
  }
  bool operator==(const ValueSet&) const = default;
  /// Calls `visit` with every value, smallest first.
  template <class Visit>
  void for_each(Visit visit) const {
    for (std::size_t i = 0; i < k_words; ++i)
      for (std::uint64_t word = m_words[i]; word; word &= word - 1)
        visit(i * 64 + static_cast<std::size_t>(std::countr_zero(word)));
  }

 private:
  static constexpr std::size_t k_words = k_values_max / 64;
  std::array<std::uint64_t, k_words> m_words{};
};

/// Which values go together. Of a constraint on one variable: one set. On two: for each value of the first the
/// values of the second. Shared, because most tables are the same for every request.
using Table = std::shared_ptr<const std::vector<ValueSet>>;

/// The table of `rows` sets of values below `columns` for which holds(row, value) is true.
template <class Holds>
Table make_table(std::size_t rows, std::size_t columns, Holds holds) {
  TK_ASSERT(columns <= k_values_max, "a variable has more values than a ValueSet holds");
  std::vector<ValueSet> sets(rows);
  for (std::size_t row = 0; row < rows; ++row)
    for (std::size_t value = 0; value < columns; ++value)
      if (holds(row, value)) sets[row].add(value);
  return std::make_shared<const std::vector<ValueSet>>(std::move(sets));
}

/// What the values of one variable, or of two together, may be.
struct Constraint {
  std::size_t first = 0;
  std::optional<std::size_t> second;
  Table allowed;
};

/// Variables in the order of their importance; each one's values in the order of preference.
struct Problem {
  std::vector<std::size_t> sizes;  ///< how many values each variable has
  std::vector<Constraint> constraints;
};

/// Indices of constraints that count.
using Active = std::vector<std::size_t>;

/// Every variable's values that arc consistency leaves; nothing when a variable has none left.
std::optional<std::vector<ValueSet>> propagate(const Problem& problem, const Active& active);

/// The lexicographically first assignment: the best value of the first variable with which there is any solution,
/// and so on. Nothing when there is none.
std::optional<std::vector<std::size_t>> best(const Problem& problem, const Active& active);

/// A subset of `candidates` that has no solution while every proper subset of it has (QuickXplain: Junker, AAAI
/// 2004). Of several such sets, one with the earlier candidates. `candidates` must have no solution.
Active minimal_core(const Problem& problem, const Active& candidates);

}  // namespace torchkiln::solver
