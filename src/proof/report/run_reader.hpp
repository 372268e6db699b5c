#pragma once
// What reports and statements have in common when they are read: plain texts, times, levels and test outcomes, and
// the rules that a run may not break.

#include "foundation/document/json.hpp"
#include "proof/report/test_run.hpp"

#include <string>
#include <string_view>

namespace torchkiln::report {

/// A text without control characters, so that it can be shown; empty when it is missing.
base::Result<std::string> plain_or_empty(const document::JsonValue& parent, std::string_view key);
/// The same, which must be there and not be empty.
base::Result<std::string> plain(const document::JsonValue& parent, std::string_view key);
base::Result<std::int64_t> time_s(const document::JsonValue& parent, std::string_view key);
base::Result<Level> level(const document::JsonValue& parent, std::string_view key);
/// pass, warn, fail or skip.
base::Result<TestVerdict> verdict(const document::JsonValue& parent);
/// A number, a text, a boolean or null.
base::Result<document::ParsedJson> scalar(const document::JsonValue& parent, std::string_view key);
/// The member "details": an object of numbers, texts and arrays of numbers; null where there is none.
base::Result<document::ParsedJson> details(const document::JsonValue& parent);
base::Result<std::vector<GpuFacts>> gpus(const document::JsonValue& parent, std::string_view key,
                                         std::string_view capability_key);

/// The rules of parse_report() that concern the run as a whole.
base::Result<void> check_run(const TestRun& run, const document::JsonValue& document);

}  // namespace torchkiln::report
