#include "assembly/layer/tar_scanner.hpp"

#include "assembly/layer/gzip_members.hpp"
#include "assembly/layer/tar_header.hpp"

#include <algorithm>
#include <charconv>

namespace torchkiln::layer {

using base::Result;

namespace {

constexpr std::size_t k_tar_block_bytes = 512;
constexpr std::uint64_t k_extension_limit_bytes = 1U << 20;
constexpr std::string_view k_xattr_prefix = "SCHILY.xattr.";

std::string_view text_field(std::string_view block, std::size_t at, std::size_t size) {
  const auto field = block.substr(at, size);
  return field.substr(0, std::min(field.size(), field.find('\0')));
}

/// A number in octal digits, or in GNU's base 256.
Result<std::uint64_t> number_field(std::string_view block, std::size_t at, std::size_t size) {
  const auto field = block.substr(at, size);
  std::uint64_t value = 0;
  if (static_cast<unsigned char>(field[0]) == 0x80) {
    for (const char c : field.substr(size - 8)) value = value << 8 | static_cast<unsigned char>(c);
    return value;
  }
  for (const char c : field) {
    if (c == ' ' || c == '\0') continue;
    if (c < '0' || c > '7') return damaged_layer("a tar header has no number where one should be");
    value = value << 3 | static_cast<std::uint64_t>(c - '0');
  }
  return value;
}

bool is_extension(char type) {
  return type == 'x' || type == 'g' || type == 'L' || type == 'K';
}

}  // namespace

Result<void> TarScanner::feed(std::span<const std::byte> bytes) {
  std::string_view rest(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  while (!rest.empty()) {
    std::size_t taken = 0;
    if (m_left_bytes > 0) {
      taken = static_cast<std::size_t>(std::min<std::uint64_t>(m_left_bytes, rest.size()));
      const auto piece = rest.substr(0, taken);
      if (is_extension(m_entry.type))
        m_extension += piece;
      else
        m_content.update(piece);
      m_left_bytes -= taken;
    } else if (m_padding_bytes > 0) {
      taken = static_cast<std::size_t>(std::min<std::uint64_t>(m_padding_bytes, rest.size()));
      m_padding_bytes -= taken;
    } else {
      taken = std::min(k_tar_block_bytes - m_header.size(), rest.size());
      m_header += rest.substr(0, taken);
    }
    m_offset += taken;
    rest.remove_prefix(taken);
    if (m_header.size() == k_tar_block_bytes) {
      TK_CHECK(take_header());
      m_header.clear();
    }
    if (m_is_in_entry && m_left_bytes == 0) TK_CHECK(take_content());
  }
  return {};
}

Result<void> TarScanner::finish() const {
  if (!m_has_ended || m_left_bytes > 0) return damaged_layer("its tar is cut off");
  return {};
}

/// A whole header block is there.
Result<void> TarScanner::take_header() {
  const std::string_view block = m_header;
  const bool is_zero = std::all_of(block.begin(), block.end(), [](char c) { return c == '\0'; });
  if (is_zero) {
    if (!m_has_ended) m_end = m_offset - k_tar_block_bytes;
    m_has_ended = true;
    return {};
  }
  if (m_has_ended) return damaged_layer("its tar goes on after its end");
  m_entry = {};
  m_entry.type = block[156] == '\0' ? '0' : block[156];
  const auto prefix = block.substr(257, 6) == std::string_view("ustar\0", 6) ? text_field(block, 345, 155) : "";
  m_entry.path = (prefix.empty() ? "" : std::string(prefix) + "/") + std::string(text_field(block, 0, 100));
  m_entry.link_target = text_field(block, 157, 100);
  m_entry.user = text_field(block, 265, 32);
  m_entry.group = text_field(block, 297, 32);
  TK_TRY(const auto mode, number_field(block, 100, 8));
  TK_TRY(m_entry.uid, number_field(block, 108, 8));
  TK_TRY(m_entry.gid, number_field(block, 116, 8));
  TK_TRY(m_entry.size_bytes, number_field(block, 124, 12));
  TK_TRY(const auto time_s, number_field(block, 136, 12));
  m_entry.mode = static_cast<unsigned>(mode);
  m_entry.time_s = static_cast<std::int64_t>(time_s);
  if (m_entry.type == '3' || m_entry.type == '4') {
    TK_TRY(const auto major, number_field(block, 329, 8));
    TK_TRY(const auto minor, number_field(block, 337, 8));
    m_entry.device_major = static_cast<unsigned>(major);
    m_entry.device_minor = static_cast<unsigned>(minor);
  }
  if (is_extension(m_entry.type)) {
    if (m_entry.size_bytes > k_extension_limit_bytes) return damaged_layer("a tar header is too long");
    m_extension.clear();
  } else {
    apply_overrides();
  }
  m_is_in_entry = true;
  m_entry.content_begin = m_offset;
  m_content = {};
  m_left_bytes = m_entry.size_bytes;
  m_padding_bytes = tar_padding(m_entry.size_bytes);
  return {};
}

/// The content of an entry has gone by.
Result<void> TarScanner::take_content() {
  m_is_in_entry = false;
  switch (m_entry.type) {
    case 'x':
      TK_CHECK(read_pax(m_extension));
      break;
    case 'g':
      break;  // nothing that we write one for
    case 'L':
      m_overrides.fields["path"] = m_extension.c_str();
      break;
    case 'K':
      m_overrides.fields["linkpath"] = m_extension.c_str();
      break;
    default:
      if (m_entry.type == '0' && m_entry.size_bytes > 0) m_entry.content_digest = m_content.finish();
      m_entries.push_back(std::move(m_entry));
  }
  return {};
}

/// Notes what pax records say: "length key=value\n".
Result<void> TarScanner::read_pax(std::string_view records) {
  while (!records.empty()) {
    std::size_t length = 0;
    const auto [end, error] = std::from_chars(records.data(), records.data() + records.size(), length);
    const auto digits = static_cast<std::size_t>(end - records.data());
    if (error != std::errc() || length <= digits + 1 || length > records.size())
      return damaged_layer("a pax header cannot be read");
    const auto record = records.substr(digits + 1, length - digits - 2);
    const auto equals = record.find('=');
    if (equals == std::string_view::npos) return damaged_layer("a pax header cannot be read");
    const auto key = record.substr(0, equals), value = record.substr(equals + 1);
    if (key.starts_with(k_xattr_prefix))
      m_overrides.xattrs[std::string(key.substr(k_xattr_prefix.size()))] = value;
    else
      m_overrides.fields[std::string(key)] = value;
    records.remove_prefix(length);
  }
  return {};
}

void TarScanner::apply_overrides() {
  for (const auto& [key, value] : m_overrides.fields) {
    std::uint64_t number = 0;
    const bool is_number = std::from_chars(value.data(), value.data() + value.size(), number).ec == std::errc();
    if (key == "path") m_entry.path = value;
    if (key == "linkpath") m_entry.link_target = value;
    if (key == "uname") m_entry.user = value;
    if (key == "gname") m_entry.group = value;
    if (key == "size" && is_number) m_entry.size_bytes = number;
    if (key == "uid" && is_number) m_entry.uid = number;
    if (key == "gid" && is_number) m_entry.gid = number;
    if (key == "mtime" && is_number) m_entry.time_s = static_cast<std::int64_t>(number);
  }
  m_entry.xattrs = std::move(m_overrides.xattrs);
  m_overrides = {};
}

}  // namespace torchkiln::layer
