#include "knowledge/wheel/zip.hpp"

#include "foundation/base/text.hpp"

#include <algorithm>
#include <optional>
#include <unordered_set>

#include <fmt/format.h>

namespace torchkiln::wheel {

using base::ErrorCode;
using base::fail;
using base::Result;

namespace {

constexpr std::uint32_t k_local_signature = 0x04034b50, k_entry_signature = 0x02014b50,
                        k_end_signature = 0x06054b50, k_end64_signature = 0x06064b50,
                        k_end64_locator_signature = 0x07064b50, k_descriptor_signature = 0x08074b50;
constexpr std::size_t k_local_bytes = 30, k_entry_bytes = 46, k_end_bytes = 22, k_end64_bytes = 56,
                      k_end64_locator_bytes = 20, k_name_part_bytes = 255;
constexpr std::uint16_t k_zip64_extra = 0x0001, k_flag_encrypted = 1 | 1 << 6 | 1 << 13, k_flag_descriptor = 1 << 3,
                        k_flag_utf8 = 1 << 11, k_made_by_unix = 3;
constexpr std::uint32_t k_mode_type = 0170000, k_mode_regular = 0100000, k_mode_directory = 0040000;

std::uint64_t little_endian(std::string_view bytes, std::size_t at, std::size_t length) {
  std::uint64_t value = 0;
  for (std::size_t i = length; i-- > 0;) value = value << 8 | static_cast<unsigned char>(bytes[at + i]);
  return value;
}
std::uint16_t u16(std::string_view b, std::size_t at) {
  return static_cast<std::uint16_t>(little_endian(b, at, 2));
}
std::uint32_t u32(std::string_view b, std::size_t at) {
  return static_cast<std::uint32_t>(little_endian(b, at, 4));
}
std::uint64_t u64(std::string_view b, std::size_t at) {
  return little_endian(b, at, 8);
}

base::Unexpected bad_zip(std::string_view file, const std::string& what) {
  return fail(ErrorCode::input_invalid, std::string(file) + " is not a zip file that can be trusted: " + what);
}

/// Whether `text` is UTF-8 (RFC 3629): no overlong forms, no surrogates, nothing above U+10FFFF.
bool is_utf8(std::string_view text) {
  const auto byte = [&](std::size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0U; };
  for (std::size_t i = 0; i < text.size();) {
    const unsigned lead = byte(i), next = byte(i + 1);
    std::size_t length = 1;
    if (lead >= 0x80) {
      length = lead >= 0xc2 && lead <= 0xdf ? 2 : (lead & 0xf0) == 0xe0 ? 3 : lead >= 0xf0 && lead <= 0xf4 ? 4 : 0;
      if (length == 0) return false;
      if ((lead == 0xe0 && next < 0xa0) || (lead == 0xed && next > 0x9f) || (lead == 0xf0 && next < 0x90) ||
          (lead == 0xf4 && next > 0x8f))
        return false;
      for (std::size_t k = 1; k < length; ++k)
        if ((byte(i + k) & 0xc0) != 0x80) return false;
    }
    i += length;
  }
  return true;
}

/// What is wrong with an entry's name, if anything. `flags` are the entry's.
std::optional<std::string> name_problem(std::string_view name, std::uint16_t flags) {
  if (name.empty()) return "an entry without a name";
  if (name.size() > k_zip_name_limit_bytes)
    return fmt::format("a name longer than {} bytes", k_zip_name_limit_bytes);
  if (name.front() == '/') return "an absolute name";
  for (const char c : name) {
    if (c == '\\') return "a name with a backslash";
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) return "a name with a control character";
  }
  const bool ascii =
      std::all_of(name.begin(), name.end(), [](char c) { return static_cast<unsigned char>(c) < 0x80; });
  if (!ascii && !(flags & k_flag_utf8)) return "a name in an unknown encoding";
  if (!ascii && !is_utf8(name)) return "a name that is not UTF-8";
  if (name.ends_with('/')) name.remove_suffix(1);
  for (const auto part : base::split(name, '/')) {
    if (part.empty()) return "a name with an empty part";
    if (part == "." || part == "..") return "a name with a '" + std::string(part) + "' part";
    if (part.size() > k_name_part_bytes)
      return fmt::format("a name with a part longer than {} bytes", k_name_part_bytes);
    // Names that start with .wh. delete files in an image layer (OCI image-spec, layer.md, "Whiteouts").
    if (part.starts_with(".wh.")) return "a name reserved for whiteouts";
  }
  return std::nullopt;
}

/// A file whose name is also a folder of another entry, if there is one.
std::optional<std::string> file_and_folder(const std::vector<ZipEntry>& entries,
                                           const std::unordered_set<std::string>& names) {
  for (const auto& entry : entries)
    for (auto slash = entry.name.find('/'); slash != std::string::npos; slash = entry.name.find('/', slash + 1))
      if (auto folder = entry.name.substr(0, slash); names.count(folder)) return folder;
  return std::nullopt;
}

/// Replaces sizes and offset by those of the zip64 extra field where the 32-bit fields say so (4.5.3).
Result<void> apply_zip64(std::string_view extra, ZipEntry& entry, std::string_view file) {
  const bool size = entry.size_bytes == 0xffffffff, compressed = entry.compressed_bytes == 0xffffffff,
             offset = entry.header_offset == 0xffffffff;
  if (!size && !compressed && !offset) return {};
  for (std::size_t at = 0; at + 4 <= extra.size();) {
    const auto id = u16(extra, at), length = u16(extra, at + 2);
    at += 4;
    if (at + length > extra.size()) break;
    if (id == k_zip64_extra) {
      std::size_t field = at;
      for (auto [wanted, target] :
           {std::pair(size, &entry.size_bytes), std::pair(compressed, &entry.compressed_bytes),
            std::pair(offset, &entry.header_offset)}) {
        if (!wanted) continue;
        if (field + 8 > at + length) return bad_zip(file, "a zip64 field that is too short");
        *target = u64(extra, field);
        field += 8;
      }
      return {};
    }
    at += length;
  }
  return bad_zip(file, "sizes that need zip64 without a zip64 field");
}

/// The four ways to write what follows the data of an entry that was streamed (4.3.9): with and without a
/// signature, with sizes of 32 and 64 bits.
std::vector<std::string> data_descriptors(const ZipEntry& entry) {
  const auto bytes = [](std::uint64_t value, std::size_t length) {
    std::string text;
    for (std::size_t i = 0; i < length; ++i) text += static_cast<char>(value >> (8 * i) & 255);
    return text;
  };
  std::vector<std::string> forms;
  for (const std::size_t width : {4, 8}) {
    forms.push_back(bytes(entry.crc32, 4) + bytes(entry.compressed_bytes, width) + bytes(entry.size_bytes, width));
    forms.push_back(bytes(k_descriptor_signature, 4) + forms.back());
  }
  return forms;
}

}  // namespace

Result<ZipDirectoryLocation> locate_directory(std::string_view tail, std::uint64_t total_bytes,
                                              std::string_view file) {
  if (tail.size() != std::min(total_bytes, k_zip_tail_bytes)) return bad_zip(file, "its end is not whole");
  if (tail.size() < k_end_bytes) return bad_zip(file, "it is shorter than the end record");
  // The record must end the file exactly: of several candidates only one can, unless a comment hides another.
  std::optional<std::size_t> at;
  for (std::size_t i = tail.size() - k_end_bytes + 1; i-- > 0;) {
    if (u32(tail, i) != k_end_signature || i + k_end_bytes + u16(tail, i + 20) != tail.size()) continue;
    if (at) return bad_zip(file, "it has two end records");
    at = i;
  }
  if (!at) return bad_zip(file, "it has no end record");
  if (u16(tail, *at + 4) != 0 || u16(tail, *at + 6) != 0 || u16(tail, *at + 8) != u16(tail, *at + 10))
    return bad_zip(file, "it is split over several files");

  ZipDirectoryLocation location{u32(tail, *at + 16), u32(tail, *at + 12), u16(tail, *at + 10)};
  const std::uint64_t tail_offset = total_bytes - tail.size();
  std::uint64_t end_of_directory = tail_offset + *at;
  if (*at >= k_end64_locator_bytes && u32(tail, *at - k_end64_locator_bytes) == k_end64_locator_signature) {
    const std::uint64_t end64 = u64(tail, *at - k_end64_locator_bytes + 8);
    const std::size_t in_tail = *at - k_end64_locator_bytes - k_end64_bytes;
    if (*at < k_end64_locator_bytes + k_end64_bytes || end64 != tail_offset + in_tail ||
        u32(tail, in_tail) != k_end64_signature || u64(tail, in_tail + 4) != k_end64_bytes - 12)
      return bad_zip(file, "its zip64 end record lies elsewhere");
    const ZipDirectoryLocation wide{u64(tail, in_tail + 48), u64(tail, in_tail + 40), u64(tail, in_tail + 32)};
    // Readers that do not know zip64 must see the same, or that they see nothing.
    if ((location.offset != 0xffffffff && location.offset != wide.offset) ||
        (location.size_bytes != 0xffffffff && location.size_bytes != wide.size_bytes) ||
        (location.entries != 0xffff && location.entries != wide.entries))
      return bad_zip(file, "its two end records disagree");
    location = wide;
    end_of_directory = end64;
  }
  if (location.entries > k_zip_entry_limit)
    return bad_zip(file, fmt::format("it has {} entries; the limit is {}", location.entries, k_zip_entry_limit));
  if (location.size_bytes > end_of_directory || location.offset != end_of_directory - location.size_bytes)
    return bad_zip(file, "its directory does not end where the end record begins");
  return location;
}

Result<std::vector<ZipEntry>> parse_directory(std::string_view directory, const ZipDirectoryLocation& location,
                                              std::string_view file) {
  std::vector<ZipEntry> entries;
  std::unordered_set<std::string> names;
  std::uint64_t total_bytes = 0;
  std::size_t at = 0;
  while (at < directory.size()) {
    if (at + k_entry_bytes > directory.size() || u32(directory, at) != k_entry_signature)
      return bad_zip(file, "its directory is damaged");
    const auto made_by = directory[at + 5];
    const auto flags = u16(directory, at + 8), method = u16(directory, at + 10);
    const auto name_bytes = u16(directory, at + 28), extra_bytes = u16(directory, at + 30),
               comment_bytes = u16(directory, at + 32);
    const std::size_t next = at + k_entry_bytes + name_bytes + extra_bytes + comment_bytes;
    if (next > directory.size()) return bad_zip(file, "its directory is damaged");
    ZipEntry entry;
    entry.name = directory.substr(at + k_entry_bytes, name_bytes);
    entry.crc32 = u32(directory, at + 16);
    entry.compressed_bytes = u32(directory, at + 20);
    entry.size_bytes = u32(directory, at + 24);
    entry.header_offset = u32(directory, at + 42);
    TK_CHECK(apply_zip64(directory.substr(at + k_entry_bytes + name_bytes, extra_bytes), entry, file));
    const std::uint32_t mode = made_by == k_made_by_unix ? u32(directory, at + 38) >> 16 : 0;
    at = next;

    if (const auto problem = name_problem(entry.name, flags))
      return bad_zip(file, *problem + ": '" + entry.name + "'");
    if (flags & k_flag_encrypted) return bad_zip(file, "'" + entry.name + "' is encrypted");
    if (method != static_cast<std::uint16_t>(ZipMethod::stored) &&
        method != static_cast<std::uint16_t>(ZipMethod::deflated))
      return bad_zip(file, fmt::format("'{}' is compressed by method {}; only stored and deflate are known",
                                       entry.name, method));
    const auto type = mode & k_mode_type;
    if (type != 0 && type != k_mode_regular && type != k_mode_directory)
      return bad_zip(file, "'" + entry.name + "' is neither a file nor a folder");
    entry.method = static_cast<ZipMethod>(method);
    entry.is_directory = entry.name.ends_with('/');
    entry.is_executable = type == k_mode_regular && (mode & 0111) != 0;
    if (type == k_mode_directory && !entry.is_directory)
      return bad_zip(file, "'" + entry.name + "' is a folder by its mode, but not by its name");
    if (entry.is_directory && entry.size_bytes != 0)
      return bad_zip(file, "the folder '" + entry.name + "' has content");
    if (entry.method == ZipMethod::stored && entry.size_bytes != entry.compressed_bytes)
      return bad_zip(file, "'" + entry.name + "' is stored with two different sizes");
    if (!names.insert(entry.name).second) return bad_zip(file, "'" + entry.name + "' occurs twice");
    total_bytes += entry.size_bytes;
    if (entry.size_bytes > k_zip_total_limit_bytes || total_bytes > k_zip_total_limit_bytes)
      return bad_zip(file, "it unpacks to more than " + base::format_bytes(k_zip_total_limit_bytes));
    entries.push_back(std::move(entry));
  }
  if (entries.size() != location.entries)
    return bad_zip(file, fmt::format("its end record promises {} entries, its directory has {}", location.entries,
                                     entries.size()));

  if (const auto clash = file_and_folder(entries, names))
    return bad_zip(file, "'" + *clash + "' is a file and a folder");

  // No byte may belong to two entries ("overlapping" zip bombs), nor to an entry and the directory.
  std::vector<ZipEntry*> by_offset;
  for (auto& entry : entries) by_offset.push_back(&entry);
  std::sort(by_offset.begin(), by_offset.end(),
            [](const ZipEntry* a, const ZipEntry* b) { return a->header_offset < b->header_offset; });
  for (std::size_t i = 0; i < by_offset.size(); ++i) {
    auto& entry = *by_offset[i];
    const std::uint64_t limit = i + 1 < by_offset.size() ? by_offset[i + 1]->header_offset : location.offset;
    if (entry.header_offset > limit || limit - entry.header_offset < k_local_bytes + entry.name.size() ||
        limit - entry.header_offset - k_local_bytes - entry.name.size() < entry.compressed_bytes)
      return bad_zip(file, "'" + entry.name + "' overlaps what follows it");
    entry.end_offset = limit;
  }
  if (by_offset.empty() ? location.offset != 0 : by_offset.front()->header_offset != 0)
    return bad_zip(file, "it does not begin with its first entry");
  return entries;
}

Result<std::span<const std::byte>> entry_data(std::span<const std::byte> zip, const ZipEntry& entry,
                                              std::string_view file) {
  const std::string_view bytes(reinterpret_cast<const char*>(zip.data()), zip.size());
  if (entry.header_offset > bytes.size() || bytes.size() - entry.header_offset < k_local_bytes)
    return bad_zip(file, "'" + entry.name + "' lies outside the file");
  const auto header = bytes.substr(static_cast<std::size_t>(entry.header_offset));
  if (u32(header, 0) != k_local_signature) return bad_zip(file, "'" + entry.name + "' has no local header");
  const std::size_t name_bytes = u16(header, 26), extra_bytes = u16(header, 28),
                    data = k_local_bytes + name_bytes + extra_bytes;
  if (header.size() < data || header.size() - data < entry.compressed_bytes)
    return bad_zip(file, "'" + entry.name + "' lies outside the file");
  if (header.substr(k_local_bytes, name_bytes) != entry.name)
    return bad_zip(file, "'" + entry.name + "' has another name in its local header");
  const auto flags = u16(header, 6);
  if (u16(header, 8) != static_cast<std::uint16_t>(entry.method) || (flags & k_flag_encrypted))
    return bad_zip(file, "'" + entry.name + "' has another kind of content in its local header");

  std::vector<std::string> may_follow = {""};
  if (flags & k_flag_descriptor) {
    may_follow = data_descriptors(entry);
  } else {
    ZipEntry local;
    local.compressed_bytes = u32(header, 18);
    local.size_bytes = u32(header, 22);
    TK_CHECK(apply_zip64(header.substr(k_local_bytes + name_bytes, extra_bytes), local, file));
    if (u32(header, 14) != entry.crc32 || local.compressed_bytes != entry.compressed_bytes ||
        local.size_bytes != entry.size_bytes)
      return bad_zip(file, "'" + entry.name + "' has another size or CRC-32 in its local header");
  }
  const std::uint64_t end = entry.header_offset + data + entry.compressed_bytes;
  if (end > entry.end_offset || entry.end_offset > bytes.size())
    return bad_zip(file, "'" + entry.name + "' overlaps what follows it");
  const auto follows =
      bytes.substr(static_cast<std::size_t>(end), static_cast<std::size_t>(entry.end_offset - end));
  if (std::find(may_follow.begin(), may_follow.end(), follows) == may_follow.end())
    return bad_zip(file, "'" + entry.name + "' is followed by bytes that belong to nothing");
  return zip.subspan(static_cast<std::size_t>(entry.header_offset) + data,
                     static_cast<std::size_t>(entry.compressed_bytes));
}

}  // namespace torchkiln::wheel
