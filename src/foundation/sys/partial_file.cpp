#include "foundation/sys/partial_file.hpp"

#include "foundation/base/text.hpp"
#include "foundation/sys/interrupt.hpp"

#include <cerrno>
#include <fcntl.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include <vector>

#include <fmt/format.h>

namespace torchkiln::sys {

using base::Error;
using base::ErrorCode;
using base::fail;
using base::Result;

std::filesystem::path partial_path(const std::filesystem::path& destination) {
  auto path = destination;
  path += ".part";
  return path;
}

Result<void> PartialFile::open() {
  const auto path = partial_path(m_expected->destination);
  TK_CHECK(make_directories(path.parent_path()));
  TK_TRY(m_fd, open_file(path, O_RDWR | O_CREAT));
  return go_on();
}

Result<bool> PartialFile::open_alone() {
  const auto path = partial_path(m_expected->destination);
  TK_CHECK(make_directories(path.parent_path()));
  for (;;) {
    TK_TRY(m_fd, open_file(path, O_RDWR | O_CREAT));
    while (::flock(m_fd.get(), LOCK_EX | LOCK_NB) != 0) {
      if (errno != EWOULDBLOCK && errno != EINTR) return fail(file_error("lock", path, errno));
      if (interrupted()) return interrupted_error();
      pollfd wake = {interrupt_fd(), POLLIN, 0};
      ::poll(&wake, 1, 100);
    }
    if (size_of_file(m_expected->destination)) {
      // Another process was faster; the name, if there is one again, is ours.
      discard();
      return false;
    }
    // Whoever had it may have removed it, or moved it away, while we waited.
    struct stat ours = {}, named = {};
    if (::fstat(m_fd.get(), &ours) == 0 && ::stat(path.c_str(), &named) == 0 && ours.st_ino == named.st_ino) break;
  }
  m_size_bytes = 0;
  TK_CHECK(go_on());
  return true;
}

Result<void> PartialFile::go_on() {
  const auto path = partial_path(m_expected->destination);
  if (size_of_file(path).value_or(0) != m_size_bytes || m_size_bytes == 0) TK_CHECK(rehash());
  if (m_size_bytes > m_expected->size_bytes.value_or(m_size_bytes)) TK_CHECK(restart());
  if (::lseek(m_fd.get(), 0, SEEK_END) < 0) return fail(file_error("write", path, errno));
  m_resumed = m_size_bytes > 0;
  return {};
}

Result<void> PartialFile::restart() {
  if (::ftruncate(m_fd.get(), 0) != 0 || ::lseek(m_fd.get(), 0, SEEK_SET) < 0)
    return fail(file_error("write", m_expected->destination, errno));
  m_hasher = base::Sha256();
  m_size_bytes = 0;
  m_resumed = false;
  return {};
}

Result<void> PartialFile::write(std::span<const std::byte> bytes) {
  if (m_expected->size_bytes && m_size_bytes + bytes.size() > *m_expected->size_bytes) {
    discard();
    return fail(integrity(fmt::format("is larger than the {} bytes it should have", *m_expected->size_bytes)));
  }
  if (auto written = write_all(m_fd.get(), bytes, m_expected->destination); !written) {
    // A full disk must not stay full because of what could not be finished.
    if (written.error().code == ErrorCode::disk_full) discard();
    return written;
  }
  m_hasher.update(bytes);
  m_size_bytes += bytes.size();
  return {};
}

Result<void> PartialFile::finish() {
  if (m_size_bytes < m_expected->size_bytes.value_or(0)) {
    discard();
    return fail(integrity(fmt::format("is smaller than the {} bytes it should have", *m_expected->size_bytes)));
  }
  const auto digest = m_hasher.finish();
  m_hasher = base::Sha256();
  if (digest != m_expected->digest) {
    discard();
    auto error = integrity("does not have the digest it should have");
    error.notes = {"want " + m_expected->digest.to_string(), "got  " + digest.to_string()};
    return fail(std::move(error));
  }
  const auto& destination = m_expected->destination;
  if (::fchmod(m_fd.get(), 0444) != 0 || ::fsync(m_fd.get()) != 0) {
    auto error = file_error("write", destination, errno);
    if (error.code == ErrorCode::disk_full) discard();
    return fail(std::move(error));
  }
  // Open until it has moved, so that who waits for it finds it there.
  const auto fd = std::move(m_fd);
  TK_CHECK(move_file(partial_path(destination), destination));
  return sync_directory(destination.parent_path());
}

void PartialFile::discard() {
  ::unlink(partial_path(m_expected->destination).c_str());
  m_fd.reset();
  m_hasher = base::Sha256();
  m_size_bytes = 0;
}

Result<void> PartialFile::rehash() {
  m_hasher = base::Sha256();
  m_size_bytes = 0;
  std::vector<std::byte> buffer(1U << 20);
  for (;;) {
    const auto got = ::pread(m_fd.get(), buffer.data(), buffer.size(), static_cast<off_t>(m_size_bytes));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail(file_error("read", partial_path(m_expected->destination), errno));
    if (got == 0) return {};
    m_hasher.update(std::span(buffer).first(static_cast<std::size_t>(got)));
    m_size_bytes += static_cast<std::uint64_t>(got);
  }
}

Error PartialFile::integrity(const std::string& what) const {
  return {ErrorCode::integrity_failed,
          base::without_credentials(m_expected->source) + " " + what,
          std::nullopt,
          {},
          {}};
}

}  // namespace torchkiln::sys
