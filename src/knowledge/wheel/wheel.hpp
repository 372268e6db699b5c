#pragma once
// A wheel (PyPA "Binary distribution format"): its file name, its entries and the few metadata files that say how
// it is installed. The bytes come from a local file or, for planning, by HTTP ranges.

#include "foundation/base/error.hpp"
#include "foundation/sys/files.hpp"
#include "foundation/sys/http.hpp"
#include "knowledge/wheel/zip.hpp"

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace torchkiln::wheel {

/// The Error of a wheel that is wrong in itself.
base::Unexpected bad_wheel(std::string_view file, const std::string& what);

/// "{name}-{version}(-{build})?-{python}-{abi}-{platform}.whl" taken apart.
struct WheelName {
  std::string distribution;  ///< as written
  std::string version;
  std::string build;
  std::string python_tag, abi_tag, platform_tag;
};
base::Result<WheelName> parse_wheel_name(std::string_view file_name);
/// A project name as PEP 503 compares them: lower case, runs of -_. become one "-".
std::string normalized_name(std::string_view name);

/// What an image needs to know of a wheel before its bytes are there.
struct WheelDirectory {
  std::uint64_t file_bytes = 0;
  std::vector<ZipEntry> entries;
  std::uint64_t unpacked_bytes() const;
  std::uint64_t files() const;
};

/// Reads the directories of several wheels by range, all at once, in two rounds of requests. Nothing for a wheel
/// whose server does not honour ranges.
base::Result<std::vector<std::optional<WheelDirectory>>> read_directories(sys::HttpClient& http,
                                                                          std::span<const std::string> urls);

/// One row of RECORD: path, hash ("sha256=…" or empty) and size, as written.
struct RecordRow {
  std::string path, hash, size;
};
/// Reads RECORD's CSV (RFC 4180 quoting).
base::Result<std::vector<RecordRow>> parse_record(std::string_view csv, std::string_view file);
std::string format_record(std::span<const RecordRow> rows);

/// A console or GUI script: "name = module:object".
struct EntryPoint {
  std::string name, module, object;
};
/// The [console_scripts] and [gui_scripts] of entry_points.txt, in file order.
base::Result<std::vector<EntryPoint>> parse_entry_points(std::string_view text, std::string_view file);

/// An opened local wheel.
class Wheel {
 public:
  /// `file_name` is the wheel's own name, which a file in a cache does not have.
  static base::Result<Wheel> open(const std::filesystem::path& path, std::string_view file_name);

  const WheelName& name() const { return m_name; }
  const std::string& file_name() const { return m_file_name; }
  const std::vector<ZipEntry>& entries() const { return m_entries; }
  /// "torch-2.8.0.dist-info" and "torch-2.8.0.data", as spelled in the wheel.
  const std::string& dist_info() const { return m_dist_info; }
  const std::string& data_folder() const { return m_data_folder; }
  bool root_is_purelib() const { return m_root_is_purelib; }
  const std::vector<RecordRow>& record() const { return m_record; }
  const std::vector<EntryPoint>& entry_points() const { return m_entry_points; }

  const ZipEntry* find(std::string_view entry_name) const;
  /// The entry's bytes as they lie in the wheel (deflated or stored).
  base::Result<std::span<const std::byte>> compressed(const ZipEntry& entry) const;
  /// The entry's content, CRC checked; for small files.
  base::Result<std::string> content(const ZipEntry& entry) const;
  /// Lets the kernel drop the entry's pages.
  void forget(std::span<const std::byte> bytes) const;

 private:
  explicit Wheel(sys::MappedFile file) : m_file(std::move(file)) {}
  base::Result<void> read_metadata();

  sys::MappedFile m_file;
  std::string m_file_name;
  WheelName m_name;
  std::vector<ZipEntry> m_entries;
  std::string m_dist_info, m_data_folder;
  bool m_root_is_purelib = true;
  std::vector<RecordRow> m_record;
  std::vector<EntryPoint> m_entry_points;
};

}  // namespace torchkiln::wheel
