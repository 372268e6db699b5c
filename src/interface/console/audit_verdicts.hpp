#pragma once
// Verdicts in words and signs, for people. Internal to console.

#include "decision/audit/audit.hpp"

#include <string_view>

namespace torchkiln::console {

/// One line, without a full stop: "the driver is older than the CUDA of the image needs".
std::string_view meaning_of(audit::Verdict verdict);
/// At most two letters that tell verdicts apart where there is no room for more: "D", "OD".
std::string_view code_of(audit::Verdict verdict);

/// What a reader has to know first.
enum class Outcome { runs, does_not_run, unknown };
Outcome outcome_of(audit::Verdict verdict);

}  // namespace torchkiln::console
