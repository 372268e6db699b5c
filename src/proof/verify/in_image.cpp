#include "proof/verify/in_image.hpp"

#include "foundation/base/text.hpp"
#include "foundation/document/json.hpp"
#include "proof/report/run_reader.hpp"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

namespace torchkiln::verify {

using base::Result;
using document::JsonValue;
using report::Level;
using report::name;
using report::TestOutcome;
using report::TestVerdict;

namespace {

constexpr double k_list_timeout_s = 120;

TestOutcome failed(const std::string& id, Level level, std::string reason) {
  TestOutcome test;
  test.id = id;
  test.level = level;
  test.verdict = TestVerdict::fail;
  test.reason = std::move(reason);
  return test;
}

/// The plan's tests of levels up to this one.
std::vector<verifier::Test> tests_up_to(const std::vector<verifier::Test>& plan, Level level) {
  std::vector<verifier::Test> tests;
  for (const auto& test : plan)
    if (report::parse_level(verifier::name_of(test.level)).value() <= level) tests.push_back(test);
  return tests;
}

document::ParsedJson to_json(const verifier::Value& limit) {
  if (const auto* number = std::get_if<double>(&limit)) return *number;
  return std::get<std::string>(limit);
}

/// A test as the plan's document has it: what decides about a verdict.
struct ListedTest {
  std::string level, compare;
  document::ParsedJson limit;
  bool operator==(const ListedTest&) const = default;
};

Result<std::map<std::string, ListedTest>> read_list(const std::string& text, Level up_to) {
  TK_TRY(const auto document, JsonValue::parse(text, "the verifier's plan"));
  TK_TRY(const auto tests, document.member("tests"));
  TK_TRY(const auto items, tests.items());
  std::map<std::string, ListedTest> list;
  for (const auto& item : items) {
    TK_TRY(const auto id, item.member("id"));
    TK_TRY(const auto id_text, id.text());
    TK_TRY(const auto level, item.member("level"));
    ListedTest test;
    TK_TRY(test.level, level.text());
    const auto parsed = report::parse_level(test.level);
    if (!parsed) return level.wrong("is no level");
    TK_TRY(test.compare, item.text_or_empty("compare"));
    TK_TRY(const auto limit, item.find("limit"));
    if (limit) test.limit = limit->json();
    if (*parsed <= up_to && !list.emplace(id_text, std::move(test)).second)
      return id.wrong("is listed a second time");
  }
  return list;
}

/// Whether a measured value keeps the limit, as the verifier's own judge decides it.
bool keeps_limit(const document::ParsedJson& measured, const verifier::Test& test) {
  if (std::holds_alternative<std::string>(test.limit)) return measured == to_json(test.limit);
  return measured.is_number() && std::isfinite(measured.get<double>()) &&
         verifier::keeps_limit(test, measured.get<double>());
}

Result<TestOutcome> read_test(const JsonValue& item) {
  TestOutcome test;
  TK_TRY(const auto id, item.member("id"));
  TK_TRY(test.id, id.text());
  TK_TRY(const auto level, item.member("level"));
  TK_TRY(const auto level_text, level.text());
  const auto parsed_level = report::parse_level(level_text);
  if (!parsed_level) return level.wrong("is no level");
  test.level = *parsed_level;
  TK_TRY(const auto verdict, item.member("verdict"));
  TK_TRY(const auto verdict_text, verdict.text());
  const auto parsed_verdict = report::parse_verdict(verdict_text);
  if (!parsed_verdict) return verdict.wrong("is no verdict");
  test.verdict = *parsed_verdict;
  TK_TRY(test.reason, item.text_or_empty("reason"));
  if (test.verdict == TestVerdict::skip && test.reason.empty()) test.reason = "no reason given";
  TK_TRY(const auto measured, item.find("measured"));
  if (measured && (measured->json().is_number() || measured->json().is_string())) test.measured = measured->json();
  TK_TRY(const auto limit, item.find("limit"));
  if (limit && (limit->json().is_number() || limit->json().is_string())) test.limit = limit->json();
  TK_TRY(test.measures, item.text_or_empty("measures"));
  TK_TRY(test.compare, item.text_or_empty("compare"));
  TK_TRY(test.unit, item.text_or_empty("unit"));
  TK_TRY(test.fault, item.text_or_empty("fault"));
  TK_TRY(test.details, report::details(item));
  TK_TRY(const auto seconds, item.find("seconds"));
  if (seconds) {
    TK_TRY(test.duration_s, seconds->number());
  }
  return test;
}

/// Members that are texts; null and other types are left out.
Result<std::map<std::string, std::string>> read_versions(const JsonValue& document) {
  std::map<std::string, std::string> versions;
  TK_TRY(const auto object, document.find("versions"));
  if (!object) return versions;
  TK_TRY(const auto members, object->members());
  for (const auto& [key, value] : members)
    if (value.json().is_string()) versions[key] = value.json().get<std::string>();
  return versions;
}

Result<report::HostFacts> read_host(const JsonValue& document) {
  report::HostFacts host;
  TK_TRY(const auto object, document.find("host"));
  if (!object) return host;
  TK_TRY(const auto driver, object->find("driver"));
  if (driver && driver->json().is_string()) host.driver = driver->json().get<std::string>();
  TK_TRY(const auto gpus, object->find("gpus"));
  if (!gpus) return host;
  TK_TRY(const auto items, gpus->items());
  for (const auto& item : items) {
    report::GpuFacts gpu;
    TK_TRY(gpu.name, item.text_or_empty("name"));
    TK_TRY(gpu.uuid_sha256, item.text_or_empty("uuid_sha256"));
    TK_TRY(gpu.compute_capability, item.text_or_empty("compute_capability"));
    host.gpus.push_back(std::move(gpu));
  }
  return host;
}

Result<InImageResult> read_answers(const std::vector<verifier::Test>& plan, const std::string& report_text,
                                   const std::string& nonce) {
  InImageResult result;
  TK_TRY(const auto document, JsonValue::parse(report_text, "the verifier's report"));
  TK_TRY(const auto schema, document.member("schema"));
  TK_TRY(const auto schema_text, schema.text());
  if (schema_text != "torchkiln.verifier/1")
    return schema.wrong("is '" + schema_text + "', not 'torchkiln.verifier/1'");
  TK_TRY(const auto answered, document.member("nonce"));
  TK_TRY(const auto answered_nonce, answered.text());
  if (answered_nonce != nonce) return answered.wrong("is not the one that was asked with");
  TK_TRY(result.versions, read_versions(document));
  TK_TRY(result.host, read_host(document));
  TK_TRY(const auto tests, document.member("tests"));
  TK_TRY(const auto items, tests.items());
  std::map<std::string, TestOutcome> outcomes;
  for (const auto& item : items) {
    TK_TRY(auto test, read_test(item));
    const auto id = test.id;
    if (!outcomes.emplace(id, std::move(test)).second) return item.wrong("tells of '" + id + "' a second time");
  }
  for (const auto& planned : plan) {
    const auto level = report::parse_level(verifier::name_of(planned.level)).value();
    const auto at = outcomes.find(planned.id);
    if (at == outcomes.end()) {
      result.tests.push_back(failed(planned.id, level, "planned, but not run"));
      continue;
    }
    auto& outcome = at->second;
    if (outcome.level != level) return document.wrong("moved '" + planned.id + "' to another level");
    const bool is_good = outcome.verdict == TestVerdict::pass || outcome.verdict == TestVerdict::warn;
    if (is_good && !keeps_limit(outcome.measured, planned))
      return document.wrong(fmt::format("passes '{}' with {}, which is not {} {}", planned.id, outcome.measured.dump(),
                                        verifier::name_of(planned.compare), to_json(planned.limit).dump()));
    outcome.limit = to_json(planned.limit);
    result.tests.push_back(std::move(outcome));
    outcomes.erase(at);
  }
  if (!outcomes.empty())
    return document.wrong("has the test '" + outcomes.begin()->first + "', which is not in the plan");
  return result;
}

InImageResult only_failure(const std::string& reason) {
  InImageResult result;
  result.tests.push_back(failed("boot.verifier", Level::boot, reason));
  return result;
}

}  // namespace

std::string plan_difference(const std::string& listed, const std::vector<verifier::Test>& plan, Level level) {
  auto list = read_list(listed, level);
  if (!list) return list.error().message;
  for (const auto& test : tests_up_to(plan, level)) {
    const auto at = list->find(test.id);
    if (at == list->end()) return "it has no test '" + test.id + "'";
    const ListedTest wanted{std::string(verifier::name_of(test.level)), std::string(verifier::name_of(test.compare)),
                            to_json(test.limit)};
    if (at->second != wanted) return "its test '" + test.id + "' has another level or limit";
    list->erase(at);
  }
  return list->empty() ? "" : "it has a test '" + list->begin()->first + "'";
}

InImageResult judge_answers(const std::vector<verifier::Test>& plan, const std::string& report, Level level,
                            const std::string& nonce) {
  auto result = read_answers(tests_up_to(plan, level), report, nonce);
  if (!result) return only_failure(result.error().message);
  return std::move(*result);
}

runtime::RunRequest request_for(const oci::ImageConfig& config, std::vector<std::string> arguments) {
  runtime::RunRequest request;
  request.arguments = config.execution.entrypoint;
  request.arguments.insert(request.arguments.end(), arguments.begin(), arguments.end());
  for (const auto& line : config.execution.environment) {
    const auto equals = line.find('=');
    request.environment[line.substr(0, equals)] = line.substr(equals + 1);
  }
  const auto& user = config.execution.user;
  request.uid = static_cast<unsigned>(base::parse_integer(user.substr(0, user.find(':'))).value_or(0));
  request.gid = static_cast<unsigned>(base::parse_integer(user.substr(user.find(':') + 1)).value_or(0));
  request.directory = config.execution.working_directory.empty() ? "/" : config.execution.working_directory;
  request.root = runtime::RootAccess::read_only;
  request.network = runtime::Network::none;
  return request;
}

Result<InImageResult> run_in_image(const RunInImage& run, const oci::ImageConfig& config, Level level,
                                   const std::string& nonce, const RunLimits& limits, base::Step& step) {
  std::vector<std::string> soak;
  if (limits.soak_s > 0) soak = {"--soak", std::to_string(limits.soak_s)};
  const auto call = [&](std::vector<std::string> arguments) {
    arguments.insert(arguments.end(), soak.begin(), soak.end());
    auto request = request_for(config, std::move(arguments));
    request.memory_files_limit_bytes = limits.shared_memory_bytes;
    return request;
  };
  auto list = call({"torchkiln-verify", "--list", "--level", std::string(name(level))});
  list.timeout_s = k_list_timeout_s;
  TK_TRY(const auto listed, run(list));
  if (listed.exit_status != 0 || listed.timed_out)
    return only_failure(fmt::format("torchkiln-verify --list ended with status {}: {}", listed.exit_status,
                                    base::trim(listed.errors.substr(0, 300))));
  const auto plan = verifier::plan(
      {.level = level >= Level::gpu ? verifier::Level::gpu : verifier::Level::cpu, .seconds = double(limits.soak_s)});
  if (const auto difference = plan_difference(listed.output, plan, level); !difference.empty())
    return only_failure("its verifier is not this torchkiln's: " + difference +
                        "; build the image again with this torchkiln, or verify it with the one that built it");
  auto test = call({"torchkiln-verify", "--level", std::string(name(level)), "--nonce", nonce, "--json", "-"});
  test.timeout_s = limits.timeout_s + limits.soak_s;
  test.on_line = [&step](std::string_view line) { step.output(line); };
  if (level >= Level::gpu) test.gpus = runtime::Gpus::all;
  TK_TRY(const auto tested, run(test));
  if (tested.timed_out)
    return only_failure(fmt::format("torchkiln-verify did not end within {:.0f} s", test.timeout_s));
  return judge_answers(plan, tested.output, level, nonce);
}

}  // namespace torchkiln::verify
