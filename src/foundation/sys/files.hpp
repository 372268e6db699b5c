#pragma once
// Files: whole reads, atomic writes (temporary, fsync, rename, fsync of the folder), locks, trees. Every
// function turns errno into an Error that names the path; ENOSPC and EDQUOT become disk_full.

#include "foundation/base/digest.hpp"
#include "foundation/base/error.hpp"

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace torchkiln::sys {

namespace fs = std::filesystem;

/// The largest file that read_file takes unless told otherwise, in bytes.
inline constexpr std::uint64_t k_read_limit_bytes = 256ULL << 20;

/// An Error for the errno value `error_number` of doing `what` ("write", "open") to `path`.
base::Error file_error(std::string_view what, const fs::path& path, int error_number);

/// An owned file descriptor.
class FileDescriptor {
 public:
  FileDescriptor() = default;
  explicit FileDescriptor(int fd) : m_fd(fd) {}
  ~FileDescriptor() { reset(); }
  FileDescriptor(FileDescriptor&& other) noexcept : m_fd(std::exchange(other.m_fd, -1)) {}
  FileDescriptor& operator=(FileDescriptor&& other) noexcept {
    if (this != &other) {
      reset();
      m_fd = std::exchange(other.m_fd, -1);
    }
    return *this;
  }
  int get() const { return m_fd; }
  explicit operator bool() const { return m_fd >= 0; }
  int release() { return std::exchange(m_fd, -1); }
  void reset();

 private:
  int m_fd = -1;
};

base::Result<FileDescriptor> open_file(const fs::path& path, int flags, unsigned mode = 0644);
/// Writes all of `bytes`.
base::Result<void> write_all(int fd, std::span<const std::byte> bytes, const fs::path& path_for_messages);

/// The whole file; an Error when it is larger than the limit.
base::Result<std::string> read_file(const fs::path& path, std::uint64_t limit_bytes = k_read_limit_bytes);
/// Replaces or creates the file atomically. The mode is exact whatever the umask.
base::Result<void> write_file(const fs::path& path, std::string_view bytes, unsigned mode = 0644);

/// A file being written beside its final place, so that it appears there whole or not at all.
class AtomicFile {
 public:
  static base::Result<AtomicFile> create(const fs::path& final_path, unsigned mode = 0644);
  ~AtomicFile();
  AtomicFile(AtomicFile&&) noexcept;
  AtomicFile& operator=(AtomicFile&&) = delete;

  base::Result<void> write(std::span<const std::byte> bytes);
  base::Result<void> write(std::string_view bytes);
  int fd() const { return m_fd.get(); }
  const fs::path& temporary_path() const { return m_temporary; }
  /// Flushes and renames to `final_path`, or to the path given to create().
  base::Result<void> commit();
  base::Result<void> commit_as(const fs::path& final_path);

 private:
  AtomicFile() = default;
  fs::path m_final;
  fs::path m_temporary;
  FileDescriptor m_fd;
};

/// A read-only memory map of a whole file.
class MappedFile {
 public:
  static base::Result<MappedFile> open(const fs::path& path);
  ~MappedFile();
  MappedFile(MappedFile&&) noexcept;
  MappedFile& operator=(MappedFile&&) = delete;

  std::span<const std::byte> bytes() const { return {m_data, m_size}; }
  std::string_view text() const { return {reinterpret_cast<const char*>(m_data), m_size}; }
  /// Tells the kernel that a range will not be read again, so that it does not count as resident.
  void forget(std::size_t offset, std::size_t length) const;

 private:
  MappedFile() = default;
  const std::byte* m_data = nullptr;
  std::size_t m_size = 0;
};

base::Result<void> make_directories(const fs::path& path, unsigned mode = 0755);
base::Result<void> set_mode(const fs::path& path, unsigned mode);
base::Result<void> remove_tree(const fs::path& path);
base::Result<void> move_file(const fs::path& from, const fs::path& to);
base::Result<void> sync_directory(const fs::path& path);
/// A hard link where both are on one file system, else a copy.
base::Result<void> link_or_copy(const fs::path& from, const fs::path& to);
/// Names in a folder, sorted by byte value.
base::Result<std::vector<std::string>> list_directory(const fs::path& path);
/// The digests that names in a folder are in hex; others are left out. None where the folder is not there.
base::Result<std::vector<base::Digest>> list_digests(const fs::path& path);
std::optional<std::uint64_t> size_of_file(const fs::path& path);
base::Result<std::uint64_t> free_space_bytes(const fs::path& path);

/// A fresh folder that is removed with everything in it.
class TemporaryDirectory {
 public:
  /// Below `parent`, with a name that starts with `prefix`.
  static base::Result<TemporaryDirectory> create(const fs::path& parent, std::string_view prefix);
  ~TemporaryDirectory();
  TemporaryDirectory(TemporaryDirectory&& other) noexcept : m_path(std::exchange(other.m_path, {})) {}
  TemporaryDirectory& operator=(TemporaryDirectory&&) = delete;
  const fs::path& path() const { return m_path; }

 private:
  TemporaryDirectory() = default;
  fs::path m_path;
};

/// An advisory lock (flock) that dies with the process.
class FileLock {
 public:
  /// Waits for the lock; `on_wait` is called once, with the holder's process id where it is known, before
  /// waiting.
  static base::Result<FileLock> acquire(const fs::path& path, const std::function<void(std::string_view)>& on_wait);

 private:
  explicit FileLock(FileDescriptor fd) : m_fd(std::move(fd)) {}
  FileDescriptor m_fd;
};

}  // namespace torchkiln::sys
