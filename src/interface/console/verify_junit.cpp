#include "interface/console/audit_text.hpp"
#include "interface/console/verify_documents.hpp"

#include <fmt/format.h>

namespace torchkiln::console {

namespace {

using report::Level;
using report::TestOutcome;
using report::TestVerdict;

std::string attribute(std::string_view text) {
  return markup_escaped(one_line(text));
}

std::string exact_text(const document::ParsedJson& value) {
  return value.is_string() ? value.get<std::string>() : value.dump();
}

std::string inside_case(const TestOutcome& test) {
  switch (test.verdict) {
    case TestVerdict::pass:
      return {};
    case TestVerdict::warn:
      return "<system-out>" + markup_escaped(test.reason) + "</system-out>";
    case TestVerdict::skip:
      return fmt::format("<skipped message=\"{}\"/>", attribute(test.reason));
    case TestVerdict::fail:
      break;
  }
  // A host that cannot run the test is an error; what the test found is a failure.
  const auto* element = test.fault == "host" ? "error" : "failure";
  std::string text = test.reason;
  if (!test.measured.is_null())
    text += fmt::format("\nmeasured {}, {} {}", exact_text(test.measured),
                        test.compare.empty() ? "limit" : test.compare, exact_text(test.limit));
  return fmt::format("<{0} type=\"{1}\" message=\"{2}\">{3}</{0}>", element,
                     test.fault.empty() ? "image" : attribute(test.fault), attribute(test.reason),
                     markup_escaped(text));
}

struct CaseCounts {
  std::size_t tests = 0, failures = 0, errors = 0, skipped = 0;
  double seconds = 0;

  void add(const TestOutcome& test) {
    ++tests;
    seconds += test.duration_s;
    if (test.verdict == TestVerdict::skip) ++skipped;
    if (test.verdict == TestVerdict::fail) ++(test.fault == "host" ? errors : failures);
  }
  std::string attributes() const {
    return fmt::format("tests=\"{}\" failures=\"{}\" errors=\"{}\" skipped=\"{}\" time=\"{:.3f}\"", tests, failures,
                       errors, skipped, seconds);
  }
};

}  // namespace

std::string verification_junit(const report::TestRun& run) {
  CaseCounts all;
  for (const auto& test : run.tests) all.add(test);
  // The schema of testsuites has no skipped.
  std::string text = fmt::format(
      "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"{}\" tests=\"{}\" failures=\"{}\" "
      "errors=\"{}\" time=\"{:.3f}\">\n",
      attribute(run.image_name), all.tests, all.failures, all.errors, all.seconds);
  for (const auto level : report::k_levels) {
    CaseCounts counts;
    std::string cases;
    for (const auto& test : run.tests) {
      if (test.level != level) continue;
      counts.add(test);
      cases += fmt::format("    <testcase classname=\"torchkiln.{}\" name=\"{}\" time=\"{:.3f}\"", name(level),
                           attribute(test.id), test.duration_s);
      const auto inside = inside_case(test);
      cases += inside.empty() ? "/>\n" : ">" + inside + "</testcase>\n";
    }
    if (counts.tests == 0) continue;
    text += fmt::format("  <testsuite name=\"{}\" {}>\n", name(level), counts.attributes());
    text += fmt::format("    <properties><property name=\"image\" value=\"{}\"/></properties>\n",
                        run.image.to_string());
    text += cases + "  </testsuite>\n";
  }
  return text + "</testsuites>\n";
}

}  // namespace torchkiln::console
