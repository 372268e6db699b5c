#include "knowledge/wheel/inflate.hpp"

#include <algorithm>
#include <limits>
#include <memory>
#include <vector>

#include <isa-l/crc.h>
#include <isa-l/igzip_lib.h>

namespace torchkiln::wheel {

using base::ErrorCode;
using base::fail;

std::uint32_t crc32_of(std::span<const std::byte> bytes, std::uint32_t seed) {
  return crc32_gzip_refl(seed, reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size());
}

base::Result<void> inflate(std::span<const std::byte> deflated, std::uint64_t size_bytes, std::uint32_t crc32,
                           const OnPiece& take, const OnPiece& used) {
  const auto state = std::make_unique<inflate_state>();
  isal_inflate_init(state.get());
  state->crc_flag = ISAL_DEFLATE;
  std::vector<std::byte> piece(
      static_cast<std::size_t>(std::clamp<std::uint64_t>(size_bytes, 1, k_inflate_piece_bytes)));
  std::uint64_t produced = 0;
  std::uint32_t crc = 0;
  std::size_t consumed = 0;
  std::span<const std::byte> input;
  do {
    if (state->avail_in == 0 && consumed < deflated.size()) {
      if (used && !input.empty()) used(input);
      input = deflated.subspan(consumed, std::min(k_inflate_piece_bytes, deflated.size() - consumed));
      state->next_in = reinterpret_cast<std::uint8_t*>(const_cast<std::byte*>(input.data()));
      state->avail_in = static_cast<std::uint32_t>(input.size());
      consumed += input.size();
    }
    state->next_out = reinterpret_cast<std::uint8_t*>(piece.data());
    state->avail_out = static_cast<std::uint32_t>(piece.size());
    const int status = isal_inflate(state.get());
    if (status < 0) return fail(ErrorCode::input_invalid, "its compressed data is damaged");
    const auto output = std::span(piece).first(piece.size() - state->avail_out);
    produced += output.size();
    if (produced > size_bytes) return fail(ErrorCode::input_invalid, "it unpacks to more than its size");
    crc = crc32_of(output, crc);
    if (!output.empty()) take(output);
    if (output.empty() && state->avail_in == 0 && consumed == deflated.size() &&
        state->block_state != ISAL_BLOCK_FINISH)
      return fail(ErrorCode::input_invalid, "its compressed data is cut off");
  } while (state->block_state != ISAL_BLOCK_FINISH);
  // ISA-L reads ahead by whole bytes into its bit buffer; what is left there belongs to nobody.
  const std::size_t unread =
      state->avail_in + (deflated.size() - consumed) + static_cast<std::size_t>(state->read_in_length / 8);
  if (unread != 0) return fail(ErrorCode::input_invalid, "it has bytes after its compressed data");
  if (produced != size_bytes) return fail(ErrorCode::input_invalid, "it unpacks to less than its size");
  if (crc != crc32) return fail(ErrorCode::integrity_failed, "its CRC-32 is wrong");
  if (used && !input.empty()) used(input);
  return {};
}

}  // namespace torchkiln::wheel
