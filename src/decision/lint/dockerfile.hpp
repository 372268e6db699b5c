#pragma once
// Reads a Dockerfile as BuildKit does (moby/buildkit, frontend/dockerfile/parser): directives, comments, also those
// inside continuations, here-documents, flags and JSON forms. What BuildKit would refuse becomes a Problem, and the
// reading goes on.

#include "decision/lint/source_text.hpp"
#include "foundation/base/error.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace torchkiln::lint {

inline constexpr std::size_t k_file_bytes = 1U << 20;
inline constexpr std::size_t k_line_bytes = 64U << 10;    ///< BuildKit's scanner takes no longer one
inline constexpr std::size_t k_instruction_count = 4000;  ///< ten times the longest that we have met
inline constexpr std::size_t k_heredoc_count = 16;        ///< of one instruction

/// A word with its quotes removed.
struct Word {
  std::string text;
  std::size_t offset = 0;  ///< in the text that it was read from
  bool is_known = true;    ///< false: a variable in it has a value that only the build knows
};

/// "--mount=type=cache" is {"mount", "type=cache"}.
struct Flag {
  std::string name, value;
  Position position;
};

/// The lines between <<EOF and EOF.
struct HereDocument {
  std::string name;
  SourceText body;
};

/// Whether an instruction is for this build or, behind ONBUILD, for one that begins with its image.
enum class When { now, on_build };

struct Instruction {
  std::string keyword;  ///< in capitals; "RUN", for "ONBUILD RUN" too
  When when = When::now;
  Position begin;     ///< of the first word, be it ONBUILD
  int last_line = 1;  ///< of the here-documents, if there are any
  SourceText text;    ///< behind keyword and flags, on one line
  std::vector<Flag> flags;
  std::vector<HereDocument> heredocs;
  /// The exec form, ["program", "argument"], of an instruction that has one.
  std::optional<std::vector<std::string>> json;

  /// The value of a flag; several of one name: the first.
  const Flag* flag(std::string_view name) const;
};

struct Comment {
  int line = 1;
  std::string text;  ///< without its # and white space
};

struct Problem {
  Position position;
  std::string text;
};

struct Dockerfile {
  char escape = '\\';
  std::vector<Instruction> instructions;
  std::vector<Comment> comments;
  std::vector<Problem> problems;
};

/// input_invalid for a text that is over the limits or holds NUL.
base::Result<Dockerfile> read_dockerfile(std::string_view text, const std::string& file);

/// The words of `text` as ADD, COPY, ENV and their like take them: quotes and escapes removed.
std::vector<Word> words_of(std::string_view text, char escape);

}  // namespace torchkiln::lint
