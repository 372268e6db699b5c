#pragma once
// Raw DEFLATE (RFC 1951) decoding in bounded memory, by ISA-L.

#include "foundation/base/error.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>

namespace torchkiln::wheel {

/// Decodes one raw deflate stream that must take all of `deflated`, giving the output in pieces of at most
/// k_inflate_piece_bytes to `take`. Checks that exactly `size_bytes` come out and that their CRC-32 is `crc32`.
/// `used` is told of each piece of `deflated`, once and in order, when it has been decoded.
inline constexpr std::size_t k_inflate_piece_bytes = 1U << 20;
using OnPiece = std::function<void(std::span<const std::byte>)>;
base::Result<void> inflate(std::span<const std::byte> deflated, std::uint64_t size_bytes, std::uint32_t crc32,
                           const OnPiece& take, const OnPiece& used = {});

/// CRC-32 (ISO-HDLC, as in zip and gzip) of `bytes`, continuing from `seed`.
std::uint32_t crc32_of(std::span<const std::byte> bytes, std::uint32_t seed = 0);

}  // namespace torchkiln::wheel
