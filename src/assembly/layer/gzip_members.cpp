#include "assembly/layer/gzip_members.hpp"

#include "assembly/layer/fixed_deflate.hpp"
#include "knowledge/wheel/inflate.hpp"

#include <algorithm>
#include <memory>
#include <vector>

#include <isa-l/igzip_lib.h>
#include <libdeflate.h>

namespace torchkiln::layer {

using base::Result;

namespace {

constexpr std::size_t k_gzip_header_bytes = 10;

std::uint32_t little_endian(std::span<const std::byte> bytes) {
  std::uint32_t value = 0;
  for (std::size_t i = 0; i < 4; ++i) value |= std::to_integer<std::uint32_t>(bytes[i]) << (8 * i);
  return value;
}

/// One raw deflate stream of unknown length, decoded piece by piece.
class DeflateStream {
 public:
  explicit DeflateStream(std::span<const std::byte> from) : m_rest(from) {
    isal_inflate_init(m_state.get());
    m_state->crc_flag = ISAL_DEFLATE;
  }
  bool ended() const { return m_state->block_state == ISAL_BLOCK_FINISH; }
  /// How many bytes of the input belong to the stream, once it has ended. ISA-L reads ahead by whole bytes.
  std::size_t unused_bytes() const {
    return m_rest.size() + m_state->avail_in + static_cast<std::size_t>(m_state->read_in_length / 8);
  }

  Result<std::span<const std::byte>> next(std::vector<std::byte>& piece,
                                          const std::function<void(std::span<const std::byte>)>& forget) {
    if (m_state->avail_in == 0 && !m_rest.empty()) {
      if (forget && !m_input.empty()) forget(m_input);
      m_input = m_rest.first(std::min(k_read_piece_bytes, m_rest.size()));
      m_rest = m_rest.subspan(m_input.size());
      m_state->next_in = reinterpret_cast<std::uint8_t*>(const_cast<std::byte*>(m_input.data()));
      m_state->avail_in = static_cast<std::uint32_t>(m_input.size());
    }
    m_state->next_out = reinterpret_cast<std::uint8_t*>(piece.data());
    m_state->avail_out = static_cast<std::uint32_t>(piece.size());
    if (isal_inflate(m_state.get()) < 0) return damaged_layer("its compressed data is damaged");
    const auto output = std::span(piece).first(piece.size() - m_state->avail_out);
    if (output.empty() && !ended() && m_state->avail_in == 0 && m_rest.empty())
      return damaged_layer("its compressed data is cut off");
    return output;
  }

 private:
  std::unique_ptr<inflate_state> m_state = std::make_unique<inflate_state>();
  std::span<const std::byte> m_rest, m_input;
};

}  // namespace

std::string packed_member(std::span<const std::byte> bytes) {
  constexpr int k_level = 6;
  const std::unique_ptr<libdeflate_compressor, void (*)(libdeflate_compressor*)> compressor(
      libdeflate_alloc_compressor(k_level), libdeflate_free_compressor);
  std::string deflated(libdeflate_deflate_compress_bound(compressor.get(), bytes.size()), '\0');
  deflated.resize(
      libdeflate_deflate_compress(compressor.get(), bytes.data(), bytes.size(), deflated.data(), deflated.size()));
  return gzip_header() + deflated + gzip_trailer(wheel::crc32_of(bytes), bytes.size());
}

base::Unexpected damaged_layer(const std::string& what) {
  return base::fail(base::ErrorCode::integrity_failed, "a layer in the cache cannot be read: " + what);
}

bool trailer_says(std::span<const std::byte> file, std::uint64_t at, std::uint32_t crc32,
                  std::uint64_t size_bytes) {
  const auto trailer = file.subspan(static_cast<std::size_t>(at), k_gzip_trailer_bytes);
  return little_endian(trailer) == crc32 &&
         little_endian(trailer.subspan(4)) == static_cast<std::uint32_t>(size_bytes);
}

Result<std::uint64_t> member_content(std::span<const std::byte> file, std::uint64_t at) {
  const auto byte = [&](std::size_t i) {
    return std::to_integer<unsigned>(file[static_cast<std::size_t>(at) + i]);
  };
  if (file.size() - at < k_gzip_header_bytes + k_gzip_trailer_bytes || byte(0) != 0x1f || byte(1) != 0x8b ||
      byte(2) != 8)
    return damaged_layer("it has no gzip member where one should begin");
  if (byte(3) != 0) return damaged_layer("a gzip member has fields that ours have not");
  return at + k_gzip_header_bytes;
}

Result<void> read_members(std::span<const std::byte> file, const OnTar& on_tar, const OnMember& on_member,
                          const std::function<void(std::span<const std::byte>)>& forget) {
  std::vector<std::byte> piece(k_read_piece_bytes);
  std::uint64_t tar_at = 0;
  for (std::uint64_t at = 0; at < file.size();) {
    GzipMember member;
    member.begin = at;
    member.tar_begin = tar_at;
    TK_TRY(member.deflate_begin, member_content(file, at));
    DeflateStream stream(file.subspan(static_cast<std::size_t>(member.deflate_begin)));
    std::uint32_t crc = 0;
    while (!stream.ended()) {
      TK_TRY(const auto output, stream.next(piece, forget));
      crc = wheel::crc32_of(output, crc);
      tar_at += output.size();
      if (!output.empty()) TK_CHECK(on_tar(output));
    }
    member.deflate_end = file.size() - stream.unused_bytes();
    member.end = member.deflate_end + k_gzip_trailer_bytes;
    member.tar_end = tar_at;
    if (member.end > file.size()) return damaged_layer("its end is cut off");
    if (!trailer_says(file, member.deflate_end, crc, tar_at - member.tar_begin))
      return damaged_layer("a gzip member's CRC-32 or size is wrong");
    if (on_member) TK_CHECK(on_member(member));
    at = member.end;
  }
  return {};
}

}  // namespace torchkiln::layer
