#pragma once
// The commands of a POSIX shell script (IEEE 1003.1, 2.10), as far as a linter needs them: what runs with which
// words, through which pipe. Control structures are walked through, nothing is run or expanded. What `sudo`, `env`,
// `xargs`, `sh -c` and their like run is a command as well.

#include "decision/lint/dockerfile.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace torchkiln::lint {

inline constexpr std::size_t k_shell_depth = 8;         ///< $(…) and sh -c inside each other
inline constexpr std::size_t k_command_count = 20'000;  ///< of one script; what follows is not looked at

enum class Piped { no, into_next };
/// Whether a command stands in the script, or another one of it runs it.
enum class Origin { written, wrapped };

struct Command {
  std::vector<Word> words;        ///< the program first; no assignments, no redirections
  std::vector<Word> assignments;  ///< NAME=value before it
  Piped piped = Piped::no;
  Origin origin = Origin::written;

  /// The program's name without its folder.
  std::string_view program() const;
  /// Whether a word other than the program is one of these.
  bool has(std::initializer_list<std::string_view> any) const;
};

/// In the order in which they stand. Offsets of words are those of `script` plus `offset`.
std::vector<Command> commands_of(std::string_view script, std::size_t offset = 0);

}  // namespace torchkiln::lint
