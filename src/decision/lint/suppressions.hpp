#pragma once
// Comments that take findings away: "# torchkiln ignore=RULE[,RULE…]" for one instruction, with "global" before
// "ignore" for the file. hadolint's and tally's comments are read the same way, and checkov's skip.

#include "decision/lint/dockerfile.hpp"
#include "decision/lint/lint.hpp"

#include <set>
#include <string>
#include <utility>

namespace torchkiln::lint {

class Suppressions {
 public:
  explicit Suppressions(const Dockerfile& file);
  bool cover(const Finding& finding) const;

 private:
  std::set<const Rule*> m_global;
  std::set<std::pair<int, const Rule*>> m_local;  ///< by the instruction's first line
};

}  // namespace torchkiln::lint
