#pragma once
// What the rules share: what they look at and where they put what they find. Internal to the room. Each check_…()
// holds the rules of one subject.

#include "decision/lint/lint.hpp"
#include "decision/lint/stages.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace torchkiln::lint {

struct Subject {
  const Dockerfile& file;
  const Stages& stages;
  const matrix::Matrix& matrix;
  const Options& options;
};

class Findings {
 public:
  explicit Findings(std::string file) : m_file(std::move(file)) {}

  /// One finding of each rule at a place; the first counts.
  void add(std::string_view rule, Position position, int instruction_line, std::string text, std::string fix);
  void add(std::string_view rule, const Step& step, std::size_t offset, std::string text, std::string fix) {
    add(rule, step.position(offset), step.instruction->begin.line, std::move(text), std::move(fix));
  }
  /// At the instruction itself.
  void add(std::string_view rule, const Instruction& instruction, std::string text, std::string fix) {
    add(rule, instruction.begin, instruction.begin.line, std::move(text), std::move(fix));
  }
  std::vector<Finding> take() { return std::move(m_findings); }

 private:
  std::string m_file;
  std::vector<Finding> m_findings;
};

void check_file(const Subject& subject, Findings& findings);
void check_bases(const Subject& subject, Findings& findings);
void check_configuration(const Subject& subject, Findings& findings);
void check_secrets(const Subject& subject, Findings& findings);
void check_copies(const Subject& subject, Findings& findings);
void check_apt(const Subject& subject, Findings& findings);
void check_pip(const Subject& subject, Findings& findings);
void check_commands(const Subject& subject, Findings& findings);
void check_gpu(const Subject& subject, Findings& findings);
void check_cuda(const Subject& subject, Findings& findings);
void check_torch(const Subject& subject, Findings& findings);

/// A word of a file, fit for a message: on one line and not longer than it has to be.
std::string shown(std::string_view text);

}  // namespace torchkiln::lint
