#include "proof/report/test_run.hpp"

#include "support/gpu_report.hpp"
#include "support/must.hpp"

using namespace torchkiln;
using namespace torchkiln::report;
using namespace torchkiln::report::test;
using torchkiln::test::must;

namespace {

const base::Digest k_image = base::Digest::of("image");

TestRun run_of(const Json& report) {
  return must(parse_report(report.dump(), "report.json"));
}
std::string complaint(const Json& report) {
  const auto run = parse_report(report.dump(), "report.json");
  REQUIRE_FALSE(run);
  CHECK(run.error().where->file == "report.json");
  return run.error().message;
}
/// The report after one change.
Json changed(const std::function<void(Json&)>& change) {
  auto report = gpu_report(k_image);
  change(report);
  return report;
}

}  // namespace

TEST_CASE("a run has passed only if the asked level was reached and nothing failed") {
  const auto result = [](const std::function<void(Json&)>& change) { return result_of(run_of(changed(change))); };
  CHECK(result([](Json&) {}) == RunResult::passed);
  CHECK(result([](Json& r) { r["level_asked"] = "multi-gpu"; }) == RunResult::failed);
  CHECK(result([](Json& r) { r["level_asked"] = "cpu"; }) == RunResult::passed);
  CHECK(result([](Json& r) { r["tests"][3] = a_test("train.cuda", "gpu", "warn"); }) == RunResult::warned);
  CHECK(result([](Json& r) {
          r["tests"][3] = a_test("train.cuda", "gpu", "fail");
          r["level_reached"] = "cpu";
        }) == RunResult::failed);
  CHECK(result([](Json& r) { r["level_asked"] = r["level_reached"] = "none"; }) == RunResult::failed);
}

TEST_CASE("a level that the tests do not bear out is refused") {
  CHECK(complaint(changed([](Json& r) { r["level_reached"] = "multi-gpu"; })) ==
        "the document claims the level multi-gpu, its tests bear out gpu");
  CHECK(complaint(changed([](Json& r) { r["tests"].erase(3); })) ==
        "the document claims the level gpu, its tests bear out cpu");
  CHECK(complaint(changed([](Json& r) { r["tests"][0] = a_test("files", "static", "fail"); })) ==
        "the document claims the level gpu, its tests bear out none");
  // A skipped test is never a pass.
  CHECK(complaint(changed([](Json& r) { r["tests"][3] = a_test("train.cuda", "gpu", "skip"); })) ==
        "the document claims the level gpu, its tests bear out cpu");
  CHECK(complaint(changed([](Json& r) { r["tests"].push_back(a_test("nccl", "gpu", "skip")); })) ==
        "the document claims the level gpu, its tests bear out cpu");
}

TEST_CASE("a level of GPUs needs a GPU and a driver") {
  CHECK(complaint(changed([](Json& r) { r["host"]["gpus"] = Json::array(); })) ==
        "the document claims the level gpu without a GPU and its driver");
  CHECK(complaint(changed([](Json& r) { r["host"].erase("driver"); })) ==
        "the document claims the level gpu without a GPU and its driver");
}

TEST_CASE("a report that lacks something, or contradicts itself, says what") {
  CHECK(complaint(changed([](Json& r) { r["schema"] = "torchkiln.report/2"; })) ==
        "schema is \"torchkiln.report/2\", not \"torchkiln.report/1\"");
  CHECK(complaint(changed([](Json& r) { r.erase("nonce"); })) == "the document lacks \"nonce\"");
  CHECK(complaint(changed([](Json& r) { r["nonce"] = ""; })) == "nonce is empty");
  CHECK(complaint(changed([](Json& r) { r["tests"] = Json::array(); })) == "tests is empty");
  CHECK(complaint(changed([](Json& r) { r["tests"][1]["id"] = "files"; })) ==
        "the document has the test \"files\" twice");
  CHECK(complaint(changed([](Json& r) { r["finished"] = "2026-03-01T09:00:00Z"; })) ==
        "the document ends before it starts");
  CHECK(complaint(changed([](Json& r) { r["started"] = "today"; })) ==
        "started is \"today\", no RFC 3339 time in UTC");
  CHECK(complaint(changed([](Json& r) { r["level_asked"] = "verified"; })) ==
        "level_asked is \"verified\", none of none, static, boot, cpu, gpu, multi-gpu");
  CHECK(complaint(changed([](Json& r) { r["tests"][0]["verdict"] = "ok"; })) ==
        "tests[0].verdict is \"ok\", none of pass, warn, fail, skip");
  CHECK(complaint(changed([](Json& r) { r["tests"][0]["measured"] = Json::object(); })) ==
        "tests[0].measured is neither a number nor a text");
  CHECK(complaint(changed([](Json& r) {
          r["tests"].push_back(a_test("x", "gpu", "skip"));
          r["tests"][4]["reason"] = "";
        })) == "tests[4] is skipped without a reason");
  CHECK(complaint(changed([](Json& r) { r["host"]["cpu"] = "\x1b[2J"; })) == "host.cpu has a control character");
  CHECK(complaint(changed([](Json& r) { r["image"]["digest"] = k_image.hex(); })).starts_with("image.digest is "));
}

TEST_CASE("a run on a machine without a GPU needs no driver, and no lock") {
  const auto run = run_of(changed([](Json& r) {
    r["level_asked"] = r["level_reached"] = "cpu";
    r["host"]["gpus"] = nullptr;
    r["host"]["driver"] = nullptr;
    r["lock"] = nullptr;
    r["tests"].erase(3);
  }));
  CHECK(result_of(run) == RunResult::passed);
  CHECK_FALSE(run.lock);
  CHECK(run.host.gpus.empty());
  CHECK(run.host.driver.empty());
}

TEST_CASE("the number of tests has a limit, and the limit itself is allowed") {
  auto report = gpu_report(k_image);
  while (report["tests"].size() < k_test_limit)
    report["tests"].push_back(
        {{"id", "t" + std::to_string(report["tests"].size())}, {"level", "gpu"}, {"verdict", "pass"}});
  CHECK(run_of(report).tests.size() == k_test_limit);
  report["tests"].push_back({{"id", "one more"}, {"level", "gpu"}, {"verdict", "pass"}});
  CHECK(complaint(report) == "tests has more than 10000 entries");
}

TEST_CASE("what is written is read back to the same run, and written to the same bytes") {
  const auto report =
      GENERATE(changed([](Json&) {}), changed([](Json& r) { r.erase("lock"); }), changed([](Json& r) {
                 r["level_reached"] = "cpu";
                 r["tests"][3] = a_test("train.cuda", "gpu", "skip");
                 r["tests"][2]["measured"] = "a \"text\"\nof two lines";
               }));
  const auto run = run_of(report);
  const auto bytes = must(to_report(run));
  const auto again = must(parse_report(bytes, "report.json"));
  CHECK(must(to_report(again)) == bytes);
  CHECK(again.report == base::Digest::of(bytes));
  CHECK(nlohmann::json::parse(bytes) == nlohmann::json::parse(report.dump()));  // in any order of keys
}
