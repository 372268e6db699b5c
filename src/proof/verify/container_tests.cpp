#include "proof/verify/container_tests.hpp"

#include "foundation/base/text.hpp"

#include <fmt/format.h>

namespace torchkiln::verify {

using base::Result;
using report::TestOutcome;
using report::TestVerdict;

namespace {

/// docker and Kubernetes kill what does not end by itself after 10 and 30 s.
constexpr double k_stop_limit_s = 10;
constexpr double k_timeout_s = 60;
/// 128 + SIGTERM: what a shell that the signal ended leaves behind.
constexpr int k_ended_by_sigterm = 143;
/// What a shell says of a command that cannot be run.
constexpr int k_not_run = 127;

TestOutcome outcome_of(const std::string& id, std::string measures, std::string fault, double duration_s) {
  TestOutcome test;
  test.id = id;
  test.level = report::Level::boot;
  test.verdict = fault.empty() ? TestVerdict::pass : TestVerdict::fail;
  test.reason = std::move(fault);
  test.measures = std::move(measures);
  test.duration_s = duration_s;
  return test;
}

std::string ending_of(const runtime::RunOutcome& outcome) {
  if (outcome.timed_out) return "it did not end in time";
  return fmt::format("it ended with status {}: {}", outcome.exit_status, base::trim(outcome.errors.substr(0, 300)));
}

/// A command that the image has not is the image's failure, not ours.
RunInImage forgiving(const RunInImage& run) {
  return [&run](const runtime::RunRequest& request) -> Result<runtime::RunOutcome> {
    auto outcome = run(request);
    if (outcome || outcome.error().code != base::ErrorCode::tool_failed) return outcome;
    runtime::RunOutcome failed;
    failed.exit_status = k_not_run;
    failed.errors = base::join(outcome.error().notes, " ");
    return failed;
  };
}

Result<TestOutcome> read_only(const RunInImage& run, const oci::ImageConfig& config) {
  auto request = request_for(
      config, {"sh", "-c", "for f in / /etc /opt/kiln /usr/bin; do ! touch $f/probe 2>/dev/null || exit 1; done"});
  request.timeout_s = k_timeout_s;
  TK_TRY(const auto outcome, run(request));
  const auto fault =
      outcome.exit_status == 0 && !outcome.timed_out ? "" : "a file can be made: " + ending_of(outcome);
  return outcome_of("boot.read_only", "folders of the image that take a file on a read-only root", fault,
                    outcome.seconds);
}

/// Process 1 gets the request, as it does from `docker stop`, and has to pass it on.
Result<TestOutcome> signals(const RunInImage& run, const oci::ImageConfig& config) {
  auto request = request_for(config, {"sh", "-c", "kill -TERM 1; sleep 60"});
  request.timeout_s = k_timeout_s;
  TK_TRY(const auto outcome, run(request));
  std::string fault;
  if (outcome.timed_out || outcome.exit_status != k_ended_by_sigterm || outcome.seconds > k_stop_limit_s)
    fault = fmt::format("SIGTERM to process 1 does not stop the container within {} s: {}", k_stop_limit_s,
                        ending_of(outcome));
  auto test =
      outcome_of("boot.signals", "seconds until a container ends that was asked to", fault, outcome.seconds);
  test.measured = outcome.seconds;
  test.compare = "at most";
  test.limit = k_stop_limit_s;
  test.unit = "s";
  return test;
}

Result<TestOutcome> health(const RunInImage& run, const oci::ImageConfig& config) {
  const auto& check = config.execution.healthcheck;
  const std::string measures = "exit status of the image's health check";
  if (!check || check->test.size() < 2 || check->test[0] != "CMD")
    return outcome_of("boot.health", measures, "the image names no health check", 0);
  auto request = request_for(config, {check->test.begin() + 1, check->test.end()});
  request.timeout_s = k_timeout_s;
  TK_TRY(const auto outcome, run(request));
  const auto fault = outcome.exit_status == 0 && !outcome.timed_out ? "" : ending_of(outcome);
  return outcome_of("boot.health", measures, fault, outcome.seconds);
}

}  // namespace

Result<std::vector<TestOutcome>> run_container_tests(const RunInImage& run, const oci::ImageConfig& config,
                                                     spec::Variant variant, base::Step& step) {
  std::vector<TestOutcome> tests;
  const auto add = [&](Result<TestOutcome> test) -> Result<void> {
    if (!test) return base::fail(std::move(test).error());
    step.output(fmt::format("{:4}  {}", report::name(test->verdict), test->id));
    tests.push_back(std::move(*test));
    return {};
  };
  const auto attempt = forgiving(run);
  TK_CHECK(add(read_only(attempt, config)));
  TK_CHECK(add(signals(attempt, config)));
  // A service's own check needs the service to run.
  if (!variant.has(spec::Part::jupyter) && !variant.has(spec::Part::ssh)) TK_CHECK(add(health(attempt, config)));
  return tests;
}

}  // namespace torchkiln::verify
