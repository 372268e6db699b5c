#pragma once
// Removing from the cache what has not been used for a while. All of it can be made or fetched again.

#include "assembly/engine/cache.hpp"

#include <cstdint>

namespace torchkiln::engine {

struct Pruned {
  std::size_t removed = 0;        ///< blobs and unpacked layers
  std::uint64_t freed_bytes = 0;  ///< of the disk: a blob that a layout shares (a hard link) frees none
  std::uint64_t kept_bytes = 0;   ///< of what stays
};

/// Removes the blobs and unpacked layers that were last used before `before_s` (seconds since 1970). The caller
/// holds the cache's lock. A container that was started before then must not be running: its files are among them.
base::Result<Pruned> prune(const Cache& cache, std::int64_t before_s);

}  // namespace torchkiln::engine
