// JUnit XML as CI servers read it: a host is a suite, an image a case. What does not run is a failure, what is not
// known an error.

#include "interface/console/audit_grid.hpp"
#include "interface/console/audit_text.hpp"

#include <fmt/format.h>

namespace torchkiln::console {

namespace {

/// What is inside a case; empty for a pair that runs without limits.
std::string inside_case(const audit::Judgement& judgement) {
  std::string text;
  if (!audit::runs(judgement.verdict)) {
    const auto* element = judgement.verdict == audit::Verdict::unknown ? "error" : "failure";
    const auto message = judgement.reasons.empty() ? std::string() : one_line(judgement.reasons[0].text);
    text = fmt::format("<{} type=\"{}\" message=\"{}\">", element, name(judgement.verdict),
                       markup_escaped(fmt::format("{}: {}", name(judgement.verdict), message)));
    for (const auto& reason : judgement.reasons)
      text += markup_escaped(fmt::format("{}: {} ({})\n", reason.rule, reason.text, reason.source));
    for (const auto& fix : judgement.fixes) {
      text += markup_escaped("fix: " + fix.text + "\n");
      if (!fix.command.empty()) text += markup_escaped("  " + fix.command + "\n");
    }
    text += fmt::format("</{}>", element);
  }
  // The schema wants system-out behind failure and error.
  std::string limits;
  for (const auto& one : judgement.limitations) limits += markup_escaped(one.feature + ": " + one.text + "\n");
  if (!limits.empty()) text += "<system-out>" + limits + "</system-out>";
  return text;
}

struct Counts {
  std::uint64_t tests = 0, failures = 0, errors = 0;

  void add(audit::Verdict verdict, std::uint64_t pairs) {
    tests += pairs;
    if (verdict == audit::Verdict::unknown)
      errors += pairs;
    else if (!audit::runs(verdict))
      failures += pairs;
  }
  std::string attributes() const {
    return fmt::format("tests=\"{}\" failures=\"{}\" errors=\"{}\"", tests, failures, errors);
  }
};

}  // namespace

void write_audit_junit(const AuditGrid& grid, AuditText& out) {
  Counts all;
  for (std::size_t i = 0; i < grid.counts.size(); ++i) all.add(static_cast<audit::Verdict>(i), grid.counts[i]);
  out << "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"torchkiln audit\" " << all.attributes()
      << ">\n";
  AuditWords words(grid, inside_case);
  std::vector<std::string> images;
  for (const auto& image : grid.images) images.push_back(markup_escaped(one_line(image.name)));
  for (std::size_t host = 0; host < grid.hosts.size(); ++host) {
    Counts counts;
    for (std::size_t image = 0; image < grid.images.size(); ++image) counts.add(grid.verdict(host, image), 1);
    const auto host_name = markup_escaped(one_line(grid.hosts[host].name));
    out << "  <testsuite name=\"" << host_name << "\" " << counts.attributes() << ">\n"
        << "    <properties><property name=\"facts\" value=\"" << markup_escaped(facts_of(grid.hosts[host]))
        << "\"/><property name=\"data_date\" value=\"" << markup_escaped(grid.data.date) << "\"/></properties>\n";
    for (std::size_t image = 0; image < grid.images.size(); ++image) {
      const auto& inside = words.at(host, image);
      out << "    <testcase classname=\"" << host_name << "\" name=\"" << images[image] << "\"";
      if (inside.empty())
        out << "/>\n";
      else
        out << ">" << inside << "</testcase>\n";
    }
    out << "  </testsuite>\n";
  }
  out << "</testsuites>\n";
}

}  // namespace torchkiln::console
