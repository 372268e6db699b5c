#pragma once
// One row's lines in a manifest, and how single keys of it are replaced. Internal to the room. Pure.

#include "knowledge/upstream/comparison.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace torchkiln::upstream {

using Lines = std::vector<std::string>;

/// The lines of a text, and back.
Lines split_lines(std::string_view text);
std::string join_lines(const Lines& lines);

/// A row's lines [begin, end) in its file. A row is a block that begins with [[table]], or one line of an array of
/// inline tables.
struct Block {
  std::size_t begin = 0, end = 0;
  bool is_inline = false;
};
/// The block that begins in `line` (from 1), as places count.
Block block_at(const Lines& file, int line);

/// Sets a key of a row; a new key stands before "source". `value` is TOML. "extras.x" is a key of the subtable.
void set_key(Lines& block, const std::string& key, const std::string& value);

/// The row as one line of an array of inline tables.
std::string to_inline_toml(const Row& row);

}  // namespace torchkiln::upstream
