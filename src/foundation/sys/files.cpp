#include "foundation/sys/files.hpp"

#include "foundation/base/text.hpp"
#include "foundation/sys/interrupt.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

namespace torchkiln::sys {

using base::Error;
using base::ErrorCode;
using base::fail;
using base::Result;

Error file_error(std::string_view what, const fs::path& path, int error_number) {
  Error error;
  const bool full = error_number == ENOSPC || error_number == EDQUOT;
  error.code = full ? ErrorCode::disk_full : ErrorCode::file_failed;
  error.message = "cannot " + std::string(what) + " " + path.string() + ": " + std::strerror(error_number);
  if (full) {
    error.hints.push_back(
        "free some space there, or give another place with --cache DIR or --output DIR; nothing "
        "half-written was kept");
  } else if (error_number == EACCES || error_number == EPERM || error_number == EROFS) {
    error.hints.push_back("check the owner and mode of " + path.parent_path().string() +
                          ", or choose another folder");
  }
  return error;
}

void FileDescriptor::reset() {
  if (m_fd >= 0) ::close(m_fd);
  m_fd = -1;
}

Result<FileDescriptor> open_file(const fs::path& path, int flags, unsigned mode) {
  const int fd = ::open(path.c_str(), flags | O_CLOEXEC, mode);
  if (fd < 0) return fail(file_error((flags & O_ACCMODE) == O_RDONLY ? "read" : "write", path, errno));
  return FileDescriptor(fd);
}

Result<void> write_all(int fd, std::span<const std::byte> bytes, const fs::path& path_for_messages) {
  while (!bytes.empty()) {
    const auto written = ::write(fd, bytes.data(), bytes.size());
    if (written < 0) {
      if (errno == EINTR) continue;
      return fail(file_error("write", path_for_messages, errno));
    }
    bytes = bytes.subspan(static_cast<std::size_t>(written));
  }
  return {};
}

Result<std::string> read_file(const fs::path& path, std::uint64_t limit_bytes) {
  TK_TRY(const auto fd, open_file(path, O_RDONLY));
  std::string bytes;
  char buffer[1 << 16];
  for (;;) {
    const auto got = ::read(fd.get(), buffer, sizeof buffer);
    if (got < 0) {
      if (errno == EINTR) continue;
      return fail(file_error("read", path, errno));
    }
    if (got == 0) return bytes;
    bytes.append(buffer, static_cast<std::size_t>(got));
    if (bytes.size() > limit_bytes)
      return fail(ErrorCode::input_invalid,
                  path.string() + " is larger than the limit of " + base::format_bytes(limit_bytes));
  }
}

Result<void> write_file(const fs::path& path, std::string_view bytes, unsigned mode) {
  TK_TRY(auto file, AtomicFile::create(path, mode));
  TK_CHECK(file.write(bytes));
  return file.commit();
}

Result<AtomicFile> AtomicFile::create(const fs::path& final_path, unsigned mode) {
  AtomicFile file;
  file.m_final = final_path;
  const auto parent = final_path.has_parent_path() ? final_path.parent_path() : fs::path(".");
  TK_CHECK(make_directories(parent));
  std::string name = (parent / ("." + final_path.filename().string() + ".XXXXXX")).string();
  const int fd = ::mkostemp(name.data(), O_CLOEXEC);
  if (fd < 0) return fail(file_error("write", final_path, errno));
  file.m_fd = FileDescriptor(fd);
  file.m_temporary = name;
  if (::fchmod(fd, mode) != 0) return fail(file_error("write", final_path, errno));
  return file;
}

AtomicFile::AtomicFile(AtomicFile&& other) noexcept
    : m_final(std::move(other.m_final)),
      m_temporary(std::exchange(other.m_temporary, {})),
      m_fd(std::move(other.m_fd)) {}

AtomicFile::~AtomicFile() {
  if (!m_temporary.empty()) ::unlink(m_temporary.c_str());
}

Result<void> AtomicFile::write(std::span<const std::byte> bytes) {
  return write_all(m_fd.get(), bytes, m_final);
}
Result<void> AtomicFile::write(std::string_view bytes) {
  return write(std::as_bytes(std::span(bytes)));
}
Result<void> AtomicFile::commit() {
  return commit_as(m_final);
}

Result<void> AtomicFile::commit_as(const fs::path& final_path) {
  if (::fsync(m_fd.get()) != 0) return fail(file_error("write", final_path, errno));
  const int fd = m_fd.release();
  if (::close(fd) != 0) return fail(file_error("write", final_path, errno));
  TK_CHECK(move_file(m_temporary, final_path));
  m_temporary.clear();
  return sync_directory(final_path.has_parent_path() ? final_path.parent_path() : fs::path("."));
}

Result<MappedFile> MappedFile::open(const fs::path& path) {
  TK_TRY(const auto fd, open_file(path, O_RDONLY));
  struct stat status = {};
  if (::fstat(fd.get(), &status) != 0) return fail(file_error("read", path, errno));
  MappedFile file;
  file.m_size = static_cast<std::size_t>(status.st_size);
  if (file.m_size == 0) return file;
  void* data = ::mmap(nullptr, file.m_size, PROT_READ, MAP_SHARED, fd.get(), 0);
  if (data == MAP_FAILED) return fail(file_error("read", path, errno));
  file.m_data = static_cast<const std::byte*>(data);
  return file;
}

MappedFile::MappedFile(MappedFile&& other) noexcept
    : m_data(std::exchange(other.m_data, nullptr)), m_size(std::exchange(other.m_size, 0)) {}

MappedFile::~MappedFile() {
  if (m_data) ::munmap(const_cast<std::byte*>(m_data), m_size);
}

void MappedFile::forget(std::size_t offset, std::size_t length) const {
  const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  const std::size_t first = (offset + page - 1) / page * page, last = (offset + length) / page * page;
  if (first < last) ::madvise(const_cast<std::byte*>(m_data) + first, last - first, MADV_DONTNEED);
}

Result<void> make_directories(const fs::path& path, unsigned mode) {
  if (path.empty()) return {};
  if (::mkdir(path.c_str(), mode) == 0) {
    // mkdir applies the umask; what we create must not depend on it.
    if (::chmod(path.c_str(), mode) != 0) return fail(file_error("create", path, errno));
    return {};
  }
  if (errno == EEXIST) {
    std::error_code error;
    if (fs::is_directory(path, error)) return {};
    return fail(file_error("create folder", path, ENOTDIR));
  }
  if (errno == ENOENT && path.has_parent_path() && path.parent_path() != path) {
    TK_CHECK(make_directories(path.parent_path(), mode));
    if (::mkdir(path.c_str(), mode) == 0 || errno == EEXIST) {
      ::chmod(path.c_str(), mode);
      return {};
    }
  }
  return fail(file_error("create folder", path, errno));
}

Result<void> set_mode(const fs::path& path, unsigned mode) {
  if (::chmod(path.c_str(), mode) != 0) return fail(file_error("change the mode of", path, errno));
  return {};
}

Result<void> remove_tree(const fs::path& path) {
  std::error_code error;
  fs::remove_all(path, error);
  if (error) {
    // A folder without write permission for its owner keeps its content: open it up and try once more.
    std::error_code ignored;
    if (fs::is_directory(path, ignored)) {
      fs::permissions(path, fs::perms::owner_all, fs::perm_options::add, ignored);
      for (auto it = fs::recursive_directory_iterator(path, fs::directory_options::skip_permission_denied, ignored);
           it != fs::recursive_directory_iterator(); it.increment(ignored)) {
        if (it->is_directory(ignored) && !it->is_symlink(ignored))
          fs::permissions(it->path(), fs::perms::owner_all, fs::perm_options::add, ignored);
        if (ignored) break;
      }
      error.clear();
      fs::remove_all(path, error);
    }
  }
  if (error) return fail(file_error("remove", path, error.value()));
  return {};
}

Result<void> move_file(const fs::path& from, const fs::path& to) {
  if (::rename(from.c_str(), to.c_str()) != 0) return fail(file_error("write", to, errno));
  return {};
}

Result<void> sync_directory(const fs::path& path) {
  TK_TRY(const auto fd, open_file(path, O_RDONLY | O_DIRECTORY));
  if (::fsync(fd.get()) != 0 && errno != EINVAL) return fail(file_error("write", path, errno));
  return {};
}

Result<void> link_or_copy(const fs::path& from, const fs::path& to) {
  if (::link(from.c_str(), to.c_str()) == 0) return {};
  if (errno == EEXIST) return {};
  if (errno != EXDEV && errno != EPERM && errno != EMLINK) return fail(file_error("write", to, errno));
  TK_TRY(const auto source, open_file(from, O_RDONLY));
  TK_TRY(auto target, AtomicFile::create(to, 0444));
  for (;;) {
    const auto copied = ::copy_file_range(source.get(), nullptr, target.fd(), nullptr, 64U << 20, 0);
    if (copied == 0) break;
    if (copied > 0) continue;
    if (errno == EINTR) continue;
    if (errno != EXDEV && errno != EINVAL && errno != EOPNOTSUPP && errno != ENOSYS)
      return fail(file_error("write", to, errno));
    std::vector<std::byte> buffer(1U << 20);
    for (;;) {
      const auto got = ::read(source.get(), buffer.data(), buffer.size());
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) return fail(file_error("read", from, errno));
      if (got == 0) break;
      TK_CHECK(target.write(std::span(buffer).first(static_cast<std::size_t>(got))));
    }
    break;
  }
  return target.commit();
}

Result<std::vector<std::string>> list_directory(const fs::path& path) {
  std::vector<std::string> names;
  std::error_code error;
  for (fs::directory_iterator it(path, error); !error && it != fs::directory_iterator(); it.increment(error))
    names.push_back(it->path().filename().string());
  if (error) return fail(file_error("read", path, error.value()));
  std::sort(names.begin(), names.end());
  return names;
}

Result<std::vector<base::Digest>> list_digests(const fs::path& path) {
  std::vector<base::Digest> digests;
  std::error_code error;
  if (!fs::exists(path, error)) return digests;
  TK_TRY(const auto names, list_directory(path));
  for (const auto& name : names)
    if (const auto digest = base::Digest::parse(name); digest && digest->hex() == name) digests.push_back(*digest);
  return digests;
}

std::optional<std::uint64_t> size_of_file(const fs::path& path) {
  struct stat status = {};
  if (::stat(path.c_str(), &status) != 0 || !S_ISREG(status.st_mode)) return std::nullopt;
  return static_cast<std::uint64_t>(status.st_size);
}

Result<std::uint64_t> free_space_bytes(const fs::path& path) {
  struct statvfs status = {};
  if (::statvfs(path.c_str(), &status) != 0) return fail(file_error("read", path, errno));
  return static_cast<std::uint64_t>(status.f_bavail) * status.f_frsize;
}

Result<TemporaryDirectory> TemporaryDirectory::create(const fs::path& parent, std::string_view prefix) {
  TK_CHECK(make_directories(parent));
  std::string name = (parent / (std::string(prefix) + "XXXXXX")).string();
  if (!::mkdtemp(name.data())) return fail(file_error("create folder in", parent, errno));
  TemporaryDirectory directory;
  directory.m_path = name;
  return directory;
}

TemporaryDirectory::~TemporaryDirectory() {
  if (!m_path.empty()) (void)remove_tree(m_path);
}

Result<FileLock> FileLock::acquire(const fs::path& path, const std::function<void(std::string_view)>& on_wait) {
  if (path.has_parent_path()) TK_CHECK(make_directories(path.parent_path()));
  TK_TRY(auto fd, open_file(path, O_RDWR | O_CREAT));
  bool told = false;
  while (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno == EINTR) continue;
    if (errno != EWOULDBLOCK) return fail(file_error("lock", path, errno));
    if (!told) {
      char holder[32] = {};
      const auto got = ::pread(fd.get(), holder, sizeof holder - 1, 0);
      on_wait(base::trim(std::string_view(holder, got > 0 ? static_cast<std::size_t>(got) : 0)));
      told = true;
    }
    pollfd wait = {interrupt_fd(), POLLIN, 0};
    ::poll(&wait, 1, 100);
    if (interrupted()) return interrupted_error();
  }
  const std::string id = std::to_string(::getpid()) + "\n";
  if (::ftruncate(fd.get(), 0) == 0) (void)!::pwrite(fd.get(), id.data(), id.size(), 0);
  return FileLock(std::move(fd));
}

}  // namespace torchkiln::sys
