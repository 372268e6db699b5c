#pragma once
// What lies where in a tar that streams by: every entry with all that its header says, the place of its content and
// the content's SHA-256. For tars that we or mmdebstrap made (ustar, pax, GNU long names). Internal to the room.

#include "foundation/base/digest.hpp"
#include "foundation/base/error.hpp"

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

namespace torchkiln::layer {

struct ScannedEntry {
  std::string path, link_target;  ///< as in the archive
  char type = '0';                ///< ustar's type flag
  unsigned mode = 0;
  std::uint64_t uid = 0, gid = 0;
  std::string user, group;
  std::int64_t time_s = 0;
  unsigned device_major = 0, device_minor = 0;
  std::map<std::string, std::string> xattrs;
  std::uint64_t content_begin = 0, size_bytes = 0;
  base::Digest content_digest;  ///< of a file with content
};

class TarScanner {
 public:
  base::Result<void> feed(std::span<const std::byte> bytes);
  /// Checks that the archive has ended.
  base::Result<void> finish() const;

  const std::vector<ScannedEntry>& entries() const { return m_entries; }
  /// Where the zero blocks that end the archive begin.
  std::uint64_t end() const { return m_end; }
  /// How much of what was fed surely comes before that.
  std::uint64_t settled() const { return m_has_ended ? m_end : m_offset - m_header.size(); }

 private:
  base::Result<void> take_header();
  base::Result<void> take_content();
  base::Result<void> read_pax(std::string_view records);
  void apply_overrides();

  /// What an extension header says about the entry after it.
  struct Overrides {
    std::map<std::string, std::string> fields;
    std::map<std::string, std::string> xattrs;
  };

  std::vector<ScannedEntry> m_entries;
  std::string m_header;     ///< as much of a block as there is
  ScannedEntry m_entry;     ///< whose content streams by
  std::string m_extension;  ///< the content of an extension header
  base::Sha256 m_content;
  std::uint64_t m_left_bytes = 0, m_padding_bytes = 0;
  std::uint64_t m_offset = 0, m_end = 0;
  Overrides m_overrides;
  bool m_is_in_entry = false;
  bool m_has_ended = false;
};

}  // namespace torchkiln::layer
