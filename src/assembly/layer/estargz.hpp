#pragma once
// eStargz (stargz-snapshotter, docs/estargz.md): a gzip layer whose every file that is not empty is a gzip member
// of its own, with a table of contents as its last file and a footer that says where the table begins. Ordinary
// readers see a tar with one more file. A file that a wheel brought is such a member already and is copied; the
// others are compressed anew. Internal to the room.

#include "assembly/layer/layer_writer.hpp"
#include "foundation/base/digest.hpp"
#include "foundation/base/error.hpp"
#include "foundation/sys/blob_store.hpp"

#include <functional>
#include <span>

namespace torchkiln::layer {

struct Estargz {
  base::Digest source_diff_id;  ///< of the layer that it was made from
  base::Digest diff_id;         ///< with the table in the tar
  std::uint64_t unpacked_bytes = 0;
  base::Digest table_digest;  ///< containerd.io/snapshot/stargz/toc.digest
};

/// Writes `file`, a gzip layer of ours.
base::Result<Estargz> write_estargz(std::span<const std::byte> file, sys::BlobStore::Writer& out,
                                    const std::function<void(std::span<const std::byte>)>& forget);

}  // namespace torchkiln::layer
