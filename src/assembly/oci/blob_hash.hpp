#pragma once
// The digest of a file that may be too large to hold in memory.

#include "foundation/base/digest.hpp"
#include "foundation/base/error.hpp"

#include <cstdint>
#include <filesystem>
#include <functional>

namespace torchkiln::oci {

/// SHA-256 of the whole file; an Error (interrupted) on SIGINT. `on_bytes`, where given, is told of every piece
/// read.
base::Result<base::Digest> digest_of_file(const std::filesystem::path& path,
                                          const std::function<void(std::uint64_t)>& on_bytes);

}  // namespace torchkiln::oci
