#pragma once
// Reads a tar archive (POSIX ustar and pax, GNU long names) as it streams by. Strict: what two readers could take
// differently is refused, so that nobody sees another tree than we do (docs: faults F39, F40).

#include "foundation/base/error.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace torchkiln::runtime {

struct TarEntry {
  enum class Type { file, directory, symbolic_link, hard_link, fifo, device };
  Type type = Type::file;
  std::string path;    ///< as in the archive: "./usr/bin/env", "usr/"
  std::string target;  ///< of links
  unsigned mode = 0;   ///< permission bits, set-id bits and sticky bit
  std::uint64_t uid = 0;
  std::uint64_t gid = 0;
  std::int64_t mtime_s = 0;
  std::uint32_t mtime_ns = 0;
  std::uint64_t size_bytes = 0;
};

class TarReader {
 public:
  /// Gives the next bytes of the archive, valid until the next call; empty at the end.
  using Pull = std::function<base::Result<std::span<const std::byte>>()>;
  explicit TarReader(Pull pull) : m_pull(std::move(pull)) {}

  /// The next entry; nothing at the end of the archive, which has been read to its last byte then.
  base::Result<std::optional<TarEntry>> next();
  /// The next piece of the current entry's data, valid until the next call; empty when there is no more.
  base::Result<std::span<const std::byte>> data();

 private:
  static constexpr std::size_t k_block_bytes = 512;
  using Header = std::array<char, k_block_bytes>;
  /// What pax and GNU headers say about the entry after them.
  struct Overrides {
    std::optional<std::string> path, target;
    std::optional<std::uint64_t> size_bytes, uid, gid;
    std::optional<std::int64_t> mtime_s;
    std::uint32_t mtime_ns = 0;
  };

  base::Result<bool> fill();
  base::Result<bool> read_header(Header& header);
  base::Result<void> skip_data();
  base::Result<void> expect_zeros();
  base::Result<std::string> read_extension(std::uint64_t size_bytes);
  base::Result<void> apply_pax(std::string_view records, Overrides& overrides, bool global) const;
  base::Result<TarEntry> make_entry(const Header& header, Overrides overrides) const;
  base::Unexpected malformed(std::string what) const;

  Pull m_pull;
  std::span<const std::byte> m_piece;  ///< what is left of the last piece pulled
  std::uint64_t m_data_left_bytes = 0;
  std::uint64_t m_padding_bytes = 0;
  std::uint64_t m_offset_bytes = 0;
};

}  // namespace torchkiln::runtime
