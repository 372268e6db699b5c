#pragma once
// A test run as the in-toto statement that a stamp signs (predicate test-result v0.1).

#include "foundation/base/error.hpp"
#include "proof/report/test_run.hpp"

#include <string>
#include <string_view>

namespace torchkiln::stamp {

/// The in-toto Statement v1 about the image's digest.
base::Result<std::string> to_statement(const report::TestRun& run);
/// Reads such a statement, as strictly as a report: exactly the four keys of Statement v1, one subject, this
/// predicate type, and lists of tests that agree with one another and with the result.
base::Result<report::TestRun> parse_statement(std::string_view bytes, const std::string& file);

inline constexpr std::string_view k_statement_type = "https://in-toto.io/Statement/v1";
inline constexpr std::string_view k_test_result_type = "https://in-toto.io/attestation/test-result/v0.1";

}  // namespace torchkiln::stamp
