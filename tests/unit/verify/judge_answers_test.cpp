// What the image answers is believed only when it is complete: every case here is an answer that a broken or a
// lying image could give, and none of them may raise a level.

#include "proof/verify/in_image.hpp"
#include "support/gpu_report.hpp"
#include "support/must.hpp"

#include <functional>

using namespace torchkiln;
using namespace torchkiln::verify;
using document::Json;
using report::Level;
using report::TestVerdict;

namespace {

const std::string k_nonce = "0123456789abcdef";

std::vector<verifier::Test> plan() {
  using verifier::Compare;
  const auto test = [](const char* id, verifier::Level level, Compare compare, verifier::Value limit) {
    return verifier::Test{id, level, verifier::Program::boot, "", compare, std::move(limit), "", 1, {}};
  };
  return {test("boot.tini", verifier::Level::boot, Compare::equals, "tini"),
          test("cpu.train", verifier::Level::cpu, Compare::at_least, 1.5),
          test("gpu.train", verifier::Level::gpu, Compare::at_most, 1e-3)};
}

/// The plan as an honest verifier lists it.
Json list() {
  return {{"schema", "torchkiln.verifier-plan/1"},
          {"tests",
           Json::array({{{"id", "boot.tini"}, {"level", "boot"}, {"compare", "equals"}, {"limit", "tini"}},
                        {{"id", "cpu.train"}, {"level", "cpu"}, {"compare", "at least"}, {"limit", 1.5}},
                        {{"id", "gpu.train"}, {"level", "gpu"}, {"compare", "at most"}, {"limit", 1e-3}}})}};
}

Json one(const std::string& id, const std::string& level, const Json& measured) {
  return {{"id", id}, {"level", level}, {"verdict", "pass"}, {"measured", measured}, {"seconds", 0.25}};
}

Json answer() {
  return {{"schema", "torchkiln.verifier/1"},
          {"nonce", k_nonce},
          {"versions", {{"torch", "2.8.0+cu128"}, {"driver", nullptr}}},
          {"host", {{"driver", nullptr}, {"gpus", Json::array()}}},
          {"tests", Json::array({one("boot.tini", "boot", "tini"), one("cpu.train", "cpu", 1.75)})}};
}

InImageResult judge(const std::function<void(Json&)>& change, Level level = Level::cpu) {
  auto changed = answer();
  change(changed);
  return judge_answers(plan(), changed.dump(), level, k_nonce);
}

Level level_of(InImageResult result) {
  report::TestOutcome files;
  files.id = "static.files";
  files.level = Level::static_;
  files.verdict = TestVerdict::pass;
  result.tests.insert(result.tests.begin(), files);
  return report::level_borne_out(result.tests);
}

/// The reason of the only test that such an answer leaves.
std::string only_failure(const InImageResult& result) {
  REQUIRE(result.tests.size() == 1);
  CHECK(result.tests[0].id == "boot.verifier");
  CHECK(result.tests[0].verdict == TestVerdict::fail);
  CHECK(level_of(result) == Level::static_);
  return result.tests[0].reason;
}

}  // namespace

TEST_CASE("a complete answer bears out its level") {
  const auto result = judge([](Json&) {});
  CHECK(level_of(result) == Level::cpu);
  CHECK(result.tests.size() == 2);
  CHECK(result.tests[0].duration_s == 0.25);
  CHECK(result.versions == std::map<std::string, std::string>{{"torch", "2.8.0+cu128"}});
  CHECK(result.host.driver.empty());
}

TEST_CASE("a GPU that is reported is taken over") {
  const auto result = judge(
      [](Json& a) {
        a["host"] = {{"driver", "570.133.20"},
                     {"gpus", Json::array({{{"name", "NVIDIA H200"},
                                            {"uuid_sha256", base::Digest::of("uuid").hex()},
                                            {"compute_capability", "9.0"}}})}};
        a["tests"].push_back(one("gpu.train", "gpu", 1e-4));
      },
      Level::gpu);
  CHECK(level_of(result) == Level::gpu);
  CHECK(result.host.driver == "570.133.20");
  REQUIRE(result.host.gpus.size() == 1);
  CHECK(result.host.gpus[0].compute_capability == "9.0");
}

TEST_CASE("a planned test that was not run has failed") {
  const auto result = judge([](Json& a) { a["tests"].erase(1); });
  REQUIRE(result.tests.size() == 2);
  CHECK(result.tests[1].verdict == TestVerdict::fail);
  CHECK(result.tests[1].reason == "planned, but not run");
  CHECK(level_of(result) == Level::boot);
  // Asked for the level gpu, an answer without its test does not reach it.
  CHECK(level_of(judge([](Json&) {}, Level::gpu)) == Level::cpu);
}

TEST_CASE("a skipped test is not passed, and has a reason") {
  const auto result = judge([](Json& a) { a["tests"][1]["verdict"] = "skip"; });
  CHECK(result.tests[1].reason == "no reason given");
  CHECK(level_of(result) == Level::boot);
}

TEST_CASE("an answer to another question is none") {
  CHECK_THAT(only_failure(judge([](Json& a) { a["nonce"] = "ffff456789abcdef"; })),
             Catch::Matchers::Contains("nonce is not the one that was asked with"));
  CHECK_THAT(only_failure(judge([](Json& a) { a.erase("nonce"); })), Catch::Matchers::Contains("\"nonce\""));
  CHECK_THAT(only_failure(judge([](Json& a) { a["schema"] = "torchkiln.verifier/2"; })),
             Catch::Matchers::Contains("not 'torchkiln.verifier/1'"));
}

TEST_CASE("a test that was not planned, comes twice or changed its level spoils the answer") {
  CHECK_THAT(only_failure(judge([](Json& a) { a["tests"].push_back(one("more", "cpu", 1)); })),
             Catch::Matchers::Contains("'more', which is not in the plan"));
  // Nor may a level that was not asked for be reached.
  CHECK_THAT(only_failure(judge([](Json& a) { a["tests"].push_back(one("gpu.train", "gpu", 1e-4)); })),
             Catch::Matchers::Contains("not in the plan"));
  CHECK_THAT(only_failure(judge([](Json& a) { a["tests"].push_back(one("cpu.train", "cpu", 1.75)); })),
             Catch::Matchers::Contains("tells of 'cpu.train' a second time"));
  CHECK_THAT(only_failure(judge([](Json& a) { a["tests"][1]["level"] = "boot"; })),
             Catch::Matchers::Contains("moved 'cpu.train' to another level"));
}

TEST_CASE("words that are not known are not guessed") {
  CHECK_THAT(only_failure(judge([](Json& a) { a["tests"][1]["verdict"] = "passed"; })),
             Catch::Matchers::Contains("is no verdict"));
  CHECK_THAT(only_failure(judge([](Json& a) { a["tests"][1]["level"] = "verified"; })),
             Catch::Matchers::Contains("is no level"));
  CHECK_THAT(only_failure(judge([](Json& a) { a["tests"] = "all passed"; })), Catch::Matchers::Contains("tests"));
}

TEST_CASE("what is no JSON, or ends early, is a failed test") {
  const auto whole = answer().dump();
  for (const auto& text : {std::string(), std::string("Killed\n"), whole.substr(0, whole.size() / 2), whole + whole,
                           std::string("\xff\xfe{}"), std::string(100'000, '[')})
    only_failure(judge_answers(plan(), text, Level::cpu, k_nonce));
}

TEST_CASE("a pass whose measured value does not keep the plan's limit is none") {
  const std::pair<int, Json> wrong[] = {{1, 1.25}, {1, nullptr}, {1, "1.75"}, {0, "bash"}, {0, 1}};
  for (const auto& [index, measured] : wrong)
    CHECK_THAT(only_failure(judge([&, i = index, &m = measured](Json& a) { a["tests"][i]["measured"] = m; })),
               Catch::Matchers::Contains("passes '"));
  // The limit that is told is the plan's, whatever the image says.
  CHECK(judge([](Json& a) { a["tests"][1]["limit"] = 0.5; }).tests[1].limit == 1.5);
  // A failed test may have measured anything.
  const auto failed = judge([](Json& a) {
    a["tests"][1]["verdict"] = "fail";
    a["tests"][1].erase("measured");
  });
  CHECK(failed.tests[1].verdict == TestVerdict::fail);
}

TEST_CASE("an image cannot choose its own tests") {
  const auto difference = [](const std::function<void(Json&)>& change, Level level = Level::cpu) {
    auto changed = list();
    change(changed["tests"]);
    return plan_difference(changed.dump(), plan(), level);
  };
  CHECK(difference([](Json&) {}).empty());
  CHECK(difference([](Json&) {}, Level::gpu).empty());
  CHECK(difference([](Json& t) { t.erase(1); }) == "it has no test 'cpu.train'");
  CHECK(difference([](Json& t) { t.erase(2); }).empty());  // not asked for
  CHECK(difference([](Json& t) { t.erase(2); }, Level::gpu) == "it has no test 'gpu.train'");
  CHECK(difference([](Json& t) { t.push_back({{"id", "cpu.more"}, {"level", "cpu"}}); }) == "it has a test 'cpu.more'");
  for (const auto* key : {"level", "compare", "limit"})
    CHECK(difference([&](Json& t) { t[1][key] = key == std::string("level") ? "boot" : "0.1"; }) ==
          "its test 'cpu.train' has another level or limit");
  CHECK(difference([](Json& t) { t[1]["limit"] = 0.1; }) == "its test 'cpu.train' has another level or limit");
  CHECK(difference([](Json& t) { t[1].erase("limit"); }) == "its test 'cpu.train' has another level or limit");
  CHECK_THAT(difference([](Json& t) { t.push_back(t[0]); }), Catch::Matchers::Contains("a second time"));
  CHECK_THAT(difference([](Json& t) { t = "all of them"; }), Catch::Matchers::Contains("tests"));
  CHECK_FALSE(plan_difference("", plan(), Level::cpu).empty());
}

TEST_CASE("the plan that images are held against is the verifier's own") {
  const auto own = verifier::plan();
  CHECK(own.size() > 80);
  std::size_t of_level[4] = {};
  for (const auto& test : own) ++of_level[static_cast<int>(test.level)];
  for (const auto count : of_level) CHECK(count > 5);
}

TEST_CASE("the image's own configuration says how it is run, apart from root and the network") {
  oci::ImageConfig config;
  config.execution.entrypoint = {"/usr/bin/tini", "--"};
  config.execution.environment = {"PATH=/opt/kiln/bin:/usr/bin", "EMPTY=", "WITH=equals=sign"};
  config.execution.user = "1000:1001";
  config.execution.working_directory = "/home/kiln";
  const auto request = request_for(config, {"torchkiln-verify"});
  CHECK(request.arguments == std::vector<std::string>{"/usr/bin/tini", "--", "torchkiln-verify"});
  CHECK(request.environment.at("PATH") == "/opt/kiln/bin:/usr/bin");
  CHECK(request.environment.at("EMPTY").empty());
  CHECK(request.environment.at("WITH") == "equals=sign");
  CHECK(request.uid == 1000);
  CHECK(request.gid == 1001);
  CHECK(request.directory == "/home/kiln");
  CHECK(request.root == runtime::RootAccess::read_only);
  CHECK(request.network == runtime::Network::none);
}
