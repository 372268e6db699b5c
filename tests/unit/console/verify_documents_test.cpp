#include "interface/console/verify_documents.hpp"

#include "support/gpu_report.hpp"
#include "support/must.hpp"

#include <catch2/catch.hpp>

using namespace torchkiln;
using report::Level;
using report::TestVerdict;
using torchkiln::test::must;

namespace {

report::TestRun a_run() {
  auto document = report::test::gpu_report(base::Digest::of("image"));
  auto run = must(report::parse_report(document.dump(), "report.json"));
  run.tests[3].measures = "error <against> float64";
  run.tests[3].compare = "at most";
  run.tests[3].unit = "nats";
  run.tests[3].details = {{"losses", {2.0, 1.0, 0.5}}, {"losses of the control", {2.0, 2.1, "nan"}}, {"note", "x"}};
  return run;
}

report::TestRun with(TestVerdict verdict, const std::string& reason, const std::string& fault = "") {
  auto run = a_run();
  run.tests[3].verdict = verdict;
  run.tests[3].reason = reason;
  run.tests[3].fault = fault;
  return run;
}

bool has(const std::string& text, const std::string& part) {
  INFO(text);
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("JUnit: a level is a suite, a test a case") {
  const auto text = console::verification_junit(a_run());
  CHECK(has(text, "<testsuites name=\"team/pytorch:t\" tests=\"4\" failures=\"0\" errors=\"0\""));
  CHECK(has(text, "<testsuite name=\"gpu\" tests=\"1\" failures=\"0\" errors=\"0\" skipped=\"0\" time=\"0.812\">"));
  CHECK(has(text, "<testcase classname=\"torchkiln.gpu\" name=\"train.cuda\" time=\"0.812\"/>"));
}

TEST_CASE("JUnit: a failure of the image is a failure, one of the host an error, a skip is no pass") {
  const auto failed = console::verification_junit(with(TestVerdict::fail, "too <far> off"));
  CHECK(has(failed, "failures=\"1\" errors=\"0\""));
  CHECK(has(failed, "<failure type=\"image\" message=\"too &lt;far&gt; off\">"));
  CHECK(has(failed, "measured 0.00041, at most 0.001"));
  const auto host = console::verification_junit(with(TestVerdict::fail, "no driver", "host"));
  CHECK(has(host, "failures=\"0\" errors=\"1\""));
  CHECK(has(host, "<error type=\"host\" message=\"no driver\">"));
  CHECK(has(console::verification_junit(with(TestVerdict::skip, "no GPU")), "<skipped message=\"no GPU\"/>"));
  CHECK(has(console::verification_junit(with(TestVerdict::warn, "slow")), "<system-out>slow</system-out>"));
}

TEST_CASE("the page shows values, limits, margins and curves, and lets nothing else be loaded") {
  const auto page = console::verification_html(a_run());
  CHECK(has(page, "Content-Security-Policy content=\"default-src 'none'; style-src 'sha256-"));
  CHECK_FALSE(has(page, "<script"));
  CHECK(has(page, "error &lt;against&gt; float64"));
  CHECK(has(page, "<td class=n>0.00041</td><td class=n>at most 0.001 nats</td>"));
  CHECK(has(page, "train.cuda: 0.41 of its limit"));
  CHECK(has(page, "<polyline class=\"curve c0\""));
  CHECK(has(page, "<polyline class=\"curve c1\""));
  CHECK_FALSE(has(page, "nan,"));
}

TEST_CASE("the page says that a level was not reached, and whose fault it is") {
  auto run = with(TestVerdict::fail, "no driver", "host");
  run.reached = Level::cpu;
  const auto page = console::verification_html(run);
  CHECK(has(page, "<span class=\"b fail\">✗ fail</span> level gpu asked, reached: cpu"));
  CHECK(has(page, "This is the host's fault"));
}

TEST_CASE("a report keeps what a test measured and its curves when it is written and read again") {
  const auto run = a_run();
  const auto again = must(report::parse_report(must(report::to_report(run)), "report.json"));
  CHECK(again.tests[3].details == run.tests[3].details);
  CHECK(again.tests[3].measures == run.tests[3].measures);
  CHECK(again.tests[3].compare == "at most");
  auto document = report::test::gpu_report(base::Digest::of("image"));
  document["tests"][0]["details"] = {{"a", {{"b", 1}}}};
  const auto refused = report::parse_report(document.dump(), "report.json");
  REQUIRE_FALSE(refused.has_value());
  CHECK(refused.error().message.find("is neither a number, a text nor a curve") != std::string::npos);
}
