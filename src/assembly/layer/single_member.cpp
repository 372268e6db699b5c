#include "assembly/layer/single_member.hpp"

#include "assembly/layer/fixed_deflate.hpp"
#include "assembly/layer/gzip_members.hpp"
#include "knowledge/wheel/inflate.hpp"

#include <algorithm>
#include <string>
#include <vector>
#include <zlib.h>

namespace torchkiln::layer {

using base::Result;
using Bytes = std::span<const std::byte>;

namespace {

/// Where in a deflate stream, in bits, its last block and its end are.
struct StreamEnds {
  std::uint64_t last_block_bit = 0;
  std::uint64_t end_bit = 0;
};

/// zlib's inflate, which alone says where blocks begin, closed at the end of its scope.
class Inflate {
 public:
  Inflate() { m_is_open = inflateInit2(&stream, -15) == Z_OK; }
  ~Inflate() {
    if (m_is_open) inflateEnd(&stream);
  }
  Inflate(const Inflate&) = delete;
  Inflate& operator=(const Inflate&) = delete;
  bool is_open() const { return m_is_open; }
  z_stream stream = {};

 private:
  bool m_is_open = false;
};

Result<StreamEnds> find_ends(Bytes rest, const std::function<void(Bytes)>& on_tar,
                             const std::function<void(Bytes)>& forget) {
  Inflate inflate;
  if (!inflate.is_open()) return base::fail(base::ErrorCode::internal, "zlib cannot begin to inflate");
  auto& z = inflate.stream;
  std::vector<std::byte> piece(k_read_piece_bytes);
  StreamEnds ends;
  std::uint64_t given = 0;
  Bytes input;
  for (;;) {
    if (z.avail_in == 0) {
      if (forget && !input.empty()) forget(input);
      input = rest.first(std::min(k_read_piece_bytes, rest.size()));
      rest = rest.subspan(input.size());
      if (input.empty()) return damaged_layer("its compressed data is cut off");
      z.next_in = reinterpret_cast<Bytef*>(const_cast<std::byte*>(input.data()));
      z.avail_in = static_cast<uInt>(input.size());
      given += input.size();
    }
    z.next_out = reinterpret_cast<Bytef*>(piece.data());
    z.avail_out = static_cast<uInt>(piece.size());
    const int status = ::inflate(&z, Z_BLOCK);
    if (status != Z_OK) return damaged_layer("its compressed data is damaged");
    if (const auto got = piece.size() - z.avail_out; got > 0) on_tar(std::span(piece).first(got));
    // data_type: bit 7 at a block's end, bit 6 in or after the last block, bits 0 to 2 unused bits of the last
    // byte.
    const std::uint64_t at_bit = (given - z.avail_in) * 8 - static_cast<std::uint64_t>(z.data_type & 7);
    if (!(z.data_type & 128)) continue;
    if (z.data_type & 64) {
      ends.end_bit = at_bit;
      return ends;
    }
    ends.last_block_bit = at_bit;
  }
}

/// The stream without its end mark where another follows.
Result<void> write_stream(Bytes stream, const StreamEnds& ends, bool is_last, sys::BlobStore::Writer& out) {
  if (is_last) return out.write(stream);
  const auto marked = static_cast<std::size_t>(ends.last_block_bit / 8);
  const auto last = stream.size() - 1;
  const auto unused_bits = stream.size() * 8 - ends.end_bit;
  const auto changed = [&](std::size_t at) {
    auto byte = std::to_integer<unsigned>(stream[at]);
    if (at == marked) byte &= ~(1U << (ends.last_block_bit % 8));
    if (at == last) byte &= 0xffU >> unused_bits;
    return static_cast<char>(byte);
  };
  TK_CHECK(out.write(stream.first(marked)));
  TK_CHECK(out.write(std::string(1, changed(marked))));
  std::string end;
  if (last > marked) {
    TK_CHECK(out.write(stream.subspan(marked + 1, last - marked - 1)));
    end += changed(last);
  }
  // An empty stored block (RFC 1951, 3.2.4): three zero bits, the rest of the byte, length 0 and its complement.
  if (unused_bits < 3) end += '\0';
  end += std::string("\0\0\xff\xff", 4);
  return out.write(end);
}

}  // namespace

Result<base::Digest> write_single_member(Bytes file, sys::BlobStore::Writer& out,
                                         const std::function<void(Bytes)>& forget) {
  base::Sha256 diff;
  std::uint32_t crc = 0;
  std::uint64_t tar_bytes = 0;
  TK_CHECK(out.write(gzip_header()));
  for (std::uint64_t at = 0; at < file.size();) {
    TK_TRY(const auto begin, member_content(file, at));
    const auto rest = file.subspan(static_cast<std::size_t>(begin));
    std::uint32_t member_crc = 0;
    const auto member_begin = tar_bytes;
    TK_TRY(const auto ends, find_ends(
                                rest,
                                [&](Bytes piece) {
                                  diff.update(piece);
                                  crc = wheel::crc32_of(piece, crc);
                                  member_crc = wheel::crc32_of(piece, member_crc);
                                  tar_bytes += piece.size();
                                },
                                forget));
    const auto size = static_cast<std::size_t>((ends.end_bit + 7) / 8);
    at = begin + size + k_gzip_trailer_bytes;
    if (at > file.size()) return damaged_layer("its end is cut off");
    if (!trailer_says(file, begin + size, member_crc, tar_bytes - member_begin))
      return damaged_layer("a gzip member's CRC-32 or size is wrong");
    TK_CHECK(write_stream(rest.first(size), ends, at == file.size(), out));
    if (forget) forget(rest.first(size));
  }
  TK_CHECK(out.write(gzip_trailer(crc, tar_bytes)));
  return diff.finish();
}

}  // namespace torchkiln::layer
