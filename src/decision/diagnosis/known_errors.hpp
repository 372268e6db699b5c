#pragma once
// The errors that are known: the pieces of their texts and what is to be said about them. Internal to the room.

#include "decision/diagnosis/diagnosis.hpp"

#include <array>
#include <span>

namespace torchkiln::diagnosis {

inline constexpr std::size_t k_gap_bytes = 400;

/// Literal pieces in small letters that follow each other on one normalized line, at most `gap_bytes` apart. Unused
/// ones are empty.
struct Pattern {
  std::array<std::string_view, 3> pieces;
  std::size_t gap_bytes = k_gap_bytes;
};

struct Command {
  std::string_view text, command;
};

struct KnownError {
  std::string_view id, title, cause;
  Weight weight = Weight::cause;
  std::span<const Pattern> patterns;
  std::span<const Command> remedies;
  std::span<const std::string_view> threads;
};

/// In the order of their ids.
std::span<const KnownError> known_errors();

/// The line without ANSI escape sequences, white space and control codes as one space.
std::string normalized(std::string_view line);
/// The line without ANSI escape sequences.
std::string without_colors(std::string_view line);

/// What can be read out of an error's text. `line` begins with it; `following` are the lines behind. All
/// normalized.
std::vector<Detail> details_of(std::string_view id, std::string_view line, std::span<const std::string> following);

}  // namespace torchkiln::diagnosis
