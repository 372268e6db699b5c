#include "decision/lint/source_text.hpp"

#include <algorithm>

namespace torchkiln::lint {

void SourceText::append(std::string_view piece, Position begin) {
  m_anchors.push_back({m_bytes.size(), begin});
  m_bytes += piece;
}

Position SourceText::position(std::size_t offset) const {
  if (m_anchors.empty()) return {};
  offset = std::min(offset, m_bytes.size());
  const auto after =
      std::upper_bound(m_anchors.begin(), m_anchors.end(), offset,
                       [](std::size_t value, const Anchor& anchor) { return value < anchor.offset; });
  const auto& anchor = after == m_anchors.begin() ? *after : *(after - 1);
  auto position = anchor.position;
  for (auto i = anchor.offset; i < offset; ++i)
    if ((static_cast<unsigned char>(m_bytes[i]) & 0xc0) != 0x80) ++position.column;
  return position;
}

SourceText SourceText::from(std::size_t offset) const {
  SourceText rest;
  if (offset > m_bytes.size()) return rest;
  rest.m_bytes = m_bytes.substr(offset);
  rest.m_anchors.push_back({0, position(offset)});
  for (const auto& anchor : m_anchors)
    if (anchor.offset > offset) rest.m_anchors.push_back({anchor.offset - offset, anchor.position});
  return rest;
}

}  // namespace torchkiln::lint
