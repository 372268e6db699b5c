// RFC 4180: CRLF, fields quoted where they must be. A field that a spreadsheet would take for a formula (= + - @,
// tab or CR in front; OWASP "CSV Injection") gets an apostrophe before it.

#include "interface/console/audit_grid.hpp"
#include "interface/console/audit_text.hpp"

namespace torchkiln::console {

namespace {

std::string field(std::string_view raw) {
  auto text = valid_utf8(raw);
  if (!text.empty() && std::string_view("=+-@\t\r").find(text[0]) != std::string_view::npos)
    text.insert(0, 1, '\'');
  if (text.find_first_of("\",\r\n") == std::string::npos) return text;
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"') quoted += '"';
    quoted += c;
  }
  return quoted + '"';
}

/// Everything behind host and image.
std::string judgement_fields(const audit::Judgement& judgement) {
  const auto& reasons = judgement.reasons;
  const auto& fixes = judgement.fixes;
  std::string limitations;
  for (const auto& one : judgement.limitations)
    limitations += (limitations.empty() ? "" : "; ") + one.feature + ": " + one.text;
  std::string row = std::string(",") + std::string(name(judgement.verdict));
  row += audit::runs(judgement.verdict)                 ? ",yes"
         : judgement.verdict == audit::Verdict::unknown ? ",unknown"
                                                        : ",no";
  row += "," + field(reasons.empty() ? "" : reasons[0].rule);
  row += "," + field(reasons.empty() ? "" : reasons[0].text);
  row += "," + field(reasons.empty() ? "" : reasons[0].source);
  row += "," + field(fixes.empty() ? "" : fixes[0].text);
  row += "," + field(fixes.empty() ? "" : fixes[0].command);
  return row + "," + field(limitations) + "\r\n";
}

}  // namespace

void write_audit_csv(const AuditGrid& grid, AuditText& out) {
  out << "host,image,verdict,runs,rule,reason,source,fix,command,limitations\r\n";
  AuditWords words(grid, judgement_fields);
  std::vector<std::string> images;
  for (const auto& image : grid.images) images.push_back("," + field(image.name));
  for (std::size_t host = 0; host < grid.hosts.size(); ++host) {
    const auto begin = field(grid.hosts[host].name);
    for (std::size_t image = 0; image < grid.images.size(); ++image)
      out << begin << images[image] << words.at(host, image);
  }
}

}  // namespace torchkiln::console
