#pragma once
// Puts the entries of a layer's tar into a folder, in the shape of an overlayfs lower directory. The tar is hostile
// until proven otherwise: every folder on the way to an entry is opened with openat2(RESOLVE_BENEATH |
// RESOLVE_NO_SYMLINKS), so no name, link or race reaches out of the folder.

#include "assembly/runtime/tar_reader.hpp"
#include "foundation/sys/files.hpp"

#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace torchkiln::runtime {

class TreeWriter {
 public:
  /// Writes into `folder`, which exists and is empty. Runs as root, or as root of a user namespace.
  static base::Result<TreeWriter> open(const std::filesystem::path& folder);

  /// Adds one entry, with its data out of `reader`. OCI whiteouts (image-spec layer.md) become overlayfs ones;
  /// device nodes are left out, because a container gets its devices from the runtime and a node of the kind 0/0
  /// would be a whiteout; extended attributes are left out, because none has an effect on what we run.
  base::Result<void> add(const TarEntry& entry, TarReader& reader);
  /// Sets the folders' times, which adding files changed. Call it last.
  base::Result<void> finish();

 private:
  struct Place {
    int parent_fd;  ///< owned by m_parent
    std::string parent, name;
  };
  struct FolderTime {
    std::string path;
    std::int64_t mtime_s;
    std::uint32_t mtime_ns;
  };

  explicit TreeWriter(std::filesystem::path folder) : m_folder(std::move(folder)) {}
  sys::FileDescriptor open_folder(const std::string& path) const;
  base::Result<void> enter(const std::string& parent);
  base::Result<Place> place_of(std::string_view path);
  base::Result<int> create(const Place& place, const std::function<int()>& make) const;
  base::Result<void> add_whiteout(const Place& place, std::string_view name);
  base::Result<void> add_file(const Place& place, const TarEntry& entry, TarReader& reader);
  base::Result<void> add_directory(const Place& place, const TarEntry& entry);
  base::Result<void> add_hard_link(const Place& place, const TarEntry& entry);
  base::Result<void> set_attributes(const Place& place, const TarEntry& entry) const;
  base::Unexpected failed(std::string_view what, const std::string& path, int error_number) const;

  std::filesystem::path m_folder;
  sys::FileDescriptor m_root;
  sys::FileDescriptor m_parent;  ///< the folder of the last entry, which is mostly that of the next one too
  std::string m_parent_path = "/";
  std::vector<FolderTime> m_folder_times;
  std::uint64_t m_entries = 0;
  std::uint64_t m_size_bytes = 0;
};

}  // namespace torchkiln::runtime
