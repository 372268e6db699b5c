#include "proof/stamp/statement.hpp"

#include "stamp_fixture.hpp"

using namespace torchkiln;
using namespace torchkiln::report;
using namespace torchkiln::stamp;
using namespace torchkiln::stamp::test;

namespace {

const base::Digest k_image = base::Digest::of("image");

TestRun run_of(const Json& report) {
  return must(parse_report(report.dump(), "report.json"));
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
  const auto run = must(parse_statement(bytes, "statement")).run;
  CHECK(run.image == k_image);
  CHECK(run.lock == base::Digest::of("lock"));
  CHECK(run.host.gpus.front().name == "NVIDIA H200");
  CHECK(run.reached == Level::gpu);
  CHECK(run.finished_s == k_finished_s);
  CHECK(run.tests.back().reason == "because");
  CHECK(result_of(run) == RunResult::warned);
  CHECK(must(to_statement(run)) == bytes);
}

TEST_CASE("a statement of a run without a GPU and without a lock says so") {
  auto report = gpu_report(k_image);
  report["level_asked"] = report["level_reached"] = "cpu";
  report["host"]["gpus"] = nullptr;
  report["host"]["driver"] = nullptr;
  report["lock"] = nullptr;
  report["tests"].erase(3);
  const auto run = must(parse_statement(must(to_statement(run_of(report))), "statement")).run;
  CHECK_FALSE(run.lock);
  CHECK(run.host.gpus.empty());
}

TEST_CASE("a statement may have an end, and keeps it") {
  const auto run = run_of(gpu_report(k_image));
  const auto bytes = must(to_statement(run, k_finished_s + 86'400));
  CHECK(Json::parse(bytes)["predicate"]["torchkiln_validUntil"] == "2026-03-02T10:05:00Z");
  CHECK(must(parse_statement(bytes, "statement")).valid_until_s == k_finished_s + 86'400);
  CHECK_FALSE(must(parse_statement(must(to_statement(run)), "statement")).valid_until_s);
  auto statement = Json::parse(bytes);
  statement["predicate"]["torchkiln_validUntil"] = "next year";
  CHECK_FALSE(parse_statement(statement.dump(), "statement"));
}

TEST_CASE("a summary says levels and GPUs in SLSA's words, and nothing but FAILED of a failed run") {
  auto report = gpu_report(k_image);
  const auto summary = Json::parse(must(to_summary(run_of(report))));
  CHECK(summary["predicateType"] == "https://slsa.dev/verification_summary/v1");
  CHECK(summary["subject"][0]["digest"]["sha256"] == k_image.hex());
  const auto& predicate = summary["predicate"];
  CHECK(predicate["verificationResult"] == "PASSED");
  CHECK(predicate["timeVerified"] == "2026-03-01T10:05:00Z");
  CHECK(predicate["resourceUri"] == "team/pytorch:t@" + k_image.to_string());
  CHECK(predicate["policy"]["digest"]["sha256"] == base::Digest::of("suite").hex());
  CHECK(predicate["verifiedLevels"] ==
        Json::array({"TORCHKILN_STATIC", "TORCHKILN_BOOT", "TORCHKILN_CPU", "TORCHKILN_GPU", "TORCHKILN_SM_90"}));

  report["level_reached"] = "cpu";
  report["tests"][3] = a_test("train.cuda", "gpu", "fail");
  const auto failed = Json::parse(must(to_summary(run_of(report))))["predicate"];
  CHECK(failed["verificationResult"] == "FAILED");
  CHECK(failed["verifiedLevels"].empty());
}
