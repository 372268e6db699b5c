#pragma once
// What `torchkiln lint` found, for people and for programs. Pure.

#include "decision/lint/lint.hpp"
#include "interface/console/terminal.hpp"

#include <string>
#include <vector>

namespace torchkiln::console {

struct LintReport {
  std::vector<std::string> files;
  std::vector<lint::Finding> findings;  ///< file by file, in their order
};

/// "Dockerfile:5:9: warning: … [apt-unpinned, DL3008]", its fix below, and a line that counts.
std::string lint_text(const LintReport& report, const Paint& paint);
/// torchkiln.lint/1.
std::string lint_json(const LintReport& report);
/// SARIF 2.1.0; the rules that found something are described in it.
std::string lint_sarif(const LintReport& report);

/// The rules themselves: a line each, and torchkiln.lint-rules/1.
std::string lint_rules_text(const Paint& paint);
std::string lint_rules_json();

}  // namespace torchkiln::console
