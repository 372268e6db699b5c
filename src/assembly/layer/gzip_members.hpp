#pragma once
// The members of a gzip layer of ours, one after the other (RFC 1952). Internal to the room.

#include "foundation/base/error.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>

namespace torchkiln::layer {

inline constexpr std::size_t k_gzip_trailer_bytes = 8;
/// Layers are read and unpacked in pieces of this size.
inline constexpr std::size_t k_read_piece_bytes = 1U << 20;

/// Where a member lies in the file, and what it gives.
struct GzipMember {
  std::uint64_t begin = 0;          ///< of its header
  std::uint64_t deflate_begin = 0;  ///< of its raw deflate stream
  std::uint64_t deflate_end = 0;
  std::uint64_t end = 0;        ///< after its trailer
  std::uint64_t tar_begin = 0;  ///< what it gives is this much of the tar
  std::uint64_t tar_end = 0;
};

using OnTar = std::function<base::Result<void>(std::span<const std::byte>)>;
using OnMember = std::function<base::Result<void>(const GzipMember&)>;

/// Inflates all members of `file`, which is mapped, checking each one's CRC-32 and size. `on_tar` gets the tar in
/// pieces, `on_member` each member when it has ended. `forget` is told of input that was used.
base::Result<void> read_members(std::span<const std::byte> file, const OnTar& on_tar, const OnMember& on_member,
                                const std::function<void(std::span<const std::byte>)>& forget);

/// Where a member's deflate stream begins, from its header at `at`; integrity_failed when there is none.
base::Result<std::uint64_t> member_content(std::span<const std::byte> file, std::uint64_t at);

/// Whether a member's trailer, at `at`, says this CRC-32 and size of what the member gives.
bool trailer_says(std::span<const std::byte> file, std::uint64_t at, std::uint32_t crc32, std::uint64_t size_bytes);

/// A gzip member by libdeflate: smaller than fixed_deflate's, but other bytes with another version of the library.
std::string packed_member(std::span<const std::byte> bytes);

/// A layer that is not what a layer of ours is.
base::Unexpected damaged_layer(const std::string& what);

}  // namespace torchkiln::layer
