// A TestRun as the predicate of an in-toto statement, and back. Field names are those of test-result v0.1; what is
// our own begins with torchkiln_, as SLSA's extension rule asks.

#include "proof/stamp/statement.hpp"

#include "foundation/base/text.hpp"
#include "knowledge/version/cuda.hpp"
#include "proof/report/run_reader.hpp"
#include "proof/report/statement.hpp"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <set>

namespace torchkiln::stamp {

using namespace report;

using base::Result;
using document::Json;
using document::JsonValue;

namespace {

constexpr std::string_view k_lock_name = "kiln.lock";
constexpr std::string_view k_suite_name = "verification-suite";
/// Who says it, and by what. Names; nothing is fetched there.
constexpr std::string_view k_verifier_id = "https://torchkiln.dev/verifier/v1";
constexpr std::string_view k_suite_uri = "https://torchkiln.dev/verification-suite/v1";

Json resource(std::string_view resource_name, const base::Digest& digest) {
  return {{"name", resource_name}, {"digest", {{"sha256", digest.hex()}}}};
}

Json ids_with(const TestRun& run, TestVerdict wanted) {
  Json ids = Json::array();
  for (const auto& test : run.tests)
    if (test.verdict == wanted) ids.push_back(test.id);
  return ids;
}

Json to_json(const HostFacts& host) {
  Json all_gpus = Json::array();
  for (const auto& gpu : host.gpus)
    all_gpus.push_back({{"name", gpu.name}, {"uuid_sha256", gpu.uuid_sha256}, {"cc", gpu.compute_capability}});
  return {{"gpu", std::move(all_gpus)},        {"driver", host.driver}, {"kernel", host.kernel},
          {"architecture", host.architecture}, {"cpu", host.cpu},       {"runtime", host.runtime}};
}

Json to_json(const TestOutcome& test) {
  Json json = {{"id", test.id}, {"level", name(test.level)}, {"verdict", name(test.verdict)}};
  if (!test.measured.is_null()) json["value"] = Json(test.measured);
  if (!test.limit.is_null()) json["limit"] = Json(test.limit);
  json["ms"] = std::llround(test.duration_s * 1000);
  if (!test.reason.empty()) json["reason"] = test.reason;
  return json;
}

/// The one digest of a resource; in-toto allows several algorithms, only SHA-256 counts here.
Result<base::Digest> read_resource_digest(const JsonValue& value) {
  TK_TRY(const auto digests, value.member("digest"));
  TK_TRY(const auto sha256, digests.member("sha256"));
  TK_TRY(const auto text, sha256.text());
  const auto digest = base::Digest::parse(text);
  if (!digest || text.starts_with("sha256:")) return sha256.wrong("is \"" + text + "\", not 64 hex digits");
  return *digest;
}

Result<void> read_subject(const JsonValue& statement, TestRun& run) {
  TK_TRY(const auto subjects, statement.member("subject"));
  TK_TRY(const auto items, subjects.items());
  if (items.size() != 1) return subjects.wrong("has " + std::to_string(items.size()) + " entries, not one");
  TK_TRY(run.image_name, plain_or_empty(items.front(), "name"));
  TK_TRY(run.image, read_resource_digest(items.front()));
  return {};
}

Result<void> read_configuration(const JsonValue& predicate, TestRun& run) {
  TK_TRY(const auto configuration, predicate.member("configuration"));
  TK_TRY(const auto items, configuration.items());
  for (const auto& item : items) {
    TK_TRY(const auto item_name, plain_or_empty(item, "name"));
    if (item_name == k_lock_name) {
      TK_TRY(run.lock, read_resource_digest(item));
    } else if (item_name == k_suite_name) {
      TK_TRY(run.suite, read_resource_digest(item));
    }
  }
  if (run.suite.is_none()) return configuration.wrong("does not name the " + std::string(k_suite_name));
  return {};
}

Result<HostFacts> read_environment(const JsonValue& value) {
  HostFacts host;
  TK_TRY(host.gpus, gpus(value, "gpu", "cc"));
  TK_TRY(host.driver, plain_or_empty(value, "driver"));
  TK_TRY(host.kernel, plain_or_empty(value, "kernel"));
  TK_TRY(host.architecture, plain_or_empty(value, "architecture"));
  TK_TRY(host.cpu, plain_or_empty(value, "cpu"));
  TK_TRY(host.runtime, plain_or_empty(value, "runtime"));
  return host;
}

Result<TestOutcome> read_outcome(const JsonValue& value) {
  TestOutcome test;
  TK_TRY(test.id, plain(value, "id"));
  TK_TRY(test.level, level(value, "level"));
  TK_TRY(test.verdict, verdict(value));
  TK_TRY(test.reason, value.text_or_empty("reason"));
  TK_TRY(test.measured, scalar(value, "value"));
  TK_TRY(test.limit, scalar(value, "limit"));
  TK_TRY(const auto duration, value.member("ms"));
  TK_TRY(const auto duration_ms, duration.number());
  test.duration_s = duration_ms / 1000;
  return test;
}

/// What test-result v0.1 says in its own fields must be what our fields say: other programs read only those.
Result<void> expect_agreement(const JsonValue& predicate, const TestRun& run) {
  TK_TRY(const auto result, predicate.member("result"));
  TK_TRY(const auto result_text, result.text());
  if (result_text != name(result_of(run)))
    return result.wrong("is \"" + result_text + "\", the tests say " + std::string(name(result_of(run))));
  const std::pair<const char*, TestVerdict> lists[] = {{"passedTests", TestVerdict::pass},
                                                       {"warnedTests", TestVerdict::warn},
                                                       {"failedTests", TestVerdict::fail},
                                                       {"torchkiln_skippedTests", TestVerdict::skip}};
  for (const auto& [key, wanted] : lists) {
    TK_TRY(const auto list, predicate.member(key));
    TK_TRY(const auto ids, list.texts());
    if (Json(ids) != ids_with(run, wanted)) return list.wrong("is not what torchkiln_results say");
  }
  return {};
}

Result<TestRun> read_predicate(const JsonValue& predicate) {
  TestRun run;
  TK_CHECK(read_configuration(predicate, run));
  TK_TRY(const auto levels, predicate.member("torchkiln_level"));
  TK_TRY(run.asked, level(levels, "asked"));
  TK_TRY(run.reached, level(levels, "reached"));
  TK_TRY(const auto environment, predicate.member("torchkiln_environment"));
  TK_TRY(run.host, read_environment(environment));
  TK_TRY(run.versions, predicate.text_map_or_empty("torchkiln_versions"));
  TK_TRY(run.nonce, plain(predicate, "torchkiln_nonce"));
  TK_TRY(run.started_s, time_s(predicate, "torchkiln_startedOn"));
  TK_TRY(run.finished_s, time_s(predicate, "torchkiln_finishedOn"));
  TK_TRY(const auto report, predicate.member("torchkiln_resultsDigest"));
  TK_TRY(run.report, report.digest());
  TK_TRY(const auto results, predicate.member("torchkiln_results"));
  TK_TRY(const auto items, results.items());
  if (items.empty()) return results.wrong("is empty");
  if (items.size() > k_test_limit)
    return results.wrong("has more than " + std::to_string(k_test_limit) + " entries");
  for (const auto& item : items) {
    TK_TRY(auto test, read_outcome(item));
    run.tests.push_back(std::move(test));
  }
  TK_CHECK(expect_agreement(predicate, run));
  return run;
}

/// "TORCHKILN_GPU", "TORCHKILN_SM_90": a summary's own levels. Those that SLSA defines begin with SLSA_.
std::string summary_level(std::string text) {
  for (auto& letter : text)
    letter = letter == '-' || letter == '.' ? '_' : static_cast<char>(std::toupper(static_cast<unsigned char>(letter)));
  return "TORCHKILN_" + text;
}

}  // namespace

Result<std::string> to_statement(const TestRun& run, std::optional<std::int64_t> valid_until_s) {
  Json configuration = Json::array();
  if (run.lock) configuration.push_back(resource(k_lock_name, *run.lock));
  configuration.push_back(resource(k_suite_name, run.suite));
  Json results = Json::array();
  for (const auto& test : run.tests) results.push_back(to_json(test));
  Json predicate = {{"result", name(result_of(run))},
                    {"configuration", std::move(configuration)},
                    {"passedTests", ids_with(run, TestVerdict::pass)},
                    {"warnedTests", ids_with(run, TestVerdict::warn)},
                    {"failedTests", ids_with(run, TestVerdict::fail)},
                    {"torchkiln_skippedTests", ids_with(run, TestVerdict::skip)},
                    {"torchkiln_level", {{"asked", name(run.asked)}, {"reached", name(run.reached)}}},
                    {"torchkiln_environment", to_json(run.host)},
                    {"torchkiln_versions", run.versions},
                    {"torchkiln_results", std::move(results)},
                    {"torchkiln_startedOn", base::format_time(run.started_s)},
                    {"torchkiln_finishedOn", base::format_time(run.finished_s)},
                    {"torchkiln_nonce", run.nonce},
                    {"torchkiln_resultsDigest", run.report.to_string()}};
  if (valid_until_s) predicate["torchkiln_validUntil"] = base::format_time(*valid_until_s);
  return statement_about(run.image_name, run.image, k_test_result_type, std::move(predicate));
}

Result<std::string> to_summary(const TestRun& run) {
  const bool has_passed = result_of(run) != RunResult::failed;
  Json levels = Json::array();
  if (has_passed) {
    for (const auto each : k_levels)
      if (each <= run.reached) levels.push_back(summary_level(std::string(name(each))));
    if (is_verified(run)) {
      std::set<std::string> capabilities;
      for (const auto& gpu : run.host.gpus)
        if (const auto capability = version::ComputeCapability::parse(gpu.compute_capability))
          capabilities.insert(summary_level(capability->sm()));
      for (const auto& capability : capabilities) levels.push_back(capability);
    }
  }
  return statement_about(run.image_name, run.image, k_summary_type,
               {{"verifier", {{"id", k_verifier_id}}},
                {"timeVerified", base::format_time(run.finished_s)},
                {"resourceUri", (run.image_name.empty() ? "" : run.image_name + "@") + run.image.to_string()},
                {"policy", {{"uri", k_suite_uri}, {"digest", {{"sha256", run.suite.hex()}}}}},
                {"verificationResult", has_passed ? "PASSED" : "FAILED"},
                {"verifiedLevels", std::move(levels)},
                {"slsaVersion", "1.0"}});
}

Result<TestResult> parse_statement(std::string_view bytes, const std::string& file) {
  TK_TRY(const auto document, JsonValue::parse(bytes, file, {.size_bytes = 3U << 20, .depth = 12}));
  TK_CHECK(document.has_only({"_type", "subject", "predicateType", "predicate"}));
  TK_TRY(const auto type, document.member("_type"));
  TK_TRY(const auto type_text, type.text());
  if (type_text != k_statement_type)
    return type.wrong("is \"" + type_text + "\", not \"" + std::string(k_statement_type) + "\"");
  TK_TRY(const auto predicate_type, document.member("predicateType"));
  TK_TRY(const auto predicate_type_text, predicate_type.text());
  if (predicate_type_text != k_test_result_type)
    return predicate_type.wrong("is \"" + predicate_type_text + "\", not \"" + std::string(k_test_result_type) +
                                "\"");
  TK_TRY(const auto predicate, document.member("predicate"));
  TestResult result;
  TK_TRY(result.run, read_predicate(predicate));
  TK_CHECK(read_subject(document, result.run));
  TK_CHECK(check_run(result.run, document));
  TK_TRY(const auto valid_until, predicate.find("torchkiln_validUntil"));
  if (valid_until) {
    TK_TRY(result.valid_until_s, time_s(predicate, "torchkiln_validUntil"));
  }
  return result;
}

}  // namespace torchkiln::stamp
