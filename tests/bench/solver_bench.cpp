// How long the solver takes on the real matrix: every driver × every GPU × every PyTorch release that the manifests
// know. Prints percentiles and fails when a limit is passed. Processor time of the thread is measured, so that a
// busy machine does not look like a slow solver.
//
//   solver_bench MANIFESTS [FACTOR]    FACTOR widens the limits, for builds that are not optimised; it is printed.

#include "decision/solver/catalogue.hpp"
#include "decision/solver/model.hpp"
#include "knowledge/matrix/load.hpp"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <set>

using namespace torchkiln;

namespace {

constexpr double k_solve_limit_ms = 1;
constexpr double k_explanation_limit_ms = 5;
/// One refused request in so many is explained in full; a prime, so that no axis is always hit at the same value.
constexpr std::size_t k_explained_one_in = 61;

double thread_ms() {
  timespec now = {};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) * 1e3 + static_cast<double>(now.tv_nsec) / 1e6;
}

std::vector<version::DriverVersion> drivers_of(const matrix::Matrix& matrix) {
  std::set<version::DriverVersion> known;
  for (const auto& row : matrix.toolkits) known.insert(row.driver);
  for (const auto& row : matrix.families) known.insert(row.driver);
  for (const auto& row : matrix.first_drivers) known.insert(row.driver);
  for (const auto& row : matrix.branches)
    known.insert(version::DriverVersion::parse(std::to_string(row.branch)).value());
  return {known.begin(), known.end()};
}

/// Prints the percentiles; whether the 99th is within the limit.
bool report(const char* what, std::vector<double>& times_ms, double limit_ms) {
  std::sort(times_ms.begin(), times_ms.end());
  const auto at = [&](double part) {
    return times_ms[static_cast<std::size_t>(part * static_cast<double>(times_ms.size() - 1))];
  };
  const bool within = at(0.99) <= limit_ms;
  std::printf("%-12s %8zu  p50 %6.3f ms  p99 %6.3f ms  most %6.3f ms  limit %g ms  %s\n", what, times_ms.size(),
              at(0.5), at(0.99), times_ms.back(), limit_ms, within ? "ok" : "TOO SLOW");
  return within;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) return 2;
  const double factor = argc > 2 ? std::strtod(argv[2], nullptr) : 1;
  const double start_ms = thread_ms();
  const auto loaded = matrix::load(argv[1]);
  if (!loaded) return std::fprintf(stderr, "%s\n", loaded.error().message.c_str()), 2;
  const matrix::Matrix& matrix = *loaded;
  std::printf("matrix loaded in %.1f ms; limits times %g\n", thread_ms() - start_ms, factor);

  std::vector<double> solves_ms, explanations_ms;
  std::size_t refused = 0;
  solver::Request request;
  for (const auto& driver : drivers_of(matrix))
    for (const auto& gpu : matrix.gpus)
      for (const auto& release : matrix.releases) {
        request.require.driver = {driver, {"--driver", 0, 0}};
        request.require.gpus = {{gpu.model, {"--gpu", 0, 0}}};
        request.require.pytorch = {version::SpecifierSet::parse(release.pytorch.to_string()).value(),
                                   {"--pytorch", 0, 0}};
        const double before_ms = thread_ms();
        const auto catalogue = solver::make_catalogue(matrix, request.architecture, request.prefer);
        const auto model = solver::make_model(request, catalogue);
        const bool has_answer = solver::best(model.problem, model.all()).has_value();
        solves_ms.push_back(thread_ms() - before_ms);
        if (has_answer || refused++ % k_explained_one_in != 0) continue;
        const double told_ms = thread_ms();
        const auto outcome = solver::solve(request, matrix);
        explanations_ms.push_back(thread_ms() - told_ms);
        if (!std::holds_alternative<solver::Conflict>(outcome))
          return std::fprintf(stderr, "two answers differ\n"), 1;
      }
  std::printf("%zu requests, %zu of them refused\n", solves_ms.size(), refused);
  const bool solves = report("solve", solves_ms, k_solve_limit_ms * factor);
  const bool explanations = report("explanation", explanations_ms, k_explanation_limit_ms * factor);
  return solves && explanations ? 0 : 1;
}
