#include "foundation/base/text.hpp"
#include "interface/console/audit_text.hpp"
#include "interface/console/documents.hpp"
#include "interface/console/verify_documents.hpp"
#include "interface/console/verify_plots.hpp"

#include <algorithm>

#include <fmt/format.h>

namespace torchkiln::console {

namespace {

using report::Level;
using report::TestOutcome;
using report::TestVerdict;

// Every pair of text and ground has a contrast of at least 4.5 (WCAG 2.1, 1.4.3); signs and dashes tell verdicts
// and curves apart without colour.
constexpr std::string_view k_style = R"css(
:root{color-scheme:light dark;--page:#fff;--text:#1b1f24;--soft:#57606a;--line:#d0d7de;--head:#f3f5f7;
--pass:#116329;--pass-on:#d2f4da;--warn:#6b4700;--warn-on:#fff0c2;--fail:#8c1820;--fail-on:#ffe0dd;--skip:#57606a;--skip-on:#eaeef2;
--c0:#0550ae;--c1:#b35900;--c2:#6639ba;--c3:#0b5768}
@media(prefers-color-scheme:dark){:root{--page:#0d1117;--text:#e6edf3;--soft:#9aa4af;--line:#3a424c;--head:#171d25;
--pass:#8ae09c;--pass-on:#12361f;--warn:#f2cf7a;--warn-on:#46340a;--fail:#ffb3ad;--fail-on:#551b1e;--skip:#b1bac4;--skip-on:#262c34;
--c0:#79b8ff;--c1:#ffab70;--c2:#c9a8ff;--c3:#84d9e8}}
*{box-sizing:border-box}
body{margin:0 auto;max-width:76rem;padding:0 1.25rem 3rem;background:var(--page);color:var(--text);font:15px/1.45 system-ui,sans-serif}
h1{font-size:1.4rem;margin:1.2rem 0 .25rem;overflow-wrap:anywhere}h2{font-size:1.15rem;margin:2rem 0 .5rem}
h3{font-size:.95rem;margin:0 0 .25rem;font-weight:600}
.lead{font-size:1.05rem;margin:.25rem 0 1rem}
dl{display:grid;grid-template-columns:max-content 1fr;gap:.15rem 1rem;margin:0}dt{color:var(--soft)}dd{margin:0;overflow-wrap:anywhere}
.b{display:inline-block;border-radius:4px;padding:0 .4rem;font-weight:600;white-space:nowrap}
.pass{color:var(--pass);background:var(--pass-on)}.warn{color:var(--warn);background:var(--warn-on)}
.fail{color:var(--fail);background:var(--fail-on)}.skip{color:var(--skip);background:var(--skip-on)}
.scroll{overflow-x:auto}
table{border-collapse:collapse;width:100%;font-size:.92rem}
th,td{text-align:left;vertical-align:top;padding:.3rem .6rem;border-bottom:1px solid var(--line)}
thead th{background:var(--head);font-weight:600;white-space:nowrap}
td.n,th.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
tbody th{font-weight:400}code{font:.92em ui-monospace,monospace}
small{color:var(--soft);display:block}td.why{overflow-wrap:anywhere;min-width:16rem}
.plots{display:grid;grid-template-columns:repeat(auto-fill,minmax(20rem,1fr));gap:1rem 1.5rem}
figure{margin:0;border:1px solid var(--line);border-radius:6px;padding:.6rem .8rem}
svg{max-width:100%;height:auto;display:block}svg text{font:12px system-ui,sans-serif;fill:var(--soft)}svg .name{fill:var(--text)}
.grid{stroke:var(--line)}.limit{stroke:var(--fail);stroke-width:1.5;stroke-dasharray:4 3}.stem{stroke:var(--line);stroke-width:2}
.kept{fill:var(--c0)}.broken{fill:var(--fail)}
.curve{fill:none;stroke-width:2;stroke-linejoin:round}polyline.c0{stroke:var(--c0)}polyline.c1{stroke:var(--c1);stroke-dasharray:6 3}
polyline.c2{stroke:var(--c2);stroke-dasharray:2 3}polyline.c3{stroke:var(--c3);stroke-dasharray:8 3 2 3}
.keys{list-style:none;display:flex;flex-wrap:wrap;gap:.1rem 1rem;margin:.25rem 0 0;padding:0;font-size:.85rem}
.key{display:inline-block;width:1.4rem;border-top:2px solid;vertical-align:middle;margin-right:.35rem}
.key.c0{border-color:var(--c0)}.key.c1{border-color:var(--c1);border-top-style:dashed}.key.c2{border-color:var(--c2);border-top-style:dotted}
.key.c3{border-color:var(--c3);border-top-style:dashed}
)css";

std::string badge(TestVerdict verdict) {
  const auto* sign = verdict == TestVerdict::pass   ? "✓"
                     : verdict == TestVerdict::warn ? "!"
                     : verdict == TestVerdict::fail ? "✗"
                                                    : "–";
  return fmt::format("<span class=\"b {0}\">{1} {0}</span>", name(verdict), sign);
}

std::string short_text(const document::ParsedJson& value) {
  if (value.is_string()) return markup_escaped(one_line(value.get<std::string>()));
  return value.is_number() ? fmt::format("{:.4g}", value.get<double>()) : std::string();
}

std::string head(const report::TestRun& run) {
  std::size_t passed = 0;
  for (const auto& test : run.tests)
    passed += test.verdict == TestVerdict::pass || test.verdict == TestVerdict::warn ? 1 : 0;
  const auto image = markup_escaped(one_line(run.image_name.empty() ? run.image.to_string() : run.image_name));
  std::string text =
      "<!DOCTYPE html>\n<html lang=en><head><meta charset=utf-8><meta name=viewport "
      "content=\"width=device-width,initial-scale=1\"><meta http-equiv=Content-Security-Policy "
      "content=\"default-src 'none'; style-src " +
      hash_source(k_style) + "\"><title>" + image + "</title><style>" + std::string(k_style) +
      "</style></head>\n<body><h1>" + image + "</h1>\n";
  const auto verdict = run.reached >= run.asked ? TestVerdict::pass : TestVerdict::fail;
  text += fmt::format("<p class=lead>{} level {} asked, reached: {}. {} of {} tests passed.</p>\n", badge(verdict),
                      name(run.asked), markup_escaped(level_sentence(run)), passed, run.tests.size());
  return text;
}

std::string facts(const report::TestRun& run) {
  std::string text = "<dl>";
  const auto add = [&](std::string_view term, const std::string& description) {
    if (!description.empty())
      text += fmt::format("<dt>{}</dt><dd>{}</dd>", term, markup_escaped(one_line(description)));
  };
  add("Image", run.image.to_string());
  if (run.lock) add("Lock", run.lock->to_string());
  add("Verifier", run.suite.to_string());
  add("When", base::format_time(run.started_s) + " to " + base::format_time(run.finished_s));
  add("Processor", run.host.cpu);
  add("Kernel", run.host.kernel + " " + run.host.architecture);
  add("Runtime", run.host.runtime);
  add("Driver", run.host.driver.empty() ? "none" : run.host.driver);
  for (const auto& gpu : run.host.gpus) add("GPU", gpu.name + ", compute capability " + gpu.compute_capability);
  for (const auto& [name, version] : run.versions) add(markup_escaped(name), version);
  return text + "</dl>\n";
}

std::string row(const TestOutcome& test) {
  auto limit = short_text(test.limit);
  if (!limit.empty() && !test.compare.empty()) limit = markup_escaped(test.compare) + " " + limit;
  if (!limit.empty() && !test.unit.empty()) limit += " " + markup_escaped(one_line(test.unit));
  std::string why = markup_escaped(one_line(test.measures));
  if (!test.reason.empty()) {
    why += "<small>" + markup_escaped(one_line(test.reason)) + "</small>";
    if (test.fault == "host") why += "<small>This is the host's fault and says nothing about the image.</small>";
  }
  return fmt::format(
      "<tr><td>{}</td><th scope=row><code>{}</code></th><td class=n>{}</td><td class=n>{}</td><td "
      "class=n>{:.2f}</td><td class=why>{}</td></tr>\n",
      badge(test.verdict), markup_escaped(one_line(test.id)), short_text(test.measured), limit, test.duration_s,
      why);
}

std::string tables(const report::TestRun& run) {
  std::string text;
  for (const auto level : report::k_levels) {
    std::string rows;
    for (const auto& test : run.tests)
      if (test.level == level) rows += row(test);
    if (rows.empty()) continue;
    text += fmt::format(
                "<section><h2>Level {}</h2><div class=scroll><table><thead><tr><th>Verdict<th>Test<th "
                "class=n>Measured<th class=n>Limit<th class=n>Seconds<th>What it measures</tr></thead><tbody>\n",
                name(level)) +
            rows + "</tbody></table></div></section>\n";
  }
  return text;
}

std::string plots(const report::TestRun& run) {
  std::string text;
  if (const auto margins = margins_plot(run.tests); !margins.empty())
    text += "<section><h2>How far numbers stay from their limits</h2><div class=scroll>" + margins +
            "</div></section>\n";
  std::string figures;
  for (const auto& test : run.tests)
    if (const auto curves = curves_plot(test); !curves.empty())
      figures += "<figure><h3><code>" + markup_escaped(one_line(test.id)) + "</code></h3>" + curves + "</figure>\n";
  if (!figures.empty()) text += "<section><h2>Curves</h2><div class=plots>" + figures + "</div></section>\n";
  return text;
}

}  // namespace

std::string verification_html(const report::TestRun& run) {
  return head(run) + facts(run) + plots(run) + tables(run) + "</body></html>\n";
}

}  // namespace torchkiln::console
