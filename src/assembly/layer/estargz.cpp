#include "assembly/layer/estargz.hpp"

#include "assembly/layer/gzip_members.hpp"
#include "assembly/layer/tar_header.hpp"
#include "assembly/layer/tar_scanner.hpp"
#include "foundation/base/text.hpp"
#include "knowledge/wheel/inflate.hpp"

#include <algorithm>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace torchkiln::layer {

using base::Result;
using Bytes = std::span<const std::byte>;

namespace {

constexpr const char* k_table_path = "stargz.index.json";
/// Members that are inflated once more, for what lies between the files, are at most this large: k_member_bytes of
/// the writers.
constexpr std::uint64_t k_member_limit_bytes = 64U << 20;

/// The tar, piece by piece, out of the members that give it.
class TarBytes {
 public:
  TarBytes(Bytes file, const std::vector<GzipMember>& members) : m_file(file), m_members(members) {}

  /// The member that gives exactly this part of the tar, if there is one.
  const GzipMember* member_of(std::uint64_t begin, std::uint64_t end) const {
    const auto at = std::lower_bound(m_members.begin(), m_members.end(), begin,
                                     [](const GzipMember& m, std::uint64_t b) { return m.tar_begin < b; });
    return at != m_members.end() && at->tar_begin == begin && at->tar_end == end ? &*at : nullptr;
  }

  Result<std::string> read(std::uint64_t begin, std::uint64_t end) {
    std::string bytes;
    while (begin < end) {
      const auto after = std::upper_bound(m_members.begin(), m_members.end(), begin,
                                          [](std::uint64_t b, const GzipMember& m) { return b < m.tar_begin; });
      TK_ASSERT(after != m_members.begin(), "the first member begins where the tar does");
      const auto& member = *(after - 1);
      TK_CHECK(open(member));
      const auto until = std::min(end, member.tar_end);
      bytes += std::string_view(m_opened).substr(static_cast<std::size_t>(begin - member.tar_begin),
                                                 static_cast<std::size_t>(until - begin));
      begin = until;
    }
    return bytes;
  }

 private:
  Result<void> open(const GzipMember& member) {
    if (m_open == &member) return {};
    if (member.tar_end - member.tar_begin > k_member_limit_bytes)
      return damaged_layer("a gzip member is too large");
    m_opened.clear();
    TK_CHECK(read_members(
        m_file.subspan(static_cast<std::size_t>(member.begin), static_cast<std::size_t>(member.end - member.begin)),
        [this](Bytes piece) -> Result<void> {
          m_opened.append(reinterpret_cast<const char*>(piece.data()), piece.size());
          return {};
        },
        {}, {}));
    m_open = &member;
    return {};
  }

  Bytes m_file;
  const std::vector<GzipMember>& m_members;
  const GzipMember* m_open = nullptr;
  std::string m_opened;
};

const char* table_type(char type) {
  switch (type) {
    case '1':
      return "hardlink";
    case '2':
      return "symlink";
    case '3':
      return "char";
    case '4':
      return "block";
    case '5':
      return "dir";
    case '6':
      return "fifo";
    default:
      return "reg";
  }
}

/// An entry of the table (docs/estargz.md, "TOC and TOCEntry"). A file is one chunk.
nlohmann::ordered_json table_entry(const ScannedEntry& entry, std::uint64_t offset) {
  nlohmann::ordered_json json = {{"name", entry.path},
                                 {"type", table_type(entry.type)},
                                 {"modtime", base::format_time(entry.time_s)},
                                 {"mode", entry.mode},
                                 {"uid", entry.uid},
                                 {"gid", entry.gid}};
  if (!entry.user.empty()) json["userName"] = entry.user;
  if (!entry.group.empty()) json["groupName"] = entry.group;
  if (!entry.link_target.empty()) json["linkName"] = entry.link_target;
  if (entry.type == '3' || entry.type == '4') {
    json["devMajor"] = entry.device_major;
    json["devMinor"] = entry.device_minor;
  }
  for (const auto& [key, value] : entry.xattrs) json["xattrs"][key] = base::to_base64(value);
  if (entry.type == '0' && entry.size_bytes > 0) {
    json["size"] = entry.size_bytes;
    json["offset"] = offset;
    json["digest"] = entry.content_digest.to_string();
    json["chunkDigest"] = entry.content_digest.to_string();
  }
  return json;
}

/// An empty gzip member whose extra field says where the table begins (docs/estargz.md, "Footer"): 51 bytes.
std::string footer(std::uint64_t table_offset) {
  const auto field = fmt::format("{:016x}STARGZ", table_offset);
  std::string bytes("\x1f\x8b\x08\x04\0\0\0\0\0\xff\x1a\0SG\x16\0", 16);
  bytes += field;
  bytes += std::string("\x01\0\0\xff\xff\0\0\0\0\0\0\0\0", 13);
  return bytes;
}

/// Everything up to the end of the archive, and the table of it.
Result<std::string> write_files(const TarScanner& scanner, TarBytes& tar, Bytes file, sys::BlobStore::Writer& out,
                                const std::function<void(Bytes)>& forget) {
  auto entries = nlohmann::ordered_json::array();
  std::uint64_t written = 0;
  const auto write_plain = [&](std::uint64_t end) -> Result<void> {
    if (written == end) return {};
    TK_TRY(const auto bytes, tar.read(written, end));
    written = end;
    return out.write(packed_member(std::as_bytes(std::span(bytes))));
  };
  for (const auto& entry : scanner.entries()) {
    std::uint64_t offset = 0;
    if (entry.type == '0' && entry.size_bytes > 0) {
      const auto end = entry.content_begin + entry.size_bytes;
      TK_CHECK(write_plain(entry.content_begin));
      offset = out.size_bytes();
      if (const auto* member = tar.member_of(entry.content_begin, end)) {
        const auto bytes = file.subspan(static_cast<std::size_t>(member->begin),
                                        static_cast<std::size_t>(member->end - member->begin));
        for (std::size_t at = 0; at < bytes.size(); at += k_read_piece_bytes) {
          const auto piece = bytes.subspan(at, std::min(k_read_piece_bytes, bytes.size() - at));
          TK_CHECK(out.write(piece));
          if (forget) forget(piece);
        }
        written = end;
      } else {
        TK_CHECK(write_plain(end));
      }
    }
    entries.push_back(table_entry(entry, offset));
  }
  TK_CHECK(write_plain(scanner.end()));
  return nlohmann::ordered_json{{"version", 1}, {"entries", std::move(entries)}}.dump(
      -1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

}  // namespace

Result<Estargz> write_estargz(Bytes file, sys::BlobStore::Writer& out, const std::function<void(Bytes)>& forget) {
  std::vector<GzipMember> members;
  TarScanner scanner;
  base::Sha256 source, diff;
  std::string held;  // what may be the archive's end, which the table comes before
  std::uint64_t hashed = 0;
  const auto on_tar = [&](Bytes piece) -> Result<void> {
    source.update(piece);
    auto scanned = scanner.feed(piece);
    held.append(reinterpret_cast<const char*>(piece.data()), piece.size());
    const auto settled = static_cast<std::size_t>(scanner.settled() - hashed);
    diff.update(std::string_view(held).substr(0, settled));
    held.erase(0, settled);
    hashed += settled;
    return scanned;
  };
  const auto on_member = [&](const GzipMember& member) -> Result<void> {
    members.push_back(member);
    return {};
  };
  TK_CHECK(read_members(file, on_tar, on_member, forget));
  TK_CHECK(scanner.finish());
  TarBytes tar(file, members);
  TK_TRY(const auto table, write_files(scanner, tar, file, out, forget));

  TarHeader header;
  header.path = k_table_path;
  header.size_bytes = table.size();
  header.mode = 0444;
  const auto table_offset = out.size_bytes();
  const auto end = tar_header(header) + table + std::string(tar_padding(table.size()), '\0') + tar_end();
  TK_CHECK(out.write(packed_member(std::as_bytes(std::span(end)))));
  TK_CHECK(out.write(footer(table_offset)));

  diff.update(end);
  return Estargz{source.finish(), diff.finish(), scanner.end() + end.size(), base::Digest::of(table)};
}

}  // namespace torchkiln::layer
