#pragma once
// index.json of a layout, read and changed. Entries that other tools wrote keep every field, also those that we do
// not know; members are sorted by key, so that writing what was read changes no byte.

#include "assembly/oci/descriptor.hpp"
#include "foundation/sys/files.hpp"

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

namespace torchkiln::oci {

struct IndexEntry {
  Descriptor descriptor;
  document::ParsedJson as_written;

  /// An entry of our own.
  explicit IndexEntry(const Descriptor& ours) : descriptor(ours), as_written(to_json(ours)) {}
  IndexEntry(Descriptor parsed, document::ParsedJson written)
      : descriptor(std::move(parsed)), as_written(std::move(written)) {}
};

struct IndexFile {
  std::vector<IndexEntry> entries;
  document::ParsedJson document;  ///< everything but the entries
};

/// The file's path inside a layout.
std::filesystem::path index_path(const std::filesystem::path& layout);
/// Waits for every other writer of the layout.
base::Result<sys::FileLock> lock_layout(const std::filesystem::path& layout);
base::Result<IndexFile> read_index_file(const std::filesystem::path& layout);
/// Changes index.json under the layout's lock, and brings manifest.json in line with it. Nothing is written when
/// `change` leaves the entries as they were.
base::Result<void> change_index_file(const std::filesystem::path& layout,
                                     const std::function<base::Result<void>(IndexFile&)>& change);

}  // namespace torchkiln::oci
