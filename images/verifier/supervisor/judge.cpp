#include "supervisor/judge.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

namespace torchkiln::verifier {
namespace {

/// Why the measured value does not keep the limit; empty when it does.
std::string objection(const Test& test, const Json& measured) {
  if (const auto* text = std::get_if<std::string>(&test.limit)) {
    if (!measured.is_string()) return "the measured value is not a text";
    if (measured.get<std::string>() == *text) return {};
    return test.measures + " is " + measured.get<std::string>() + ", not " + *text;
  }
  if (!measured.is_number() || !std::isfinite(measured.get<double>())) {
    return "the measured value is not a finite number";
  }
  if (keeps_limit(test, measured.get<double>())) return {};
  return test.measures + ": " + measured.dump() + ", must be " + std::string(name_of(test.compare)) + " " +
         Json(std::get<double>(test.limit)).dump();
}

std::string text_member(const Json& event, const char* name) {
  const auto found = event.find(name);
  return found != event.end() && found->is_string() ? found->get<std::string>() : std::string();
}

}  // namespace

Result unmeasured(const Test& test, Verdict verdict, std::string reason) {
  Result result;
  result.test = test;
  result.verdict = verdict;
  result.reason = std::move(reason);
  return result;
}

Result judge(const Test& test, const Json& event) {
  auto result = unmeasured(test, Verdict::fail, {});
  if (const auto details = event.find("details"); details != event.end() && details->is_object()) {
    result.details = *details;
  }
  if (event.contains("failure")) {
    result.reason = text_member(event, "failure");
    if (result.reason.empty()) result.reason = "failed without a reason";
    result.fault = text_member(event, "fault");
    return result;
  }
  if (const auto measured = event.find("measured"); measured != event.end()) result.measured = *measured;
  result.reason = objection(test, result.measured);
  if (!result.reason.empty()) return result;
  result.reason = text_member(event, "warning");
  result.verdict = result.reason.empty() ? Verdict::pass : Verdict::warn;
  return result;
}

std::optional<Level> level_reached(const std::vector<Test>& plan, const std::vector<Result>& results) {
  const auto passed = [&](const Test& test) {
    return std::any_of(results.begin(), results.end(), [&](const Result& result) {
      return result.test.id == test.id && (result.verdict == Verdict::pass || result.verdict == Verdict::warn);
    });
  };
  std::optional<Level> reached;
  for (const auto level : {Level::boot, Level::cpu, Level::gpu, Level::multi_gpu}) {
    std::size_t planned = 0;
    for (const auto& test : plan) {
      if (test.level != level) continue;
      ++planned;
      if (!passed(test)) return reached;
    }
    if (planned == 0) return reached;
    reached = level;
  }
  return reached;
}

std::string_view name_of(Verdict verdict) {
  switch (verdict) {
    case Verdict::pass:
      return "pass";
    case Verdict::warn:
      return "warn";
    case Verdict::fail:
      return "fail";
    case Verdict::skip:
      return "skip";
  }
  return "";
}

}  // namespace torchkiln::verifier
