#pragma once
// The plots of a verification's page, as SVG: colours come from the page's style sheet.

#include "proof/report/test_run.hpp"

#include <string>
#include <vector>

namespace torchkiln::console {

/// How far each numeric test stays from its limit: one row a test, on a logarithmic axis that ends at the limit.
/// Empty when no test has a limit of that kind.
std::string margins_plot(const std::vector<report::TestOutcome>& tests);

/// The curves that a test recorded, one line each; empty when it has none.
std::string curves_plot(const report::TestOutcome& test);

}  // namespace torchkiln::console
