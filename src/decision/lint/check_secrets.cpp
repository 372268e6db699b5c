// Rules about secrets: whatever ARG, ENV or an address says can be read out of the image or its history.

#include "decision/lint/checks.hpp"
#include "foundation/base/text.hpp"

#include <algorithm>
#include <array>

namespace torchkiln::lint {

namespace {

/// Parts of a variable's name that mean a secret, as BuildKit has them (SecretsUsedInArgOrEnv).
constexpr std::array<std::string_view, 10> k_secret_words = {
    "apikey", "auth", "credential", "credentials", "key", "password", "pword", "passwd", "secret", "token"};

/// How tokens begin that their makers marked so that scanners find them.
constexpr std::array<std::string_view, 9> k_token_marks = {"ghp_", "gho_",  "github_pat_", "glpat-", "hf_",
                                                           "AKIA", "xoxb-", "sk-",         "pypi-"};
constexpr std::size_t k_token_bytes = 20;  ///< shorter is no token but a word that begins alike

bool names_secret(std::string_view variable) {
  const auto name = base::lower(variable);
  const auto words = base::split(name, '_');
  const auto has = [&](std::string_view word) {
    return std::find(words.begin(), words.end(), word) != words.end();
  };
  // The name of a file with a secret, and the public half of a key, may be known.
  if (has("public") || words.back() == "file" || words.back() == "path" || words.back() == "dir") return false;
  return std::any_of(k_secret_words.begin(), k_secret_words.end(), has);
}

bool is_token(std::string_view value) {
  return value.size() >= k_token_bytes &&
         std::any_of(k_token_marks.begin(), k_token_marks.end(),
                     [&](std::string_view mark) { return value.starts_with(mark); });
}

void check_variables(const Step& step, Findings& findings) {
  if (!step.is("ARG") && !step.is("ENV")) return;
  for (const auto& one : step.assignments)
    if (names_secret(one.name) || is_token(one.value))
      findings.add(
          "secret-in-environment", step, one.offset, "everybody who has the image can read " + shown(one.name),
          "mount it where it is needed: RUN --mount=type=secret,id=" + base::lower(shown(one.name)) + " …");
}

/// "https://user:password@host/": at most one finding a step.
void check_addresses(const Step& step, Findings& findings) {
  const auto look = [&](std::string_view text, std::size_t offset) {
    // A password that is a variable is only as secret as where its value comes from, which other rules look at.
    const auto scheme = text.find("://");
    if (scheme == std::string_view::npos) return false;
    const auto authority = text.substr(scheme + 3, text.substr(scheme + 3).find_first_of("/ \"'"));
    const auto at = authority.rfind('@');
    if (at == std::string_view::npos) return false;
    const auto user = authority.substr(0, at);
    const auto colon = user.find(':');
    if (colon == std::string_view::npos || colon + 1 == user.size() || user[colon + 1] == '$') return false;
    findings.add("credentials-in-address", step, offset,
                 "the password in " + base::without_credentials(shown(text)) + " stays in the image's history",
                 "keep it in a file that is mounted: RUN --mount=type=secret,id=pip_conf,target=/etc/pip.conf …");
    return true;
  };
  for (const auto& command : step.commands)
    for (const auto& word : command.words)
      if (look(word.text, word.offset)) return;
  for (const auto& one : step.assignments)
    if (look(one.value, one.offset)) return;
  for (const auto& word : step.words)
    if (look(word.text, word.offset)) return;
}

}  // namespace

void check_secrets(const Subject& subject, Findings& findings) {
  const auto check = [&](const Step& step) {
    check_variables(step, findings);
    check_addresses(step, findings);
  };
  for (const auto& step : subject.stages.before) check(step);
  for (const auto& stage : subject.stages.all)
    for (const auto& step : stage.steps) check(step);
}

}  // namespace torchkiln::lint
