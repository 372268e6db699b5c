#pragma once
// What to download into the cache, each file once.

#include "assembly/engine/cache.hpp"
#include "foundation/base/digest.hpp"
#include "foundation/sys/http.hpp"

#include <cstdint>
#include <set>
#include <string>
#include <vector>

namespace torchkiln::engine {

struct DownloadList {
  std::vector<sys::Download> files;
  std::uint64_t total_bytes = 0;
  std::set<base::Digest> wanted;

  /// Has a file downloaded unless it is in the cache; `missing` then notes that it has to come.
  void want(const Cache& cache, const std::string& url, const base::Digest& digest, std::uint64_t size_bytes,
            std::set<base::Digest>& missing) {
    if (cache.blobs().contains(digest)) return;
    missing.insert(digest);
    if (!wanted.insert(digest).second) return;
    files.push_back(
        {url, cache.blobs().path(digest), digest, size_bytes ? std::optional(size_bytes) : std::nullopt});
    total_bytes += size_bytes;
  }
};

}  // namespace torchkiln::engine
