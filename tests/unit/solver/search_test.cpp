#include "decision/solver/search.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <cstdlib>
#include <numeric>
#include <random>

using namespace torchkiln::solver;

namespace {

Active all_of(const Problem& problem) {
  Active active(problem.constraints.size());
  std::iota(active.begin(), active.end(), 0);
  return active;
}

bool holds(const Constraint& constraint, const std::vector<std::size_t>& assignment) {
  const std::size_t first = assignment[constraint.first];
  if (!constraint.second) return constraint.allowed->front().contains(first);
  return (*constraint.allowed)[first].contains(assignment[*constraint.second]);
}

/// Every assignment in lexicographic order, until one satisfies all active constraints.
std::optional<std::vector<std::size_t>> best_by_trying_all(const Problem& problem, const Active& active) {
  std::vector<std::size_t> assignment(problem.sizes.size(), 0);
  if (std::any_of(problem.sizes.begin(), problem.sizes.end(), [](std::size_t size) { return size == 0; }))
    return std::nullopt;
  for (;;) {
    if (std::all_of(active.begin(), active.end(),
                    [&](std::size_t index) { return holds(problem.constraints[index], assignment); }))
      return assignment;
    std::size_t variable = assignment.size();
    while (variable > 0 && ++assignment[variable - 1] == problem.sizes[variable - 1]) assignment[--variable] = 0;
    if (variable == 0) return std::nullopt;
  }
}

Problem random_problem(std::mt19937& random) {
  const auto below = [&](std::size_t limit) {
    return std::uniform_int_distribution<std::size_t>(0, limit - 1)(random);
  };
  Problem problem;
  const std::size_t variables = 1 + below(5);
  for (std::size_t i = 0; i < variables; ++i) problem.sizes.push_back(1 + below(5));
  const std::size_t density = 20 + below(75);  // per cent of pairs that are allowed
  const auto allowed = [&](std::size_t, std::size_t) { return below(100) < density; };
  const std::size_t constraints = below(9);
  for (std::size_t i = 0; i < constraints; ++i) {
    Constraint constraint;
    constraint.first = below(variables);
    const std::size_t second = below(variables);
    if (second != constraint.first) constraint.second = second;
    const std::size_t rows = constraint.second ? problem.sizes[constraint.first] : 1;
    constraint.allowed = make_table(rows, problem.sizes[second], allowed);
    problem.constraints.push_back(std::move(constraint));
  }
  return problem;
}

/// TORCHKILN_SEED, or a fixed number so that a failure can be had again.
unsigned seed() {
  const char* text = std::getenv("TORCHKILN_SEED");
  return text ? static_cast<unsigned>(std::strtoul(text, nullptr, 10)) : 20261121U;
}

Constraint only(std::size_t variable, std::vector<std::size_t> values) {
  return {variable, std::nullopt, make_table(1, k_values_max, [&](std::size_t, std::size_t value) {
            return std::find(values.begin(), values.end(), value) != values.end();
          })};
}

}  // namespace

TEST_CASE("the search finds what trying every assignment finds, on random problems") {
  std::mt19937 random(seed());
  std::size_t solved = 0;
  std::size_t refuted = 0;
  for (int round = 0; round < 4000; ++round) {
    const Problem problem = random_problem(random);
    const Active active = all_of(problem);
    INFO("TORCHKILN_SEED=" << seed() << ", round " << round);
    const auto expected = best_by_trying_all(problem, active);
    REQUIRE(best(problem, active) == expected);
    ++(expected ? solved : refuted);
  }
  CHECK(solved > 500);
  CHECK(refuted > 500);
}

TEST_CASE("a core has no solution, and has one without any of its constraints, on random problems") {
  std::mt19937 random(seed() + 1);
  std::size_t cores = 0;
  for (int round = 0; round < 4000; ++round) {
    const Problem problem = random_problem(random);
    Active active = all_of(problem);
    std::shuffle(active.begin(), active.end(), random);
    if (best_by_trying_all(problem, active)) continue;
    INFO("TORCHKILN_SEED=" << seed() << ", round " << round);
    const Active core = minimal_core(problem, active);
    REQUIRE_FALSE(best_by_trying_all(problem, core));
    for (const std::size_t left_out : core) {
      Active rest = core;
      std::erase(rest, left_out);
      REQUIRE(best_by_trying_all(problem, rest));
    }
    ++cores;
  }
  CHECK(cores > 500);
}

TEST_CASE("of several cores the one with the earlier constraints is found") {
  Problem problem;
  problem.sizes = {3};
  problem.constraints = {only(0, {0}), only(0, {1}), only(0, {2})};
  CHECK(minimal_core(problem, {0, 1, 2}) == Active{0, 1});
  CHECK(minimal_core(problem, {2, 1, 0}) == Active{2, 1});
}

TEST_CASE("earlier variables and earlier values are preferred") {
  Problem problem;
  problem.sizes = {2, 3};
  // The best value of the first variable leaves only the worst of the second.
  const Constraint pair{0, 1, make_table(2, 3, [](std::size_t first, std::size_t second) {
                          return first == 0 ? second == 2 : second == 0;
                        })};
  problem.constraints = {pair};
  CHECK(best(problem, {0}) == std::vector<std::size_t>{0, 2});
  CHECK(best(problem, {}) == std::vector<std::size_t>{0, 0});
}

TEST_CASE("a variable without values has no solution") {
  Problem problem;
  problem.sizes = {2, 0};
  CHECK_FALSE(best(problem, {}));
  CHECK(minimal_core(problem, {}) == Active{});
}

TEST_CASE("a variable can have as many values as the limit") {
  Problem problem;
  problem.sizes = {k_values_max};
  problem.constraints = {only(0, {k_values_max - 1})};
  CHECK(best(problem, {0}) == std::vector<std::size_t>{k_values_max - 1});
}
