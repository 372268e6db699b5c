#pragma once
// Tar headers (POSIX.1-2001 "pax", ustar fields where they suffice), as bytes that depend on nothing but the
// arguments.

#include <cstdint>
#include <string>
#include <string_view>

namespace torchkiln::layer {

/// What every entry of a wheel layer says of time: 1980-01-01T00:00:00Z, the earliest time that a zip, and so a
/// wheel, can state. Never the clock and never SOURCE_DATE_EPOCH: a wheel's layer depends on the wheel alone.
inline constexpr std::int64_t k_layer_time_s = 315532800;

enum class TarType : char { file = '0', symlink = '2', directory = '5' };

struct TarHeader {
  std::string path;  ///< relative, no "./"; a directory's ends in "/"
  TarType type = TarType::file;
  unsigned mode = 0644;
  unsigned uid = 0, gid = 0;
  std::uint64_t size_bytes = 0;
  std::int64_t time_s = k_layer_time_s;
  std::string link_target;
};

/// The header block, preceded by a pax extended header where a field needs it. User and group names are empty.
std::string tar_header(const TarHeader& header);
/// How many zero bytes follow `size_bytes` bytes of content.
std::size_t tar_padding(std::uint64_t size_bytes);
/// The end of an archive: two zero blocks.
std::string tar_end();

}  // namespace torchkiln::layer
