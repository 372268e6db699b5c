// torchkiln.report/1 becomes a TestRun.

#include "proof/report/run_reader.hpp"

namespace torchkiln::report {

using base::Result;
using document::JsonValue;

namespace {

constexpr std::string_view k_report_schema = "torchkiln.report/1";

Result<HostFacts> read_host(const JsonValue& value) {
  HostFacts host;
  TK_TRY(host.kernel, plain_or_empty(value, "kernel"));
  TK_TRY(host.architecture, plain_or_empty(value, "arch"));
  TK_TRY(host.cpu, plain_or_empty(value, "cpu"));
  TK_TRY(host.driver, plain_or_empty(value, "driver"));
  TK_TRY(host.runtime, plain_or_empty(value, "runtime"));
  TK_TRY(host.gpus, gpus(value, "gpus", "compute_capability"));
  return host;
}

Result<TestOutcome> read_test(const JsonValue& value) {
  TestOutcome test;
  TK_TRY(test.id, plain(value, "id"));
  TK_TRY(test.level, level(value, "level"));
  TK_TRY(test.verdict, verdict(value));
  TK_TRY(test.reason, value.text_or_empty("reason"));
  TK_TRY(test.measured, scalar(value, "measured"));
  TK_TRY(test.limit, scalar(value, "limit"));
  TK_TRY(test.measures, value.text_or_empty("measures"));
  TK_TRY(test.compare, value.text_or_empty("compare"));
  TK_TRY(test.unit, value.text_or_empty("unit"));
  TK_TRY(test.fault, value.text_or_empty("fault"));
  TK_TRY(test.details, details(value));
  TK_TRY(const auto duration, value.find("seconds"));
  if (duration) {
    TK_TRY(test.duration_s, duration->number());
  }
  if (test.verdict == TestVerdict::skip && test.reason.empty()) return value.wrong("is skipped without a reason");
  return test;
}

}  // namespace

Result<TestRun> parse_report(std::string_view bytes, const std::string& file) {
  TK_TRY(const auto document, JsonValue::parse(bytes, file, {.size_bytes = 2U << 20, .depth = 8}));
  TK_TRY(const auto schema, document.member("schema"));
  TK_TRY(const auto schema_text, schema.text());
  if (schema_text != k_report_schema)
    return schema.wrong("is \"" + schema_text + "\", not \"" + std::string(k_report_schema) + "\"");
  TestRun run;
  TK_TRY(const auto image, document.member("image"));
  TK_TRY(const auto image_digest, image.member("digest"));
  TK_TRY(run.image, image_digest.digest());
  TK_TRY(run.image_name, plain_or_empty(image, "name"));
  TK_TRY(const auto lock, document.find("lock"));
  if (lock) {
    TK_TRY(const auto lock_digest, lock->member("digest"));
    TK_TRY(run.lock, lock_digest.digest());
  }
  TK_TRY(const auto suite, document.member("suite"));
  TK_TRY(const auto suite_digest, suite.member("digest"));
  TK_TRY(run.suite, suite_digest.digest());
  TK_TRY(run.nonce, plain(document, "nonce"));
  TK_TRY(const auto host, document.member("host"));
  TK_TRY(run.host, read_host(host));
  TK_TRY(run.versions, document.text_map_or_empty("versions"));
  TK_TRY(run.asked, level(document, "level_asked"));
  TK_TRY(run.reached, level(document, "level_reached"));
  TK_TRY(run.started_s, time_s(document, "started"));
  TK_TRY(run.finished_s, time_s(document, "finished"));
  TK_TRY(const auto tests, document.member("tests"));
  TK_TRY(const auto items, tests.items());
  if (items.empty()) return tests.wrong("is empty");
  if (items.size() > k_test_limit) return tests.wrong("has more than " + std::to_string(k_test_limit) + " entries");
  for (const auto& item : items) {
    TK_TRY(auto test, read_test(item));
    run.tests.push_back(std::move(test));
  }
  run.report = base::Digest::of(bytes);
  TK_CHECK(check_run(run, document));
  return run;
}

}  // namespace torchkiln::report
