#include "assembly/engine/prune.hpp"

#include <algorithm>
#include <cerrno>
#include <sys/stat.h>

namespace torchkiln::engine {

using base::Result;
namespace fs = std::filesystem;

namespace {

/// Bytes on the disk of a tree. What an ordinary user may not look into (an image's own closed folders) counts as
/// none.
std::uint64_t disk_bytes(const fs::path& tree) {
  std::uint64_t bytes = 0;
  std::error_code ignored;
  const auto options = fs::directory_options::skip_permission_denied;
  for (auto at = fs::recursive_directory_iterator(tree, options, ignored); at != fs::recursive_directory_iterator();
       at.increment(ignored)) {
    struct stat status = {};
    if (::lstat(at->path().c_str(), &status) == 0) bytes += static_cast<std::uint64_t>(status.st_blocks) * 512;
    if (ignored) break;
  }
  return bytes;
}

Result<void> prune_blobs(const sys::BlobStore& blobs, std::int64_t before_s, Pruned& pruned) {
  TK_TRY(const auto digests, blobs.list());
  for (const auto& digest : digests) {
    struct stat status = {};
    if (::stat(blobs.path(digest).c_str(), &status) != 0)
      return base::fail(sys::file_error("examine", blobs.path(digest), errno));
    const auto bytes = static_cast<std::uint64_t>(status.st_blocks) * 512;
    // Read (the kernel notes that once a day where it notes it at all), written, or linked into a layout.
    const auto used_s = std::max({status.st_atime, status.st_mtime, status.st_ctime});
    if (used_s >= before_s) {
      pruned.kept_bytes += bytes;
      continue;
    }
    TK_CHECK(blobs.remove(digest));
    ++pruned.removed;
    if (status.st_nlink == 1) pruned.freed_bytes += bytes;
  }
  return {};
}

Result<void> prune_unpacked(const runtime::UnpackStore& unpacked, std::int64_t before_s, Pruned& pruned) {
  TK_TRY(const auto layers, unpacked.list());
  for (const auto& diff_id : layers) {
    const auto bytes = disk_bytes(unpacked.path(diff_id));
    TK_TRY(const auto used_s, unpacked.last_used_s(diff_id));
    if (used_s >= before_s) {
      pruned.kept_bytes += bytes;
      continue;
    }
    TK_CHECK(unpacked.remove(diff_id));
    ++pruned.removed;
    pruned.freed_bytes += bytes;
  }
  return {};
}

}  // namespace

Result<Pruned> prune(const Cache& cache, std::int64_t before_s) {
  Pruned pruned;
  TK_CHECK(prune_blobs(cache.blobs(), before_s, pruned));
  TK_CHECK(prune_unpacked(cache.unpacked(), before_s, pruned));
  return pruned;
}

}  // namespace torchkiln::engine
