#include "assembly/engine/cache.hpp"

#include "foundation/sys/environment.hpp"

#include <cerrno>
#include <sys/stat.h>
#include <unistd.h>

namespace torchkiln::engine {

using base::ErrorCode;
using base::fail;

std::filesystem::path Cache::default_root() {
  if (const auto root = sys::environment("TORCHKILN_CACHE")) return *root;
  if (const auto root = sys::environment("XDG_CACHE_HOME")) return std::filesystem::path(*root) / "torchkiln";
  return sys::home_directory() / ".cache/torchkiln";
}

base::Result<void> Cache::prepare() const {
  TK_CHECK(sys::make_directories(m_root));
  struct stat status = {};
  if (::stat(m_root.c_str(), &status) != 0) return fail(sys::file_error("read", m_root, errno));
  if (status.st_uid != ::geteuid())
    return fail(ErrorCode::file_failed, "the cache folder " + m_root.string() + " belongs to another user",
                {"name a folder of your own with --cache DIR or TORCHKILN_CACHE"});
  if (status.st_mode & S_IWOTH)
    return fail(ErrorCode::file_failed, "everybody may write to the cache folder " + m_root.string(),
                {"chmod o-w " + m_root.string()});
  return sys::make_directories(work());
}

base::Result<sys::FileLock> Cache::lock(const std::function<void(std::string_view)>& on_wait) const {
  TK_TRY(auto lock, sys::FileLock::acquire(m_root / "lock", on_wait));
  TK_CHECK(m_blobs.remove_leftovers());
  // Folders that only whoever holds the lock makes; a container's may be in use.
  if (const auto names = sys::list_directory(work()))
    for (const auto& name : *names)
      for (const std::string_view prefix : {"uv-", "verifier-", "delta-", "image-", "saved-", "catalog-"})
        if (name.starts_with(prefix)) TK_CHECK(sys::remove_tree(work() / name));
  return lock;
}

}  // namespace torchkiln::engine
