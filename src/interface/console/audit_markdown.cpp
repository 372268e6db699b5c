// A table in GitHub Flavored Markdown, for a job summary or a pull request. Punctuation of names and texts is
// written as character references, so that it is never markup; names stand in <code>, where nobody is mentioned.

#include "interface/console/audit_grid.hpp"
#include "interface/console/audit_text.hpp"
#include "interface/console/audit_verdicts.hpp"

#include <fmt/format.h>

namespace torchkiln::console {

namespace {

constexpr std::size_t k_listed_bytes = 300;

std::string escaped(std::string_view raw) {
  std::string text;
  for (const char c : one_line(raw)) {
    if (std::string_view("\\`*_{}[]<>()#|!~@&$").find(c) != std::string_view::npos)
      text += fmt::format("&#{};", static_cast<int>(c));
    else
      text += c;
  }
  return text;
}

std::string code(std::string_view raw) {
  return "<code>" + escaped(raw) + "</code>";
}

std::string_view mark_of(audit::Verdict verdict) {
  switch (outcome_of(verdict)) {
    case Outcome::runs:
      return "✅ runs";
    case Outcome::does_not_run:
      return "❌ **no**";
    case Outcome::unknown:
      return "❓ **unknown**";
  }
  return "";
}

/// The cells behind the image.
std::string judgement_cells(const audit::Judgement& judgement) {
  std::string why, fixes;
  if (!judgement.reasons.empty()) {
    why = escaped(judgement.reasons[0].text);
    if (!judgement.reasons[0].source.empty()) why += " (" + code(judgement.reasons[0].source) + ")";
  }
  for (const auto& one : judgement.limitations)
    why += (why.empty() ? "" : "<br>") + std::string("without ") + code(one.feature) + ": " + escaped(one.text);
  for (const auto& fix : judgement.fixes) {
    fixes += (fixes.empty() ? "" : "<br>") + escaped(fix.text);
    if (!fix.command.empty()) fixes += "<br>" + code(fix.command);
  }
  return fmt::format(" {} | {} | {} | {} |\n", mark_of(judgement.verdict), name(judgement.verdict), why, fixes);
}

}  // namespace

void write_audit_markdown(const AuditGrid& grid, AuditText& out) {
  out << fmt::format("### torchkiln audit: {} of {} pairs run\n\n", grid.running(), grid.pairs())
      << "| Hosts | Image | Runs | Verdict | Why | Fix |\n|---|---|---|---|---|---|\n";
  const auto images = groups_of_images(grid);
  std::vector<std::string> image_cells;
  for (const auto& group : images)
    image_cells.push_back(" " + code(shortened(group, k_listed_bytes, "images")) + " |");
  for (const auto& hosts : groups_of_hosts(grid)) {
    const auto first_cell = "| " + code(shortened(hosts, k_listed_bytes, "hosts")) + "<br>" +
                            escaped(facts_of(grid.hosts[hosts.first()])) + " |";
    for (std::size_t i = 0; i < images.size(); ++i)
      out << first_cell << image_cells[i] << judgement_cells(grid.judgement(hosts.first(), images[i].first()));
  }
  out << "\nData as of " << grid.data.to_string() << ".\n";
}

}  // namespace torchkiln::console
