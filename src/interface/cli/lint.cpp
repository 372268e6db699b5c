// torchkiln lint: what is wrong with a Dockerfile.

#include "decision/lint/dockerfile.hpp"
#include "foundation/base/text.hpp"
#include "foundation/sys/files.hpp"
#include "interface/cli/commands.hpp"
#include "interface/console/lint_document.hpp"

#include <algorithm>
#include <map>
#include <optional>

namespace torchkiln::cli {

using base::Result;

namespace {

namespace fs = std::filesystem;

enum class LintFormat { text, json, sarif };

struct LintOptions {
  std::vector<std::string> files;
  std::vector<std::string> ignored;
  lint::Options lint;
  std::optional<lint::Severity> fail_level = lint::Severity::warning;  ///< none: findings never fail
  std::optional<LintFormat> format;
  bool lists_rules = false;
};

/// What builders look for where no file is named.
Result<std::string> default_file() {
  for (const auto* name : {"Dockerfile", "Containerfile"})
    if (fs::exists(name)) return std::string(name);
  return base::fail(base::ErrorCode::usage, "there is no Dockerfile here",
                    {"name one: torchkiln lint FILE…, or - for standard input"});
}

Result<std::vector<const lint::Rule*>> rules_called(const std::vector<std::string>& names) {
  std::vector<const lint::Rule*> found;
  for (const auto& name : names) {
    const auto before = found.size();
    for (const auto& rule : lint::rules())
      if (rule.is_called(name)) found.push_back(&rule);
    if (found.size() > before) continue;
    std::vector<std::string> known;
    for (const auto& rule : lint::rules()) known.emplace_back(rule.id);
    base::Error error{base::ErrorCode::usage, "there is no rule '" + name + "'", std::nullopt, {}, {}};
    if (const auto near = base::nearest(name, known)) error.hints.push_back("did you mean '" + *near + "'?");
    error.hints.emplace_back("torchkiln lint --rules lists them");
    return base::fail(std::move(error));
  }
  return found;
}

Result<int> run_lint(LintOptions options, Session& session) {
  if (options.lists_rules) {
    session.print(console::lint_rules_text(session.paint()), console::lint_rules_json());
    return 0;
  }
  TK_TRY(const auto ignored, rules_called(options.ignored));
  if (options.files.empty()) {
    TK_TRY(auto file, default_file());
    options.files.push_back(std::move(file));
  }
  TK_TRY(const auto matrix, session.load_matrix());
  console::LintReport report;
  for (const auto& file : options.files) {
    const bool is_input = file == "-";
    TK_TRY(const auto text, sys::read_file(is_input ? "/dev/stdin" : file, lint::k_file_bytes));
    const auto name = is_input ? "(standard input)" : file;
    TK_TRY(auto findings, lint::lint(text, name, matrix, options.lint));
    std::erase_if(findings, [&](const lint::Finding& finding) {
      return std::find(ignored.begin(), ignored.end(), finding.rule) != ignored.end();
    });
    report.files.push_back(name);
    std::move(findings.begin(), findings.end(), std::back_inserter(report.findings));
  }
  switch (options.format.value_or(session.is_json() ? LintFormat::json : LintFormat::text)) {
    case LintFormat::text:
      console::print_result(console::lint_text(report, session.paint()));
      break;
    case LintFormat::json:
      console::print_result(console::lint_json(report));
      break;
    case LintFormat::sarif:
      console::print_result(console::lint_sarif(report));
      break;
  }
  const bool fails = options.fail_level &&
                     std::any_of(report.findings.begin(), report.findings.end(), [&](const lint::Finding& finding) {
                       return finding.rule->severity >= *options.fail_level;
                     });
  return fails ? 1 : 0;
}

}  // namespace

void add_lint(CLI::App& program, Action& chosen) {
  auto* command = program.add_subcommand("lint", "Say what is wrong with a Dockerfile");
  auto options = std::make_shared<LintOptions>();
  command
      ->add_option("file", options->files,
                   "Dockerfiles; - for standard input (default: Dockerfile or Containerfile here)")
      ->type_name("FILE");
  static const std::map<std::string, std::optional<lint::Severity>> k_levels = {
      {"error", lint::Severity::error},
      {"warning", lint::Severity::warning},
      {"info", lint::Severity::info},
      {"none", std::nullopt}};
  command
      ->add_option_function<std::string>(
          "--fail-level", [options](const std::string& level) { options->fail_level = k_levels.at(level); },
          "Exit 1 for findings from here on: error, warning (default), info or none")
      ->check(CLI::IsMember({"error", "warning", "info", "none"}))
      ->option_text("LEVEL");
  static const std::map<std::string, LintFormat> k_formats = {
      {"text", LintFormat::text}, {"json", LintFormat::json}, {"sarif", LintFormat::sarif}};
  command
      ->add_option_function<std::string>(
          "--format", [options](const std::string& format) { options->format = k_formats.at(format); },
          "text (default), json or sarif")
      ->check(CLI::IsMember({"text", "json", "sarif"}))
      ->option_text("FORMAT");
  command->add_option("--ignore", options->ignored, "A rule to leave out, by its name or an alias; may be repeated")
      ->type_name("RULE")
      ->allow_extra_args(false);
  command
      ->add_option("--require-label", options->lint.required_labels,
                   "A label that every image has to have; may be repeated")
      ->type_name("NAME")
      ->allow_extra_args(false);
  command->add_flag("--rules", options->lists_rules, "List the rules and their aliases");
  command->callback([&chosen, options] {
    chosen = [options](Session& session) -> Result<int> { return run_lint(*options, session); };
  });
}

}  // namespace torchkiln::cli
