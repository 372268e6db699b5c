#include "knowledge/wheel/wheel.hpp"

#include "foundation/base/text.hpp"
#include "knowledge/wheel/inflate.hpp"

#include <algorithm>

#include <fmt/format.h>

namespace torchkiln::wheel {

using base::ErrorCode;
using base::fail;
using base::Result;

base::Unexpected bad_wheel(std::string_view file, const std::string& what) {
  return fail(ErrorCode::input_invalid, std::string(file) + " is no valid wheel: " + what);
}

namespace {

/// The largest metadata file (RECORD, entry_points.txt, WHEEL) that is read.
constexpr std::uint64_t k_metadata_limit_bytes = 64ULL << 20;

/// Whether a name that becomes a file's holds what no file's name should.
bool has_strange_character(std::string_view name) {
  return std::any_of(name.begin(), name.end(), [](char c) {
    return c == '/' || c == '\\' || c == 0x7f || (static_cast<unsigned char>(c) < 0x20);
  });
}

/// The value of a "Key: value" line of WHEEL.
std::optional<std::string> header(std::string_view text, std::string_view key) {
  for (const auto line : base::lines(text)) {
    const auto colon = line.find(':');
    if (colon != std::string_view::npos && base::lower(base::trim(line.substr(0, colon))) == base::lower(key))
      return std::string(base::trim(line.substr(colon + 1)));
  }
  return std::nullopt;
}

}  // namespace

std::string normalized_name(std::string_view name) {
  std::string result;
  for (const char c : base::lower(name)) {
    const bool separator = c == '-' || c == '_' || c == '.';
    if (!separator)
      result += c;
    else if (!result.empty() && result.back() != '-')
      result += '-';
  }
  return result;
}

Result<WheelName> parse_wheel_name(std::string_view file_name) {
  std::string_view stem = file_name;
  if (!stem.ends_with(".whl")) return bad_wheel(file_name, "its name does not end in .whl");
  stem.remove_suffix(4);
  const auto parts = base::split(stem, '-');
  if (parts.size() != 5 && parts.size() != 6)
    return bad_wheel(file_name, "its name does not have the parts name-version-python-abi-platform");
  for (const auto part : parts)
    if (part.empty()) return bad_wheel(file_name, "its name has an empty part");
  if (has_strange_character(file_name))
    return bad_wheel(file_name, "its name has a character that no wheel's name has");
  const std::size_t tags = parts.size() - 3;
  if (tags == 3 && (parts[2].front() < '0' || parts[2].front() > '9'))
    return bad_wheel(file_name, "its build tag does not begin with a digit");
  return WheelName{std::string(parts[0]),    std::string(parts[1]),        tags == 3 ? std::string(parts[2]) : "",
                   std::string(parts[tags]), std::string(parts[tags + 1]), std::string(parts[tags + 2])};
}

std::uint64_t WheelDirectory::files() const {
  return static_cast<std::uint64_t>(
      std::count_if(entries.begin(), entries.end(), [](const ZipEntry& entry) { return !entry.is_directory; }));
}

std::uint64_t WheelDirectory::unpacked_bytes() const {
  std::uint64_t total = 0;
  for (const auto& entry : entries) total += entry.size_bytes;
  return total;
}

Result<std::vector<std::optional<WheelDirectory>>> read_directories(sys::HttpClient& http,
                                                                    std::span<const std::string> urls) {
  std::vector<sys::Fetch> tails;
  for (const auto& url : urls) tails.push_back({url, sys::ByteRange{0, k_zip_tail_bytes, true}});
  TK_TRY(const auto tail_results, http.fetch_all(tails));

  std::vector<std::optional<WheelDirectory>> directories(urls.size());
  std::vector<std::string> bytes(urls.size());
  std::vector<ZipDirectoryLocation> locations(urls.size());
  std::vector<sys::Fetch> heads;
  std::vector<std::size_t> head_of;
  for (std::size_t i = 0; i < urls.size(); ++i) {
    const auto& tail = tail_results[i];
    if (tail.status != 206 || !tail.total_bytes) continue;  // no ranges: the caller reads the file once it is here
    const auto file = base::without_credentials(urls[i]);
    TK_TRY(locations[i], locate_directory(tail.body, *tail.total_bytes, file));
    directories[i] = WheelDirectory{*tail.total_bytes, {}};
    const std::uint64_t tail_offset = *tail.total_bytes - tail.body.size();
    const auto& location = locations[i];
    if (location.offset >= tail_offset) {
      bytes[i] = tail.body.substr(static_cast<std::size_t>(location.offset - tail_offset), location.size_bytes);
    } else {
      heads.push_back({urls[i], sys::ByteRange{location.offset, location.size_bytes, false}});
      head_of.push_back(i);
    }
  }
  TK_TRY(auto head_results, http.fetch_all(heads));
  for (std::size_t k = 0; k < heads.size(); ++k) {
    if (head_results[k].status != 206) directories[head_of[k]].reset();
    bytes[head_of[k]] = std::move(head_results[k].body);
  }
  for (std::size_t i = 0; i < urls.size(); ++i) {
    if (!directories[i]) continue;
    const auto file = base::without_credentials(urls[i]);
    TK_TRY(directories[i]->entries, parse_directory(bytes[i], locations[i], file));
  }
  return directories;
}

Result<std::vector<RecordRow>> parse_record(std::string_view csv, std::string_view file) {
  std::vector<RecordRow> rows;
  std::size_t at = 0;
  while (at < csv.size()) {
    std::vector<std::string> fields(1);
    bool row_done = false;
    while (!row_done) {
      if (at < csv.size() && csv[at] == '"' && fields.back().empty()) {
        for (++at;; ++at) {
          if (at >= csv.size()) return bad_wheel(file, "its RECORD has an open quotation");
          if (csv[at] != '"')
            fields.back() += csv[at];
          else if (at + 1 < csv.size() && csv[at + 1] == '"')
            fields.back() += csv[at++];
          else
            break;
        }
        ++at;
      }
      if (at >= csv.size())
        row_done = true;
      else if (csv[at] == ',') {
        fields.emplace_back();
        ++at;
      } else if (csv[at] == '\n') {
        row_done = true;
        ++at;
      } else if (csv[at] == '\r' && (at + 1 >= csv.size() || csv[at + 1] == '\n'))
        ++at;
      else
        fields.back() += csv[at++];
    }
    if (fields.size() == 1 && fields[0].empty()) continue;
    if (fields.size() != 3)
      return bad_wheel(file, "its RECORD has a row without three fields: '" + fields[0] + "'");
    rows.push_back({fields[0], fields[1], fields[2]});
  }
  return rows;
}

std::string format_record(std::span<const RecordRow> rows) {
  auto quoted = [](const std::string& field) {
    if (field.find_first_of(",\"\n\r") == std::string::npos) return field;
    return "\"" + base::replace_all(field, "\"", "\"\"") + "\"";
  };
  std::string text;
  for (const auto& row : rows) text += quoted(row.path) + "," + quoted(row.hash) + "," + quoted(row.size) + "\n";
  return text;
}

Result<std::vector<EntryPoint>> parse_entry_points(std::string_view text, std::string_view file) {
  std::vector<EntryPoint> points;
  bool scripts = false;
  for (auto line : base::lines(text)) {
    line = base::trim(line);
    if (line.empty() || line.front() == '#' || line.front() == ';') continue;
    if (line.front() == '[') {
      scripts = line == "[console_scripts]" || line == "[gui_scripts]";
      continue;
    }
    if (!scripts) continue;
    const auto equals = line.find('=');
    if (equals == std::string_view::npos)
      return bad_wheel(file, "its entry_points.txt has the line '" + std::string(line) + "'");
    const auto name = base::trim(line.substr(0, equals));
    auto target = base::trim(line.substr(equals + 1));
    target = base::trim(target.substr(0, target.find('[')));  // extras mean nothing at run time
    const auto colon = target.find(':');
    const auto is_dotted_name = [](std::string_view dotted) {
      return !dotted.empty() && std::all_of(dotted.begin(), dotted.end(), [](char c) {
        return c == '.' || c == '_' || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
               static_cast<unsigned char>(c) >= 0x80;
      });
    };
    if (colon == std::string_view::npos || !is_dotted_name(base::trim(target.substr(0, colon))) ||
        !is_dotted_name(base::trim(target.substr(colon + 1))))
      return bad_wheel(file, "its script '" + std::string(name) + "' has the target '" + std::string(target) +
                                 "', not module:object");
    if (name.empty() || has_strange_character(name) || name.front() == '.')
      return bad_wheel(file, "it has a script called '" + std::string(name) + "'");
    points.push_back({std::string(name), std::string(base::trim(target.substr(0, colon))),
                      std::string(base::trim(target.substr(colon + 1)))});
  }
  return points;
}

Result<Wheel> Wheel::open(const std::filesystem::path& path, std::string_view file_name) {
  TK_TRY(auto file, sys::MappedFile::open(path));
  Wheel wheel(std::move(file));
  wheel.m_file_name = file_name;
  TK_TRY(wheel.m_name, parse_wheel_name(file_name));
  const auto text = wheel.m_file.text();
  const auto tail = text.substr(text.size() - std::min<std::size_t>(text.size(), k_zip_tail_bytes));
  TK_TRY(const auto location, locate_directory(tail, text.size(), file_name));
  TK_TRY(wheel.m_entries,
         parse_directory(text.substr(static_cast<std::size_t>(location.offset), location.size_bytes), location,
                         file_name));
  std::sort(wheel.m_entries.begin(), wheel.m_entries.end(),
            [](const ZipEntry& a, const ZipEntry& b) { return a.name < b.name; });
  TK_CHECK(wheel.read_metadata());
  return wheel;
}

Result<void> Wheel::read_metadata() {
  // The one folder {distribution}-{version}.dist-info; its spelling may differ from the file name's.
  for (const auto& entry : m_entries) {
    const auto folder = std::string_view(entry.name).substr(0, entry.name.find('/'));
    if (folder.ends_with(".dist-info") && folder != m_dist_info) {
      if (!m_dist_info.empty()) return bad_wheel(m_file_name, "it has two .dist-info folders");
      m_dist_info = folder;
    }
    if (folder.ends_with(".data") && folder != m_data_folder) {
      if (!m_data_folder.empty()) return bad_wheel(m_file_name, "it has two .data folders");
      m_data_folder = folder;
    }
  }
  if (m_dist_info.empty()) return bad_wheel(m_file_name, "it has no .dist-info folder");
  const auto dash = m_dist_info.find('-');
  if (normalized_name(std::string_view(m_dist_info).substr(0, dash)) != normalized_name(m_name.distribution))
    return bad_wheel(m_file_name, "its .dist-info folder is '" + m_dist_info + "'");

  auto read = [&](std::string_view name) -> Result<std::optional<std::string>> {
    const auto* entry = find(m_dist_info + "/" + std::string(name));
    if (!entry) return std::optional<std::string>();
    if (entry->size_bytes > k_metadata_limit_bytes)
      return bad_wheel(m_file_name, std::string(name) + " is too large");
    TK_TRY(auto text, content(*entry));
    return std::optional<std::string>(std::move(text));
  };
  TK_TRY(const auto wheel_text, read("WHEEL"));
  if (!wheel_text) return bad_wheel(m_file_name, "it has no WHEEL file");
  const auto version = header(*wheel_text, "Wheel-Version");
  if (!version || !version->starts_with("1."))
    return bad_wheel(m_file_name, "its Wheel-Version is '" + version.value_or("") + "'; 1.x is understood");
  m_root_is_purelib = base::lower(header(*wheel_text, "Root-Is-Purelib").value_or("")) == "true";
  TK_TRY(const auto record_text, read("RECORD"));
  if (!record_text) return bad_wheel(m_file_name, "it has no RECORD");
  TK_TRY(m_record, parse_record(*record_text, m_file_name));
  TK_TRY(const auto points_text, read("entry_points.txt"));
  if (points_text) {
    TK_TRY(m_entry_points, parse_entry_points(*points_text, m_file_name));
  }
  return {};
}

const ZipEntry* Wheel::find(std::string_view entry_name) const {
  const auto found =
      std::lower_bound(m_entries.begin(), m_entries.end(), entry_name,
                       [](const ZipEntry& entry, std::string_view name) { return entry.name < name; });
  return found != m_entries.end() && found->name == entry_name ? &*found : nullptr;
}

Result<std::span<const std::byte>> Wheel::compressed(const ZipEntry& entry) const {
  return entry_data(m_file.bytes(), entry, m_file_name);
}

Result<std::string> Wheel::content(const ZipEntry& entry) const {
  TK_TRY(const auto data, compressed(entry));
  std::string text;
  if (entry.method == ZipMethod::stored) {
    text.assign(reinterpret_cast<const char*>(data.data()), data.size());
    if (crc32_of(data) != entry.crc32) return bad_wheel(m_file_name, "'" + entry.name + "': its CRC-32 is wrong");
    return text;
  }
  if (auto done = inflate(data, entry.size_bytes, entry.crc32,
                          [&](std::span<const std::byte> piece) {
                            text.append(reinterpret_cast<const char*>(piece.data()), piece.size());
                          });
      !done)
    return bad_wheel(m_file_name, "'" + entry.name + "': " + done.error().message);
  return text;
}

void Wheel::forget(std::span<const std::byte> bytes) const {
  if (!bytes.empty()) m_file.forget(static_cast<std::size_t>(bytes.data() - m_file.bytes().data()), bytes.size());
}

}  // namespace torchkiln::wheel
