#pragma once
// The central directory of a zip file (APPNOTE.TXT 6.3, sections 4.3 and 4.4), read strictly: whatever two zip
// readers could understand differently is refused. Works on bytes, wherever they came from.

#include "foundation/base/error.hpp"

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace torchkiln::wheel {

/// More entries than any real wheel has (torch has 12,000).
inline constexpr std::uint64_t k_zip_entry_limit = 500'000;
/// The largest uncompressed size of all entries together that is read, in bytes.
inline constexpr std::uint64_t k_zip_total_limit_bytes = 64ULL << 30;
/// The longest entry name in bytes: below what file systems take (4,096), with room for where it is installed.
inline constexpr std::uint64_t k_zip_name_limit_bytes = 3'000;
/// The end-of-directory record, its zip64 parts and the longest comment lie within this many last bytes.
inline constexpr std::uint64_t k_zip_tail_bytes = 66'000;

enum class ZipMethod : std::uint16_t { stored = 0, deflated = 8 };

struct ZipEntry {
  std::string name;  ///< safe: relative, '/' as separator, no "..", no control characters
  ZipMethod method = ZipMethod::stored;
  bool is_directory = false;
  bool is_executable = false;  ///< a regular file with any x bit, as pip and uv judge it
  std::uint32_t crc32 = 0;
  std::uint64_t compressed_bytes = 0;
  std::uint64_t size_bytes = 0;
  std::uint64_t header_offset = 0;  ///< of the local header
  std::uint64_t end_offset = 0;     ///< where the next entry's header, or the directory, begins
  bool operator==(const ZipEntry&) const = default;
};

/// Where the central directory lies.
struct ZipDirectoryLocation {
  std::uint64_t offset = 0;
  std::uint64_t size_bytes = 0;
  std::uint64_t entries = 0;
};

/// Reads the end-of-directory record (zip64 too) out of the last bytes of a file of `total_bytes`. `tail` must be
/// the last min(total_bytes, k_zip_tail_bytes) bytes. `file` names the zip in messages.
base::Result<ZipDirectoryLocation> locate_directory(std::string_view tail, std::uint64_t total_bytes,
                                                    std::string_view file);

/// Reads the directory's entries, in its order. Refused: names that are absolute, contain "..", backslashes, NUL
/// or control characters, or are not surely UTF-8; duplicates, and files where another entry needs a folder;
/// symbolic links; encryption; other methods than stored and deflated; overlapping entries, and bytes before the
/// first one; more than the limits above.
base::Result<std::vector<ZipEntry>> parse_directory(std::string_view directory,
                                                    const ZipDirectoryLocation& location, std::string_view file);

/// The entry's compressed bytes inside the whole file, after comparing the local header with the directory.
/// Refused: any difference between the two, and bytes between this entry and the next that belong to neither.
base::Result<std::span<const std::byte>> entry_data(std::span<const std::byte> zip, const ZipEntry& entry,
                                                    std::string_view file);

}  // namespace torchkiln::wheel
