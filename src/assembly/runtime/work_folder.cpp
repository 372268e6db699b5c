#include "assembly/runtime/work_folder.hpp"

#include <cerrno>
#include <cstdlib>
#include <fcntl.h>
#include <string>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

namespace torchkiln::runtime {

using base::ErrorCode;
using base::fail;
using base::Result;

namespace {

constexpr std::string_view k_prefix = "work-";

Result<void> remove_stale(const std::filesystem::path& parent, const WorkFolder::Remover& remover) {
  TK_TRY(const auto names, sys::list_directory(parent));
  for (const auto& name : names) {
    if (!name.starts_with(k_prefix)) continue;
    const auto fd = sys::open_file(parent / name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    if (fd && ::flock(fd->get(), LOCK_EX | LOCK_NB) == 0) TK_CHECK(remover(parent / name));
  }
  return {};
}

}  // namespace

Result<void> claim_folder(const std::filesystem::path& folder) {
  TK_CHECK(sys::make_directories(folder));
  struct stat status = {};
  if (::stat(folder.c_str(), &status) != 0) return fail(sys::file_error("examine", folder, errno));
  if (status.st_uid != ::geteuid())
    return fail(ErrorCode::usage,
                folder.string() + " belongs to user " + std::to_string(status.st_uid) + ", not to this one",
                {"choose another folder with --cache"});
  if ((status.st_mode & 07777) != 0700 && ::chmod(folder.c_str(), 0700) != 0)
    return fail(sys::file_error("set the mode of", folder, errno));
  return {};
}

Result<WorkFolder> WorkFolder::create(const std::filesystem::path& parent, Remover remover) {
  TK_CHECK(claim_folder(parent));
  // Held only here, so that no folder is taken for stale between its making and its locking.
  TK_TRY(const auto turn, sys::FileLock::acquire(parent / "lock", [](std::string_view) {}));
  TK_CHECK(remove_stale(parent, remover));
  auto name = (parent / (std::string(k_prefix) + "XXXXXX")).string();
  if (!::mkdtemp(name.data())) return fail(sys::file_error("create", name, errno));
  WorkFolder folder;
  folder.m_path = name;
  folder.m_remover = std::move(remover);
  TK_TRY(folder.m_lock, sys::open_file(folder.m_path, O_RDONLY | O_DIRECTORY));
  if (::flock(folder.m_lock.get(), LOCK_EX | LOCK_NB) != 0)
    return fail(sys::file_error("lock", folder.m_path, errno));
  return folder;
}

WorkFolder::~WorkFolder() {
  // What cannot be removed now (we may be interrupted) is stale for the next run.
  if (m_lock) static_cast<void>(m_remover(m_path));
}

}  // namespace torchkiln::runtime
