// For a terminal: a paragraph for each kind of host, a line for each kind of image, and below a line the first
// reason and the fixes.

#include "interface/console/audit_grid.hpp"
#include "interface/console/audit_text.hpp"
#include "interface/console/audit_verdicts.hpp"

#include <algorithm>

#include <fmt/format.h>

namespace torchkiln::console {

namespace {

constexpr std::size_t k_smallest_columns = 60;
constexpr std::size_t k_outcome_columns = 7;   ///< of "UNKNOWN"
constexpr std::size_t k_verdict_columns = 22;  ///< of "unsupported-by-pytorch"
constexpr std::size_t k_indent = 2 + k_outcome_columns + 2;
constexpr std::size_t k_fixes = 2;
constexpr std::size_t k_name_lines = 3;  ///< of a list of names, about

std::string padded(std::string text, std::size_t columns) {
  const auto used = columns_of(text);
  return used < columns ? text + std::string(columns - used, ' ') : text;
}

class Table {
 public:
  Table(const AuditGrid& grid, const AuditView& view, AuditText& out)
      : m_grid(grid), m_paint(view.paint), m_columns(std::max(view.columns, k_smallest_columns)), m_out(out) {}

  void write() {
    const auto images = groups_of_images(m_grid);
    for (const auto& hosts : groups_of_hosts(m_grid)) {
      write_heading(hosts);
      for (std::size_t i = 0; i < images.size();) i = write_pairs(hosts, images, i);
      m_out << "\n";
    }
    write_summary();
  }

 private:
  /// The first line as it is, the others below it.
  void write_wrapped(std::string_view text, std::size_t indent, std::size_t hanging) {
    const auto lines = wrapped(text, m_columns - indent - hanging);
    for (const auto& line : lines)
      m_out << std::string(&line == &lines.front() ? indent : indent + hanging, ' ') << line << "\n";
  }

  void write_heading(const AuditGroup& hosts) {
    auto text = shortened(hosts, k_name_lines * m_columns, "hosts");
    if (hosts.members.size() > 1 && !text.ends_with("in all)"))
      text += fmt::format(" ({} hosts)", hosts.members.size());
    text += ": " + facts_of(m_grid.hosts[hosts.first()]);
    for (const auto& line : wrapped(text, m_columns)) m_out << m_paint.bold(line) << "\n";
  }

  std::string outcome(audit::Verdict verdict) const {
    switch (outcome_of(verdict)) {
      case Outcome::runs:
        return m_paint.green(padded("runs", k_outcome_columns));
      case Outcome::does_not_run:
        return m_paint.red(padded("NO", k_outcome_columns));
      case Outcome::unknown:
        return m_paint.yellow(padded("UNKNOWN", k_outcome_columns));
    }
    return "";
  }

  /// The pair of `images[at]`, and in the same paragraph those behind it that do not run for the very same reason;
  /// how far it came.
  std::size_t write_pairs(const AuditGroup& hosts, const std::vector<AuditGroup>& images, std::size_t at) {
    const auto judgement = m_grid.judgement(hosts.first(), images[at].first());
    auto together = images[at];
    std::size_t next = at + 1;
    for (; !audit::runs(judgement.verdict) && next < images.size(); ++next) {
      if (!is_told_alike(judgement, m_grid.judgement(hosts.first(), images[next].first()))) break;
      together.names += ", " + images[next].names;
      together.members.insert(together.members.end(), images[next].members.begin(), images[next].members.end());
    }
    write_pair(judgement, together);
    return next;
  }

  static bool is_told_alike(const audit::Judgement& a, const audit::Judgement& b) {
    const auto words = [](const audit::Judgement& judgement) {
      std::string text(name(judgement.verdict));
      for (const auto& reason : judgement.reasons) text += "\n" + reason.text + "\n" + reason.source;
      for (const auto& one : judgement.limitations) text += "\n" + one.feature + "\n" + one.text;
      for (const auto& fix : judgement.fixes) text += "\n" + fix.text + "\n" + fix.command;
      return text;
    };
    return words(a) == words(b);
  }

  void write_pair(const audit::Judgement& judgement, const AuditGroup& images) {
    const auto indent = k_indent + k_verdict_columns + 2;
    const auto names = wrapped(shortened(images, k_name_lines * m_columns, "images"), m_columns - indent);
    m_out << "  " << outcome(judgement.verdict) << "  "
          << padded(std::string(name(judgement.verdict)), k_verdict_columns) << "  " << names[0] << "\n";
    for (std::size_t i = 1; i < names.size(); ++i) m_out << std::string(indent, ' ') << names[i] << "\n";
    if (!audit::runs(judgement.verdict)) write_reason(judgement);
    for (const auto& one : judgement.limitations)
      write_wrapped(one_line("without " + one.feature + ": " + one.text), k_indent, 2);
  }

  void write_reason(const audit::Judgement& judgement) {
    const auto& reasons = judgement.reasons;
    if (!reasons.empty()) {
      auto text = reasons[0].text;
      if (!reasons[0].source.empty()) text += " (" + reasons[0].source + ")";
      if (reasons.size() > 1) text += fmt::format("; {} more in --format json", reasons.size() - 1);
      write_wrapped(one_line(text), k_indent, 2);
    }
    for (std::size_t i = 0; i < std::min(k_fixes, judgement.fixes.size()); ++i) {
      write_wrapped("fix: " + one_line(judgement.fixes[i].text), k_indent, 2);
      // Never wrapped: it is to be copied.
      if (!judgement.fixes[i].command.empty())
        m_out << std::string(k_indent + 2, ' ') << m_paint.cyan(one_line(judgement.fixes[i].command)) << "\n";
    }
  }

  void write_summary() {
    std::string others;
    for (std::size_t i = 0; i < m_grid.counts.size(); ++i) {
      const auto verdict = static_cast<audit::Verdict>(i);
      if (m_grid.counts[i] > 0 && !audit::runs(verdict))
        others += fmt::format("{}{} {}", others.empty() ? "" : ", ", m_grid.counts[i], name(verdict));
    }
    auto text = fmt::format("{} of {} pairs run", m_grid.running(), m_grid.pairs());
    if (!others.empty()) text += "; the others: " + others;
    write_wrapped(text, 0, 2);
    m_out << m_paint.dim("data as of " + one_line(m_grid.data.to_string())) << "\n";
  }

  const AuditGrid& m_grid;
  const Paint& m_paint;
  std::size_t m_columns;
  AuditText& m_out;
};

}  // namespace

void write_audit_table(const AuditGrid& grid, const AuditView& view, AuditText& out) {
  Table(grid, view, out).write();
}

}  // namespace torchkiln::console
