#pragma once
// A gzip file of one member out of one of many, without recompressing (as zlib's example gzjoin does it): the bit
// that marks a deflate stream's last block is cleared, and an empty stored block brings the stream to a whole byte,
// so that the next one can follow. Internal to the room.

#include "foundation/base/digest.hpp"
#include "foundation/base/error.hpp"
#include "foundation/sys/blob_store.hpp"

#include <functional>
#include <span>

namespace torchkiln::layer {

/// Writes `file`, a gzip layer of ours, as one member; the SHA-256 of the tar.
base::Result<base::Digest> write_single_member(std::span<const std::byte> file, sys::BlobStore::Writer& out,
                                               const std::function<void(std::span<const std::byte>)>& forget);

}  // namespace torchkiln::layer
