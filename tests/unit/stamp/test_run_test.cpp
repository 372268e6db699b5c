#include "proof/stamp/test_run.hpp"

#include "stamp_fixture.hpp"

using namespace torchkiln;
using namespace torchkiln::stamp;
using namespace torchkiln::stamp::test;

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

TEST_CASE("a report becomes a statement of test-result v0.1") {
  const auto report = gpu_report(k_image);
  const auto statement = Json::parse(must(to_statement(run_of(report))));
  CHECK(statement["_type"] == "https://in-toto.io/Statement/v1");
  CHECK(statement["predicateType"] == "https://in-toto.io/attestation/test-result/v0.1");
  CHECK(statement["subject"] ==
        Json::array({{{"name", "team/pytorch:t"}, {"digest", {{"sha256", k_image.hex()}}}}}));
  CHECK(statement.size() == 4);
  const auto& predicate = statement["predicate"];
  CHECK(predicate["result"] == "PASSED");
  CHECK(predicate["passedTests"] == Json::array({"files", "import", "train.cpp", "train.cuda"}));
  CHECK(predicate["failedTests"] == Json::array());
  CHECK(predicate["configuration"][0] ==
        Json({{"name", "kiln.lock"}, {"digest", {{"sha256", base::Digest::of("lock").hex()}}}}));
  CHECK(predicate["torchkiln_level"] == Json({{"asked", "gpu"}, {"reached", "gpu"}}));
  CHECK(predicate["torchkiln_environment"]["gpu"][0]["cc"] == "9.0");
  CHECK(predicate["torchkiln_results"][3] == Json({{"id", "train.cuda"},
                                                   {"level", "gpu"},
                                                   {"verdict", "pass"},
                                                   {"value", 0.00041},
                                                   {"limit", 0.001},
                                                   {"ms", 812}}));
  CHECK(predicate["torchkiln_resultsDigest"] == base::Digest::of(report.dump()).to_string());
}

TEST_CASE("a statement that is read says what the report said") {
  auto report = gpu_report(k_image);
  report["tests"].push_back(a_test("warm", "gpu", "warn"));
  const auto bytes = must(to_statement(run_of(report)));
  const auto run = must(parse_statement(bytes, "statement"));
  CHECK(run.image == k_image);
  CHECK(run.lock == base::Digest::of("lock"));
  CHECK(run.host.gpus.front().name == "NVIDIA H200");
  CHECK(run.reached == Level::gpu);
  CHECK(run.finished_s == k_finished_s);
  CHECK(run.tests.back().reason == "because");
  CHECK(result_of(run) == RunResult::warned);
  CHECK(must(to_statement(run)) == bytes);
}

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
  const auto again = must(parse_statement(must(to_statement(run)), "statement"));
  CHECK_FALSE(again.lock);
  CHECK(again.host.gpus.empty());
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
