#pragma once
// ARG and ENV, and their values in the words of instructions (Dockerfile reference, "Environment replacement").

#include "decision/lint/dockerfile.hpp"

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace torchkiln::lint {

inline constexpr std::size_t k_variable_count = 1000;  ///< of a stage; what comes after counts as unknown
inline constexpr std::size_t k_value_bytes = 8U << 10;

using Variables = std::map<std::string, std::string, std::less<>>;

/// $NAME, ${NAME}, ${NAME:-word}, ${NAME:+word} replaced; nothing when a value is only known to the build, or over
/// the limit.
std::optional<std::string> expanded(std::string_view text, const Variables& variables);

/// The word with its variables replaced, or marked as unknown.
Word expanded(Word word, const Variables& variables);

/// "NAME=value" pairs of ARG, ENV and LABEL.
struct Assignment {
  std::string name, value;
  std::size_t offset = 0;
  bool has_value = true;  ///< false for "ARG NAME"
  bool is_known = true;   ///< false: the value is only known to the build
};

/// Also the old form "ENV NAME value with blanks".
std::vector<Assignment> assignments_of(const Instruction& instruction, char escape);

}  // namespace torchkiln::lint
