#include "assembly/runtime/tar_reader.hpp"

#include "foundation/base/text.hpp"

#include <algorithm>
#include <cstring>
#include <limits>

namespace torchkiln::runtime {

using base::ErrorCode;
using base::fail;
using base::Result;

namespace {

/// Linux's PATH_MAX; no longer name can be unpacked.
constexpr std::size_t k_path_limit_bytes = 4096;
/// Of one pax or GNU extension header.
constexpr std::uint64_t k_extension_limit_bytes = 1U << 20;

/// The largest user or group id; the one above it means "none" to Linux.
constexpr std::uint64_t k_owner_limit = 0xfffffffe;

// Fields of a header block: POSIX.1-2017, pax, "ustar Interchange Format".
struct Field {
  std::size_t offset, size;
};
constexpr Field k_name = {0, 100}, k_mode = {100, 8}, k_uid = {108, 8}, k_gid = {116, 8}, k_size = {124, 12},
                k_mtime = {136, 12}, k_checksum = {148, 8}, k_type = {156, 1}, k_link_name = {157, 100},
                k_magic = {257, 8}, k_prefix = {345, 155};

std::string_view field(std::span<const char> header, Field where) {
  return {header.data() + where.offset, where.size};
}

/// The text up to the first NUL.
std::string text_field(std::span<const char> header, Field where) {
  const auto all = field(header, where);
  return std::string(all.substr(0, all.find('\0')));
}

/// Octal digits, or GNU's base 256 when the first bit is set.
std::optional<std::int64_t> number_field(std::span<const char> header, Field where) {
  auto digits = field(header, where);
  if (static_cast<unsigned char>(digits[0]) & 0x80) {
    const bool negative = static_cast<unsigned char>(digits[0]) & 0x40;
    std::uint64_t value = negative ? ~std::uint64_t{0} : 0;
    for (std::size_t i = 0; i < digits.size(); ++i) {
      const auto byte = static_cast<unsigned char>(digits[i]);
      const unsigned char fill = negative ? 0xff : (i == 0 ? 0x80 : 0);
      if (i + 8 < digits.size() && byte != fill) return std::nullopt;
      value = value << 8 | byte;
    }
    const auto result = static_cast<std::int64_t>(digits.size() > 8 ? value : value & 0x3fffffffffffffff);
    return (result < 0) == negative ? std::optional(result) : std::nullopt;
  }
  while (!digits.empty() && digits.front() == ' ') digits.remove_prefix(1);
  while (!digits.empty() && (digits.back() == ' ' || digits.back() == '\0')) digits.remove_suffix(1);
  std::int64_t value = 0;
  for (const char digit : digits) {
    if (digit < '0' || digit > '7') return std::nullopt;
    value = value << 3 | (digit - '0');
  }
  return value;
}

bool is_zero(std::span<const char> bytes) {
  return std::all_of(bytes.begin(), bytes.end(), [](char byte) { return byte == 0; });
}

bool checksum_matches(std::span<const char> header) {
  std::int64_t unsigned_sum = 0, signed_sum = 0;
  for (std::size_t i = 0; i < header.size(); ++i) {
    const bool in_field = i >= k_checksum.offset && i < k_checksum.offset + k_checksum.size;
    unsigned_sum += in_field ? ' ' : static_cast<unsigned char>(header[i]);
    signed_sum += in_field ? ' ' : static_cast<signed char>(header[i]);
  }
  const auto stored = number_field(header, k_checksum);
  return stored && (*stored == unsigned_sum || *stored == signed_sum);
}

std::optional<TarEntry::Type> entry_type(char flag) {
  switch (flag) {
    case '0':
    case '\0':
    case '7':
      return TarEntry::Type::file;
    case '1':
      return TarEntry::Type::hard_link;
    case '2':
      return TarEntry::Type::symbolic_link;
    case '3':
    case '4':
      return TarEntry::Type::device;
    case '5':
      return TarEntry::Type::directory;
    case '6':
      return TarEntry::Type::fifo;
    default:
      return std::nullopt;
  }
}

struct Time {
  std::int64_t seconds = 0;
  std::uint32_t nanoseconds = 0;
};

/// pax times are decimal with any number of digits after the point; a negative one rounds towards the past.
std::optional<Time> parse_pax_time(std::string_view text) {
  const auto point = text.find('.');
  const auto seconds = base::parse_integer(text.substr(0, point));
  if (!seconds) return std::nullopt;
  Time time = {*seconds, 0};
  if (point == std::string_view::npos) return time;
  std::uint32_t unit = 100'000'000;
  for (const char digit : text.substr(point + 1)) {
    if (digit < '0' || digit > '9') return std::nullopt;
    time.nanoseconds += static_cast<std::uint32_t>(digit - '0') * unit;
    unit /= 10;
  }
  if (text.front() == '-' && time.nanoseconds > 0) {
    time.seconds -= 1;
    time.nanoseconds = 1'000'000'000 - time.nanoseconds;
  }
  return time;
}

std::optional<std::uint64_t> parse_pax_size(std::string_view text) {
  const auto value = base::parse_integer(text);
  if (!value || *value < 0) return std::nullopt;
  return static_cast<std::uint64_t>(*value);
}

}  // namespace

base::Unexpected TarReader::malformed(std::string what) const {
  return fail(ErrorCode::input_invalid,
              "malformed tar before byte " + std::to_string(m_offset_bytes) + ": " + std::move(what));
}

/// Makes m_piece non-empty; false at the end of the archive.
Result<bool> TarReader::fill() {
  if (m_piece.empty()) {
    TK_TRY(m_piece, m_pull());
    m_offset_bytes += m_piece.size();
  }
  return !m_piece.empty();
}

/// False at a clean end of the bytes.
Result<bool> TarReader::read_header(Header& header) {
  std::size_t have = 0;
  while (have < header.size()) {
    TK_TRY(const bool more, fill());
    if (!more && have == 0) return false;
    if (!more) return malformed("it ends inside a header");
    const auto take = std::min(m_piece.size(), header.size() - have);
    std::memcpy(header.data() + have, m_piece.data(), take);
    m_piece = m_piece.subspan(take);
    have += take;
  }
  return true;
}

Result<std::span<const std::byte>> TarReader::data() {
  if (m_data_left_bytes == 0) return std::span<const std::byte>();
  TK_TRY(const bool more, fill());
  if (!more) return malformed("it ends inside a file");
  const auto piece = m_piece.first(std::min<std::uint64_t>(m_piece.size(), m_data_left_bytes));
  m_piece = m_piece.subspan(piece.size());
  m_data_left_bytes -= piece.size();
  return piece;
}

/// The last file's padding may be missing: umoci 0.4.7 inserts files by archives that end with them, and Go's
/// reader, which docker and containerd have, takes that for the end.
Result<void> TarReader::skip_data() {
  while (m_data_left_bytes > 0) TK_CHECK(data());
  while (m_padding_bytes > 0) {
    TK_TRY(const bool more, fill());
    if (!more) {
      m_padding_bytes = 0;
      break;
    }
    const auto skipped = std::min<std::uint64_t>(m_piece.size(), m_padding_bytes);
    m_piece = m_piece.subspan(skipped);
    m_padding_bytes -= skipped;
  }
  return {};
}

/// After the two zero blocks that end an archive there is padding only.
Result<void> TarReader::expect_zeros() {
  for (;;) {
    TK_TRY(const bool more, fill());
    if (!more) return {};
    for (const auto byte : m_piece)
      if (byte != std::byte{0}) return malformed("there is something after its end");
    m_piece = {};
  }
}

Result<std::string> TarReader::read_extension(std::uint64_t size_bytes) {
  if (size_bytes > k_extension_limit_bytes) return malformed("an extension header is larger than 1 MiB");
  std::string text;
  m_data_left_bytes = size_bytes;
  m_padding_bytes = (k_block_bytes - size_bytes % k_block_bytes) % k_block_bytes;
  while (m_data_left_bytes > 0) {
    TK_TRY(const auto piece, data());
    text.append(reinterpret_cast<const char*>(piece.data()), piece.size());
  }
  TK_CHECK(skip_data());
  return text;
}

/// Records are "LENGTH KEY=VALUE\n", the length counting all of it.
Result<void> TarReader::apply_pax(std::string_view records, Overrides& overrides, bool global) const {
  while (!records.empty()) {
    const auto space = records.find(' ');
    const auto length = space == std::string_view::npos ? std::nullopt : parse_pax_size(records.substr(0, space));
    if (!length || *length <= space + 1 || *length > records.size() || records[*length - 1] != '\n')
      return malformed("a pax record has a wrong length");
    const auto record = records.substr(space + 1, *length - space - 2);
    records.remove_prefix(*length);
    const auto equals = record.find('=');
    if (equals == std::string_view::npos) return malformed("a pax record has no '='");
    const auto key = record.substr(0, equals);
    const auto value = record.substr(equals + 1);

    if (key.starts_with("GNU.sparse.")) return malformed("sparse files are not supported");
    const bool is_text = key == "path" || key == "linkpath";
    const bool is_number = key == "size" || key == "uid" || key == "gid";
    if (!is_text && !is_number && key != "mtime") continue;  // names of owners, other times, attributes
    if (global) return malformed("a global pax header sets '" + std::string(key) + "'");
    if (is_text && value.find('\0') != std::string_view::npos) return malformed("a name holds a NUL");
    const auto number = is_number ? parse_pax_size(value) : std::nullopt;
    const auto time = key == "mtime" ? parse_pax_time(value) : std::nullopt;
    if ((is_number && !number) || (key == "mtime" && !time))
      return malformed("the pax record '" + std::string(key) + "' is no number");
    if (key == "path") overrides.path = std::string(value);
    if (key == "linkpath") overrides.target = std::string(value);
    if (key == "size") overrides.size_bytes = number;
    if (key == "uid") overrides.uid = number;
    if (key == "gid") overrides.gid = number;
    if (time) {
      overrides.mtime_s = time->seconds;
      overrides.mtime_ns = time->nanoseconds;
    }
  }
  return {};
}

Result<TarEntry> TarReader::make_entry(const Header& header, Overrides overrides) const {
  TarEntry entry;
  const auto mode = number_field(header, k_mode), uid = number_field(header, k_uid),
             gid = number_field(header, k_gid), size = number_field(header, k_size),
             mtime = number_field(header, k_mtime);
  if (!mode || !uid || !gid || !size || !mtime || *uid < 0 || *gid < 0 || *size < 0)
    return malformed("a header field is no number");

  entry.path = text_field(header, k_name);
  const bool is_posix = field(header, k_magic).substr(0, 6) == std::string_view("ustar\0", 6);
  const auto prefix = text_field(header, k_prefix);
  if (is_posix && !prefix.empty()) entry.path = prefix + "/" + entry.path;
  if (overrides.path) entry.path = std::move(*overrides.path);
  entry.target = overrides.target ? std::move(*overrides.target) : text_field(header, k_link_name);
  entry.mode = static_cast<unsigned>(*mode) & 07777;
  entry.uid = overrides.uid.value_or(static_cast<std::uint64_t>(*uid));
  entry.gid = overrides.gid.value_or(static_cast<std::uint64_t>(*gid));
  entry.mtime_s = overrides.mtime_s.value_or(*mtime);
  entry.mtime_ns = overrides.mtime_ns;
  entry.size_bytes = overrides.size_bytes.value_or(static_cast<std::uint64_t>(*size));

  if (entry.uid > k_owner_limit || entry.gid > k_owner_limit) return malformed("an owner is no user or group id");
  const char flag = field(header, k_type)[0];
  const auto type = entry_type(flag);
  if (!type) return malformed("an entry of the unknown type " + base::to_hex(std::string_view(&flag, 1)));
  entry.type = *type;
  // Before POSIX a folder was a file whose name ends in a slash.
  if (flag == '\0' && entry.path.ends_with('/')) entry.type = TarEntry::Type::directory;
  if (entry.path.empty()) return malformed("an entry has no name");
  if (entry.path.size() >= k_path_limit_bytes || entry.target.size() >= k_path_limit_bytes)
    return malformed("a name is longer than 4095 bytes");
  if (entry.type != TarEntry::Type::file && entry.size_bytes != 0)
    return malformed("'" + entry.path + "' is no file but has a size");
  // Keeps every sum of sizes below far away from overflow.
  if (entry.size_bytes > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max() / 2))
    return malformed("'" + entry.path + "' has an impossible size");
  return entry;
}

Result<std::optional<TarEntry>> TarReader::next() {
  TK_CHECK(skip_data());
  Overrides overrides;
  bool extended = false;
  for (;;) {
    Header header;
    TK_TRY(const bool more, read_header(header));
    if (!more && extended) return malformed("it ends after an extension header");
    if (!more) return std::optional<TarEntry>();
    if (is_zero(header)) {
      if (extended) return malformed("it ends after an extension header");
      TK_TRY(const bool second, read_header(header));
      if (second && !is_zero(header)) return malformed("a lone block of zeros");
      TK_CHECK(expect_zeros());
      return std::optional<TarEntry>();
    }
    if (!checksum_matches(header)) return malformed("a header's checksum is wrong");
    const char flag = field(header, k_type)[0];
    if (flag == 'x' || flag == 'g' || flag == 'L' || flag == 'K') {
      const auto size = number_field(header, k_size);
      if (!size || *size < 0) return malformed("a header field is no number");
      TK_TRY(auto text, read_extension(static_cast<std::uint64_t>(*size)));
      extended = extended || flag != 'g';
      if (flag == 'x' || flag == 'g') {
        TK_CHECK(apply_pax(text, overrides, flag == 'g'));
        continue;
      }
      text = text.substr(0, text.find('\0'));
      (flag == 'L' ? overrides.path : overrides.target) = std::move(text);
      continue;
    }
    TK_TRY(auto entry, make_entry(header, std::move(overrides)));
    m_data_left_bytes = entry.size_bytes;
    m_padding_bytes = (k_block_bytes - entry.size_bytes % k_block_bytes) % k_block_bytes;
    return std::optional<TarEntry>(std::move(entry));
  }
}

}  // namespace torchkiln::runtime
