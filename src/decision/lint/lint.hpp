#pragma once
// torchkiln lint: the text of a Dockerfile → what is wrong with it. Pure. Rules that other linters have too carry
// their names as aliases; those about GPUs ask the matrix. docs/lint.md lists them.

#include "foundation/base/error.hpp"
#include "knowledge/matrix/matrix.hpp"

#include <array>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace torchkiln::lint {

enum class Severity { info, warning, error };
std::string_view name(Severity severity);

struct Rule {
  std::string_view id;  ///< "apt-unpinned"
  Severity severity = Severity::warning;
  std::string_view summary;  ///< what it asks for, one line
  /// What hadolint (DL), checkov (CKV), trivy (DS), dockle (CIS-DI, DKL), BuildKit and tally call it. Unused ones are empty.
  std::array<std::string_view, 8> aliases;

  /// "apt-unpinned" or any alias, in any case.
  bool is_called(std::string_view name) const;
};

/// In the order of docs/lint.md.
std::span<const Rule> rules();
const Rule* find_rule(std::string_view id_or_alias);

struct Finding {
  const Rule* rule = nullptr;
  base::Place place;
  int instruction_line = 1;  ///< where the instruction begins that `place` is in
  std::string text;          ///< one line, lower case, no full stop
  std::string fix;           ///< what to write instead
};

/// What only whoever asks can know.
struct Options {
  std::vector<std::string> required_labels;
};

/// In the order of the file. A comment before an instruction or inside it, "# torchkiln ignore=RULE,ALIAS" (also
/// "hadolint", "tally"), takes the instruction's findings of these rules away; "# torchkiln global ignore=RULE"
/// takes them from the file. Errors: input_invalid for what is over the limits of dockerfile.hpp.
base::Result<std::vector<Finding>> lint(std::string_view text, const std::string& file,
                                        const matrix::Matrix& matrix, const Options& options = {});

}  // namespace torchkiln::lint
