#pragma once
// Zip files and wheels made by hand, byte for byte, with every fault that a test asks for.

#include "foundation/base/digest.hpp"
#include "foundation/base/text.hpp"
#include "knowledge/wheel/inflate.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace torchkiln::test {

inline std::string little_endian(std::uint64_t value, std::size_t bytes) {
  std::string text;
  for (std::size_t i = 0; i < bytes; ++i) text += static_cast<char>(value >> (8 * i) & 255);
  return text;
}

/// A raw DEFLATE stream of stored blocks (RFC 1951, 3.2.4), which needs no compressor.
inline std::string stored_deflate(std::string_view bytes) {
  std::string text;
  do {
    const auto piece = bytes.substr(0, 65535);
    bytes.remove_prefix(piece.size());
    text += bytes.empty() ? '\1' : '\0';
    text += little_endian(piece.size(), 2) + little_endian(~piece.size() & 0xffff, 2) + std::string(piece);
  } while (!bytes.empty());
  return text;
}

/// One entry. What is set replaces what would be right.
struct ZipPart {
  std::string name, content;
  std::uint16_t method = 8;
  std::uint32_t mode = 0100644;
  std::uint16_t flags = 0;
  std::uint8_t made_by = 3;
  bool data_descriptor = false;
  bool zip64 = false;  ///< sizes in zip64 fields, though they would fit without
  std::string extra, local_extra, gap_after;
  std::optional<std::string> local_name, data;
  std::optional<std::uint16_t> local_method, local_flags;
  std::optional<std::uint32_t> crc32, local_crc32;
  std::optional<std::uint64_t> size_bytes, compressed_bytes, header_offset;
};

struct ZipBuilder {
  std::vector<ZipPart> parts;
  std::string before;  ///< bytes in front of the first entry, offsets counted with them
  std::string prefix;  ///< bytes in front of everything, offsets not counted with them
  std::string comment, after;
  bool zip64_end = false;
  std::string between_ends;  ///< after the zip64 end record, before its locator
  std::optional<std::uint64_t> entries, entries_here, directory_bytes, directory_offset, end64_entries;

  std::string bytes() const {
    std::string file = before, directory;
    for (const auto& part : parts) {
      const auto data = part.data.value_or(part.method == 8 ? stored_deflate(part.content) : part.content);
      const auto crc = part.crc32.value_or(wheel::crc32_of(std::as_bytes(std::span(part.content))));
      const auto size = part.size_bytes.value_or(part.content.size()),
                 packed = part.compressed_bytes.value_or(data.size());
      const auto flags = static_cast<std::uint16_t>(part.flags | (part.data_descriptor ? 8 : 0));
      const auto offset = part.header_offset.value_or(file.size());
      const auto name = part.local_name.value_or(part.name);
      const bool wide = part.zip64 || size > 0xfffffffe || packed > 0xfffffffe || offset > 0xfffffffe;
      const auto field = [&](std::uint64_t value) { return little_endian(wide ? 0xffffffff : value, 4); };
      const std::string wide_sizes = wide ? little_endian(size, 8) + little_endian(packed, 8) : "";
      const auto local_extra =
          part.local_extra + (wide ? little_endian(1, 2) + little_endian(16, 2) + wide_sizes : "");
      const auto extra =
          part.extra +
          (wide ? little_endian(1, 2) + little_endian(24, 2) + wide_sizes + little_endian(offset, 8) : "");
      const std::uint32_t local_crc = part.data_descriptor ? 0 : part.local_crc32.value_or(crc);

      file += "PK\3\4" + little_endian(wide ? 45 : 20, 2) + little_endian(part.local_flags.value_or(flags), 2) +
              little_endian(part.local_method.value_or(part.method), 2) + little_endian(0x00210000, 4) +
              little_endian(local_crc, 4) +
              (part.data_descriptor && !wide ? little_endian(0, 8) : field(packed) + field(size)) +
              little_endian(name.size(), 2) + little_endian(local_extra.size(), 2) + name + local_extra + data;
      if (part.data_descriptor)
        file += "PK\7\10" + little_endian(crc, 4) + little_endian(packed, wide ? 8 : 4) +
                little_endian(size, wide ? 8 : 4);
      file += part.gap_after;
      directory += "PK\1\2" + little_endian(20, 1) + little_endian(part.made_by, 1) +
                   little_endian(wide ? 45 : 20, 2) + little_endian(flags, 2) + little_endian(part.method, 2) +
                   little_endian(0x00210000, 4) + little_endian(crc, 4) + field(packed) + field(size) +
                   little_endian(part.name.size(), 2) + little_endian(extra.size(), 2) + little_endian(0, 6) +
                   little_endian(std::uint64_t(part.mode) << 16, 4) + field(offset) + part.name + extra;
    }
    const auto count = entries.value_or(parts.size()), bytes_there = directory_bytes.value_or(directory.size()),
               offset = directory_offset.value_or(file.size());
    file += directory;
    if (zip64_end) {
      const auto end64 = file.size();
      file += "PK\6\6" + little_endian(44, 8) + little_endian(45, 2) + little_endian(45, 2) + little_endian(0, 8) +
              little_endian(end64_entries.value_or(count), 8) + little_endian(end64_entries.value_or(count), 8) +
              little_endian(bytes_there, 8) + little_endian(offset, 8) + between_ends;
      file += "PK\6\7" + little_endian(0, 4) + little_endian(end64, 8) + little_endian(1, 4);
    }
    file += "PK\5\6" + little_endian(0, 4) + little_endian(entries_here.value_or(count), 2) +
            little_endian(count, 2) + little_endian(bytes_there, 4) + little_endian(offset, 4) +
            little_endian(comment.size(), 2) + comment + after;
    return prefix + file;
  }
};

/// A file in a wheel.
struct WheelFile {
  std::string content;
  std::uint32_t mode = 0100644;
  std::uint16_t method = 8;
};

/// A wheel: its files, and WHEEL, METADATA and RECORD where they are not among them.
struct WheelBuilder {
  std::string name = "demo", version = "1.0", tags = "py3-none-any";
  std::map<std::string, WheelFile> files;

  std::string file_name() const { return name + "-" + version + "-" + tags + ".whl"; }
  std::string dist_info() const { return name + "-" + version + ".dist-info"; }

  ZipBuilder zip() const {
    auto all = files;
    all.emplace(dist_info() + "/METADATA",
                WheelFile{"Metadata-Version: 2.1\nName: " + name + "\nVersion: " + version + "\n"});
    all.emplace(dist_info() + "/WHEEL",
                WheelFile{"Wheel-Version: 1.0\nGenerator: hand\nRoot-Is-Purelib: true\nTag: " + tags + "\n"});
    std::string record;
    for (const auto& [path, file] : all)
      record +=
          (path.find_first_of(",\"") == std::string::npos ? path
                                                          : "\"" + base::replace_all(path, "\"", "\"\"") + "\"") +
          ",sha256=" + base::Digest::of(file.content).base64url() + "," + std::to_string(file.content.size()) +
          "\n";
    all.emplace(dist_info() + "/RECORD", WheelFile{record + dist_info() + "/RECORD,,\n"});
    ZipBuilder zip;
    for (const auto& [path, file] : all) {
      ZipPart part;
      part.name = path;
      part.content = file.content;
      part.method = file.method;
      part.mode = file.mode;
      zip.parts.push_back(std::move(part));
    }
    return zip;
  }
  std::string bytes() const { return zip().bytes(); }
};

}  // namespace torchkiln::test
