#include "interface/console/lint_document.hpp"

#include "foundation/base/text.hpp"
#include "interface/console/audit_text.hpp"

#include <algorithm>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace torchkiln::console {

namespace {

using Json = nlohmann::ordered_json;
using lint::Severity;

constexpr Severity k_severities[] = {Severity::error, Severity::warning, Severity::info};

std::string painted(const Paint& paint, Severity severity) {
  const auto word = name(severity);
  switch (severity) {
    case Severity::error:
      return paint.red(word);
    case Severity::warning:
      return paint.yellow(word);
    case Severity::info:
      return paint.cyan(word);
  }
  return std::string(word);
}

std::size_t count_of(const LintReport& report, Severity severity) {
  return static_cast<std::size_t>(
      std::count_if(report.findings.begin(), report.findings.end(),
                    [&](const lint::Finding& finding) { return finding.rule->severity == severity; }));
}

std::vector<std::string> aliases_of(const lint::Rule& rule) {
  std::vector<std::string> names;
  for (const auto alias : rule.aliases)
    if (!alias.empty()) names.emplace_back(alias);
  return names;
}

std::string counted(std::size_t count, std::string_view one, std::string_view many) {
  return fmt::format("{} {}", count, count == 1 ? one : many);
}

std::string lint_dump(const Json& json) {
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace

std::string lint_text(const LintReport& report, const Paint& paint) {
  std::string text;
  for (const auto& finding : report.findings) {
    const auto& rule = *finding.rule;
    const std::string alias = rule.aliases[0].empty() ? "" : ", " + std::string(rule.aliases[0]);
    text += fmt::format("{}: {}: {} {}\n    fix: {}\n", paint.bold(one_line(finding.place.to_string())),
                        painted(paint, rule.severity), one_line(finding.text),
                        paint.dim(fmt::format("[{}{}]", rule.id, alias)), one_line(finding.fix));
  }
  const auto files = counted(report.files.size(), "file", "files");
  if (report.findings.empty()) return "no findings in " + files + "\n";
  return text + fmt::format("{}, {}, {} in {}\n", counted(count_of(report, Severity::error), "error", "errors"),
                            counted(count_of(report, Severity::warning), "warning", "warnings"),
                            counted(count_of(report, Severity::info), "note", "notes"), files);
}

std::string lint_json(const LintReport& report) {
  Json findings = Json::array(), summary = Json::object();
  for (const auto& finding : report.findings)
    findings.push_back({{"rule", finding.rule->id},
                        {"aliases", aliases_of(*finding.rule)},
                        {"severity", name(finding.rule->severity)},
                        {"file", finding.place.file},
                        {"line", finding.place.line},
                        {"column", finding.place.column},
                        {"instruction_line", finding.instruction_line},
                        {"text", finding.text},
                        {"fix", finding.fix}});
  for (const auto severity : k_severities) summary[std::string(name(severity))] = count_of(report, severity);
  return lint_dump({{"schema", "torchkiln.lint/1"},
                    {"status", report.findings.empty() ? "clean" : "findings"},
                    {"files", report.files},
                    {"findings", findings},
                    {"summary", summary}});
}

std::string lint_rules_text(const Paint& paint) {
  std::string text;
  for (const auto& rule : lint::rules()) {
    text += fmt::format("{}  {}  {}\n", paint.bold(fmt::format("{:<27}", rule.id)),
                        fmt::format("{:<7}", name(rule.severity)), rule.summary);
    if (const auto aliases = aliases_of(rule); !aliases.empty())
      text += std::string(38, ' ') + paint.dim(base::join(aliases, " ")) + "\n";
  }
  return text;
}

std::string lint_rules_json() {
  Json rules = Json::array();
  for (const auto& rule : lint::rules())
    rules.push_back({{"rule", rule.id},
                     {"severity", name(rule.severity)},
                     {"summary", rule.summary},
                     {"aliases", aliases_of(rule)}});
  return lint_dump({{"schema", "torchkiln.lint-rules/1"}, {"rules", rules}});
}

}  // namespace torchkiln::console
