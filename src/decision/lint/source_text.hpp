#pragma once
// A text put together from pieces of a file, whose every byte still knows where it stands in it.

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace torchkiln::lint {

/// Counts from 1; columns are code points.
struct Position {
  int line = 1;
  int column = 1;
  bool operator==(const Position&) const = default;
};

class SourceText {
 public:
  /// `piece` stands on one line; its first byte at `begin`.
  void append(std::string_view piece, Position begin);
  const std::string& bytes() const { return m_bytes; }
  /// Of a byte, or of the end.
  Position position(std::size_t offset) const;
  /// What begins at `offset`.
  SourceText from(std::size_t offset) const;

 private:
  struct Anchor {
    std::size_t offset;
    Position position;
  };
  std::string m_bytes;
  std::vector<Anchor> m_anchors;  ///< ascending; every piece's first byte
};

}  // namespace torchkiln::lint
