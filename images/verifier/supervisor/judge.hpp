// From what a program sent to a verdict. Fail-closed: whatever is not a measurement that keeps the plan's limit is
// not a pass.
#pragma once

#include "plan/plan.hpp"

#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

namespace torchkiln::verifier {

using Json = nlohmann::ordered_json;

enum class Verdict { pass, warn, fail, skip };

struct Result {
  Test test;
  Verdict verdict = Verdict::fail;
  /// Empty only for a pass.
  std::string reason;
  /// "image" or "host" where the verdict is fail and the program said so, else empty.
  std::string fault;
  Json measured;
  Json details = Json::object();
  double seconds = 0;
};

/// Judges the "end" event of `test` (see worker/worker.hpp).
Result judge(const Test& test, const Json& event);

/// A result without a measurement.
Result unmeasured(const Test& test, Verdict verdict, std::string reason);

/// The highest level of which, and of all before which, every test of the plan has a result pass or warn; none when
/// that fails at the first. A level whose plan is empty is not reached. `results` may be in any order.
std::optional<Level> level_reached(const std::vector<Test>& plan, const std::vector<Result>& results);

std::string_view name_of(Verdict verdict);

}  // namespace torchkiln::verifier
