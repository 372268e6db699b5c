#pragma once
// A test run as the in-toto statement that a stamp signs (predicate test-result v0.1).

#include "foundation/base/error.hpp"
#include "proof/report/test_run.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace torchkiln::stamp {

/// What a test result says: a run, and until when it may be relied on.
struct TestResult {
  report::TestRun run;
  std::optional<std::int64_t> valid_until_s = std::nullopt;  ///< since 1970
};

/// The in-toto Statement v1 about the image's digest.
base::Result<std::string> to_statement(const report::TestRun& run,
                                       std::optional<std::int64_t> valid_until_s = std::nullopt);
/// Reads such a statement, as strictly as a report: exactly the four keys of Statement v1, one subject, this
/// predicate type, and lists of tests that agree with one another and with the result.
base::Result<TestResult> parse_statement(std::string_view bytes, const std::string& file);

/// The run in the words of SLSA's verification summary (slsa.dev/spec/v1.0/verification_summary), for policies that
/// know nothing of tests: PASSED with the levels, compute capabilities and driver that were proven, or FAILED.
base::Result<std::string> to_summary(const report::TestRun& run);

inline constexpr std::string_view k_test_result_type = "https://in-toto.io/attestation/test-result/v0.1";
inline constexpr std::string_view k_summary_type = "https://slsa.dev/verification_summary/v1";

}  // namespace torchkiln::stamp
