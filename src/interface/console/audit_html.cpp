// A page that needs nothing but itself: the matrix, and below it what each cell means. Without its script (filters,
// and the words of a cell while it is pointed at) a cell is a link to its words. A content security policy by
// digest lets no other script run and nothing be loaded.

#include "foundation/base/text.hpp"
#include "interface/console/audit_grid.hpp"
#include "interface/console/audit_page.hpp"
#include "interface/console/audit_text.hpp"
#include "interface/console/audit_verdicts.hpp"

#include <algorithm>

#include <fmt/format.h>

namespace torchkiln::console {

namespace {

using audit::Verdict;

/// Cells that a browser shows without delay; the rows and columns behind are named as missing.
constexpr std::size_t k_cells = 100'000;
constexpr std::size_t k_columns = 1'000;
/// Up to this many images the cells say the verdict in full.
constexpr std::size_t k_wordy_columns = 8;
constexpr std::size_t k_names_bytes = 160;

std::string_view class_of(Verdict verdict) {
  if (verdict == Verdict::direct) return "d";
  switch (outcome_of(verdict)) {
    case Outcome::runs:
      return "r";
    case Outcome::does_not_run:
      return "n";
    case Outcome::unknown:
      return "u";
  }
  return "u";
}
std::string_view sign_of(Verdict verdict) {
  switch (outcome_of(verdict)) {
    case Outcome::runs:
      return "✓";
    case Outcome::does_not_run:
      return "✗";
    case Outcome::unknown:
      return "?";
  }
  return "?";
}

/// A verdict as it stands in cells and lists: a sign besides the colour.
std::string badge(Verdict verdict) {
  return fmt::format("<span class=\"b {}\">{} {}</span>", class_of(verdict), sign_of(verdict), name(verdict));
}

std::string words_of(const audit::Judgement& judgement) {
  std::string text;
  if (!judgement.reasons.empty()) {
    text += "<ul class=why>";
    for (const auto& reason : judgement.reasons) {
      text += "<li>" + markup_escaped(reason.text);
      if (!reason.source.empty()) text += " <small>" + markup_escaped(reason.source) + "</small>";
    }
    text += "</ul>";
  }
  for (const auto& one : judgement.limitations)
    text += "<p>Without <code>" + markup_escaped(one.feature) + "</code>: " + markup_escaped(one.text) + "</p>";
  for (const auto& fix : judgement.fixes) {
    text += "<p class=fix>Fix: " + markup_escaped(fix.text);
    if (!fix.command.empty()) text += "<br><code>" + markup_escaped(fix.command) + "</code>";
    text += "</p>";
  }
  return text;
}

/// Words that cells share.
struct SharedWords {
  Verdict verdict;
  std::string text;
  std::size_t cells = 0;
  std::string first_cell;  ///< "node[1-4] × pytorch 2.8.0+cu128", escaped
};

class Page {
 public:
  Page(const AuditGrid& grid, AuditText& out)
      : m_grid(grid), m_out(out), m_hosts(groups_of_hosts(grid)), m_images(groups_of_images(grid)) {
    m_columns = std::min(m_images.size(), k_columns);
    m_rows = std::min(m_hosts.size(), k_cells / std::max<std::size_t>(m_columns, 1));
  }

  void write() {
    write_head();
    write_matrix();
    write_words();
    m_out << "<div id=panel role=status hidden></div><script>" << k_audit_script << "</script></body></html>\n";
  }

 private:
  void write_head() {
    m_out << "<!DOCTYPE html>\n<html lang=en><head><meta charset=utf-8>"
          << "<meta name=viewport content=\"width=device-width,initial-scale=1\">"
          << "<meta name=color-scheme content=\"light dark\">"
          << "<meta http-equiv=Content-Security-Policy content=\"default-src 'none'; style-src "
          << hash_source(k_audit_style) << "; script-src " << hash_source(k_audit_script)
          << "\"><title>torchkiln audit</title><style>" << k_audit_style
          << "</style></head>\n<body><header><h1>torchkiln "
          << fmt::format(
                 "audit</h1><p class=lead><strong>{}</strong> of <strong>{}</strong> pairs run: {} hosts, {} "
                 "images. ",
                 m_grid.running(), m_grid.pairs(), m_grid.hosts.size(), m_grid.images.size())
          << "Data as of " << markup_escaped(m_grid.data.to_string()) << ".</p><ul class=legend>";
    for (std::size_t i = 0; i < m_grid.counts.size(); ++i) {
      const auto verdict = static_cast<Verdict>(i);
      if (m_grid.counts[i] == 0) continue;
      m_out << "<li>" << badge(verdict)
            << fmt::format(" <b>{}</b>{} <span class=m>{}</span>", m_grid.counts[i],
                           is_wordy() ? "" : fmt::format(" <kbd>{}</kbd>", code_of(verdict)), meaning_of(verdict));
    }
    m_out << "</ul>";
    if (m_rows < m_hosts.size() || m_columns < m_images.size())
      m_out << fmt::format(
          "<p class=cut role=note>This page shows the first {} of {} kinds of hosts and the first {} of {} "
          "kinds of images. The other formats have all of them.</p>",
          m_rows, m_hosts.size(), m_columns, m_images.size());
    m_out << "<form id=filter hidden><label>Filter hosts <input id=fh type=search></label> <label>Filter images "
             "<input id=fi "
             "type=search></label> <label><input id=ff type=checkbox> only rows in which something does not "
             "run</label>"
             "</form></header>\n";
  }

  bool is_wordy() const { return m_columns <= k_wordy_columns; }

  void write_matrix() {
    m_out << "<main><div class=scroll tabindex=0 role=region aria-label=\"Hosts and images\"><table class="
          << (is_wordy() ? "wordy" : "dense")
          << "><caption>Hosts in rows, images in columns. A cell leads to its reasons and "
             "fixes.</caption><thead><tr><th "
             "scope=col>Hosts";
    for (std::size_t i = 0; i < m_columns; ++i) write_column_head(m_images[i]);
    m_out << "</thead><tbody>\n";
    for (std::size_t row = 0; row < m_rows; ++row) write_row(m_hosts[row]);
    m_out << "</tbody></table></div>\n";
  }

  void write_column_head(const AuditGroup& images) {
    const auto names = shortened(images, k_names_bytes, "images");
    m_out << "<th scope=col";
    // In a dense table long names are cut.
    if (!is_wordy() || names != images.names) m_out << " title=\"" << markup_escaped(images.names) << "\"";
    m_out << "><span>" << markup_escaped(names) << "</span>";
  }

  void write_row(const AuditGroup& hosts) {
    const auto names = shortened(hosts, k_names_bytes, "hosts");
    m_out << "<tr><th scope=row";
    const auto facts = markup_escaped(facts_of(m_grid.hosts[hosts.first()]));
    // In a dense table long facts are cut.
    if (!is_wordy() || names != hosts.names)
      m_out << " title=\"" << markup_escaped(hosts.names) << ": " << facts << "\"";
    m_out << "><b>" << markup_escaped(names) << "</b>";
    if (hosts.members.size() > 1 && names == hosts.names)
      m_out << fmt::format(" <i>{} hosts</i>", hosts.members.size());
    m_out << "<small>" << facts << "</small>";
    for (std::size_t i = 0; i < m_columns; ++i) write_cell(hosts, m_images[i]);
    m_out << "\n";
  }

  void write_cell(const AuditGroup& hosts, const AuditGroup& images) {
    const auto judgement = m_grid.judgement(hosts.first(), images.first());
    const auto verdict = judgement.verdict;
    auto text = words_of(judgement);
    const auto [found, is_new] = m_words_of.try_emplace({verdict, text}, m_words.size());
    if (is_new)
      m_words.push_back({verdict, std::move(text), 0,
                         markup_escaped(shortened(hosts, k_names_bytes, "hosts") + " × " +
                                        shortened(images, k_names_bytes, "images"))});
    ++m_words[found->second].cells;
    const auto number = found->second + 1;
    if (is_wordy())
      m_out << fmt::format("<td class={}><a href=#j{}>{} {}</a>", class_of(verdict), number, sign_of(verdict),
                           name(verdict));
    else
      m_out << fmt::format(
          "<td class={}><a href=#j{} aria-label={}>{}</a>", class_of(verdict), number, name(verdict),
          verdict == Verdict::unknown ? "?" : fmt::format("{}{}", sign_of(verdict), code_of(verdict)));
  }

  /// What does not run first, then what is not known, then what runs.
  void write_words() {
    m_out << "<section aria-labelledby=words><h2 id=words>Reasons and fixes</h2>\n";
    for (const auto outcome : {Outcome::does_not_run, Outcome::unknown, Outcome::runs})
      for (std::size_t i = 0; i < audit::k_verdicts; ++i)
        if (const auto verdict = static_cast<Verdict>(i); outcome_of(verdict) == outcome) write_words_of(verdict);
    m_out << "</section></main>\n";
  }

  void write_words_of(Verdict verdict) {
    bool first = true;
    for (std::size_t i = 0; i < m_words.size(); ++i) {
      const auto& words = m_words[i];
      if (words.verdict != verdict) continue;
      if (first) m_out << "<h3>" << badge(verdict) << " " << meaning_of(verdict) << "</h3>\n";
      first = false;
      m_out << fmt::format("<article id=j{}><h4>{}", i + 1, words.first_cell);
      if (words.cells > 1)
        m_out << fmt::format(" <i>and {} more {}</i>", words.cells - 1, words.cells == 2 ? "cell" : "cells");
      m_out << "</h4>" << words.text << "</article>\n";
    }
  }

  const AuditGrid& m_grid;
  AuditText& m_out;
  std::vector<AuditGroup> m_hosts, m_images;
  std::size_t m_rows = 0, m_columns = 0;
  std::vector<SharedWords> m_words;
  std::map<std::pair<Verdict, std::string>, std::size_t> m_words_of;
};

}  // namespace

void write_audit_html(const AuditGrid& grid, AuditText& out) {
  Page(grid, out).write();
}

}  // namespace torchkiln::console
