#include "proof/report/test_run.hpp"

#include "foundation/base/text.hpp"

#include <algorithm>
#include <array>

namespace torchkiln::report {

namespace {
constexpr std::array<std::string_view, 6> k_level_names = {"none", "static", "boot", "cpu", "gpu", "multi-gpu"};
}

std::string_view name(Level level) {
  return k_level_names[static_cast<std::size_t>(level)];
}

std::optional<Level> parse_level(std::string_view text) {
  const auto found = std::find(k_level_names.begin(), k_level_names.end(), text);
  if (found == k_level_names.end()) return std::nullopt;
  return static_cast<Level>(found - k_level_names.begin());
}

std::string_view name(RunResult result) {
  switch (result) {
    case RunResult::passed:
      return "PASSED";
    case RunResult::warned:
      return "WARNED";
    case RunResult::failed:
      break;
  }
  return "FAILED";
}

RunResult result_of(const TestRun& run) {
  const auto any = [&run](TestVerdict verdict) {
    return std::any_of(run.tests.begin(), run.tests.end(),
                       [verdict](const TestOutcome& test) { return test.verdict == verdict; });
  };
  if (run.reached == Level::none || run.reached < run.asked || any(TestVerdict::fail)) return RunResult::failed;
  return any(TestVerdict::warn) ? RunResult::warned : RunResult::passed;
}

bool is_verified(const TestRun& run) {
  return run.reached >= Level::gpu && result_of(run) != RunResult::failed;
}

Level level_borne_out(const std::vector<TestOutcome>& tests) {
  Level borne_out = Level::none;
  for (const auto level : k_levels) {
    bool has_tests = false;
    for (const auto& test : tests) {
      if (test.level != level) continue;
      if (test.verdict == TestVerdict::fail || test.verdict == TestVerdict::skip) return borne_out;
      has_tests = true;
    }
    if (!has_tests) return borne_out;
    borne_out = level;
  }
  return borne_out;
}

std::string gpus_in_words(const HostFacts& host) {
  std::vector<std::string> names;
  for (const auto& gpu : host.gpus) names.push_back(gpu.name + " (" + gpu.compute_capability + ")");
  return base::join(names, ", ");
}

}  // namespace torchkiln::report
