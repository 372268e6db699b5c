// Rules about the file itself.

#include "decision/lint/checks.hpp"

namespace torchkiln::lint {

void check_file(const Subject& subject, Findings& findings) {
  for (const auto& problem : subject.file.problems)
    findings.add("syntax", problem.position, problem.position.line, problem.text,
                 "see the Dockerfile reference for the instructions and their forms");
  for (const auto& step : subject.stages.before) {
    if (step.is("ARG")) continue;
    findings.add("instruction-order", *step.instruction,
                 step.instruction->keyword + " stands before the first FROM",
                 "begin with FROM; only ARG may come before it");
  }
  if (subject.stages.all.empty())
    findings.add("instruction-order", Position{}, 1, "there is no FROM", "begin with FROM IMAGE:TAG");
}

}  // namespace torchkiln::lint
