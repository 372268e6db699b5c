#include "supervisor/judge.hpp"

#include <catch2/catch.hpp>
#include <limits>

using namespace torchkiln::verifier;

namespace {

Test number_test(Compare compare, double limit) {
  return {"cpu.some", Level::cpu, Program::boot, "error", compare, limit, "nats", 1, {}};
}

Verdict verdict_of(const Test& test, const Json& measured) {
  return judge(test, Json({{"test", test.id}, {"measured", measured}})).verdict;
}

Result result(const std::string& id, Level level, Verdict verdict) {
  return unmeasured({id, level, Program::boot, "", Compare::at_most, 0.0, "", 1, {}}, verdict, "");
}

}  // namespace

TEST_CASE("a value at its limit keeps it, the next one beyond does not") {
  const double beyond = std::nextafter(2.0, 3.0);
  CHECK(verdict_of(number_test(Compare::at_most, 2), 2.0) == Verdict::pass);
  CHECK(verdict_of(number_test(Compare::at_most, 2), beyond) == Verdict::fail);
  CHECK(verdict_of(number_test(Compare::at_least, beyond), beyond) == Verdict::pass);
  CHECK(verdict_of(number_test(Compare::at_least, beyond), 2.0) == Verdict::fail);
  CHECK(verdict_of(number_test(Compare::equals, 2), 2) == Verdict::pass);
  CHECK(verdict_of(number_test(Compare::equals, 2), beyond) == Verdict::fail);
}

TEST_CASE("what is not a finite number fails against a number") {
  for (const auto& measured :
       {Json(), Json("nan"), Json("0"), Json(true), Json::array({0}), Json::object(),
        Json(std::numeric_limits<double>::quiet_NaN()), Json(-std::numeric_limits<double>::infinity())}) {
    INFO(measured.dump());
    const auto judged = judge(number_test(Compare::at_most, 2), Json({{"measured", measured}}));
    CHECK(judged.verdict == Verdict::fail);
    CHECK(judged.reason == "the measured value is not a finite number");
  }
}

TEST_CASE("an answer without a measured value fails") {
  CHECK(judge(number_test(Compare::at_most, 2), Json::object()).verdict == Verdict::fail);
}

TEST_CASE("a text must be the same, and a number is not one") {
  const Test test{"boot.init", Level::boot, Program::boot, "name of process 1", Compare::equals, "tini", "", 1, {}};
  CHECK(verdict_of(test, "tini") == Verdict::pass);
  CHECK(verdict_of(test, 0) == Verdict::fail);
  const auto judged = judge(test, Json({{"measured", "sh"}}));
  CHECK(judged.verdict == Verdict::fail);
  CHECK(judged.reason == "name of process 1 is sh, not tini");
}

TEST_CASE("the reason of a broken limit names what, how much and the limit") {
  const auto judged = judge(number_test(Compare::at_least, 1), Json({{"measured", 0.25}}));
  CHECK(judged.reason == "error: 0.25, must be at least 1.0");
}

TEST_CASE("a failure is a failure whatever is measured beside it, and says whose fault") {
  const auto judged =
      judge(number_test(Compare::at_most, 2), Json({{"measured", 0}, {"failure", "no driver"}, {"fault", "host"}}));
  CHECK(judged.verdict == Verdict::fail);
  CHECK(judged.reason == "no driver");
  CHECK(judged.fault == "host");
  CHECK(judge(number_test(Compare::at_most, 2), Json({{"failure", 7}})).reason == "failed without a reason");
}

TEST_CASE("a warning is a pass with a reason, and does not save a broken limit") {
  const auto kept = judge(number_test(Compare::at_most, 2), Json({{"measured", 1}, {"warning", "old driver"}}));
  CHECK(kept.verdict == Verdict::warn);
  CHECK(kept.reason == "old driver");
  const auto broken = judge(number_test(Compare::at_most, 2), Json({{"measured", 3}, {"warning", "old driver"}}));
  CHECK(broken.verdict == Verdict::fail);
}

TEST_CASE("a level is reached when every planned test of it and of those below passed") {
  const std::vector<Test> tests{result("boot.a", Level::boot, Verdict::pass).test,
                                result("cpu.a", Level::cpu, Verdict::pass).test,
                                result("cpu.b", Level::cpu, Verdict::pass).test};
  const auto boot = result("boot.a", Level::boot, Verdict::pass);
  const auto first = result("cpu.a", Level::cpu, Verdict::pass);

  CHECK(level_reached(tests, {boot, first, result("cpu.b", Level::cpu, Verdict::pass)}) == Level::cpu);
  CHECK(level_reached(tests, {boot, first, result("cpu.b", Level::cpu, Verdict::warn)}) == Level::cpu);
  CHECK(level_reached(tests, {boot, first, result("cpu.b", Level::cpu, Verdict::skip)}) == Level::boot);
  CHECK(level_reached(tests, {boot, first, result("cpu.b", Level::cpu, Verdict::fail)}) == Level::boot);
  CHECK(level_reached(tests, {boot, first}) == Level::boot);  // one planned test was not run
  CHECK(level_reached(tests, {first, result("cpu.b", Level::cpu, Verdict::pass)}) == std::nullopt);
}

TEST_CASE("a level without planned tests is not reached") {
  const auto boot = result("boot.a", Level::boot, Verdict::pass);
  CHECK(level_reached({boot.test}, {boot}) == Level::boot);
  CHECK(level_reached({}, {}) == std::nullopt);
}
