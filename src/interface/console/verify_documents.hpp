#pragma once
// A verification for others: JUnit XML for CI servers, and a page for people.

#include "proof/report/test_run.hpp"

#include <string>

namespace torchkiln::console {

/// A level is a suite, a test a case. A warning is a pass with something on its standard output.
std::string verification_junit(const report::TestRun& run);

/// One HTML file that needs nothing but itself: every test with its measured value and limit, how far each numeric
/// test is from its limit, and the curves that tests recorded.
std::string verification_html(const report::TestRun& run);

}  // namespace torchkiln::console
