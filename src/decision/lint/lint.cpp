#include "decision/lint/lint.hpp"

#include "decision/lint/checks.hpp"
#include "decision/lint/suppressions.hpp"

#include <algorithm>
#include <tuple>

namespace torchkiln::lint {

namespace {

constexpr std::size_t k_shown_bytes = 80;

}  // namespace

void Findings::add(std::string_view rule, Position position, int instruction_line, std::string text,
                   std::string fix) {
  const auto* known = find_rule(rule);
  TK_ASSERT(known != nullptr, "a finding is of a rule of the table");
  m_findings.push_back(
      {known, {m_file, position.line, position.column}, instruction_line, std::move(text), std::move(fix)});
}

std::string shown(std::string_view text) {
  std::string word;
  for (const char c : text.substr(0, k_shown_bytes)) {
    const auto byte = static_cast<unsigned char>(c);
    word += byte < 0x20 || byte == 0x7f ? ' ' : c;
  }
  if (text.size() <= k_shown_bytes) return word;
  while (!word.empty() && (static_cast<unsigned char>(word.back()) & 0xc0) == 0x80) word.pop_back();
  if (!word.empty() && static_cast<unsigned char>(word.back()) >= 0x80) word.pop_back();  // no half character
  return word + "…";
}

base::Result<std::vector<Finding>> lint(std::string_view text, const std::string& file,
                                        const matrix::Matrix& matrix, const Options& options) {
  TK_TRY(const auto dockerfile, read_dockerfile(text, file));
  const auto stages = stages_of(dockerfile);
  const Subject subject{dockerfile, stages, matrix, options};
  Findings found(file);
  for (const auto check : {check_file, check_bases, check_configuration, check_secrets, check_copies, check_apt,
                           check_pip, check_commands, check_gpu, check_cuda, check_torch})
    check(subject, found);
  auto findings = found.take();
  const Suppressions suppressions(dockerfile);
  std::erase_if(findings, [&](const Finding& finding) { return suppressions.cover(finding); });
  const auto order = [](const Finding& one) { return std::make_tuple(one.place.line, one.place.column, one.rule); };
  std::stable_sort(findings.begin(), findings.end(),
                   [&](const Finding& a, const Finding& b) { return order(a) < order(b); });
  findings.erase(std::unique(findings.begin(), findings.end(),
                             [&](const Finding& a, const Finding& b) { return order(a) == order(b); }),
                 findings.end());
  return findings;
}

}  // namespace torchkiln::lint
