#pragma once
// One layer's blob into one folder: inflate, check, write. Needs to be root, or root of a user namespace.

#include "assembly/runtime/byte_source.hpp"
#include "foundation/base/digest.hpp"

#include <cstdint>
#include <filesystem>
#include <functional>

namespace torchkiln::runtime {

enum class Continue { yes, no };

/// Unpacks `blob` into the empty folder `folder` and flushes it to the disk. Other bytes than `diff_id` says:
/// integrity_failed. `on_bytes` gets the number of the blob's bytes done, now and then, and says whether to go on
/// (else: interrupted).
base::Result<void> unpack_blob(const std::filesystem::path& blob, Compression compression,
                               const base::Digest& diff_id, const std::filesystem::path& folder,
                               const std::function<Continue(std::uint64_t)>& on_bytes);

}  // namespace torchkiln::runtime
