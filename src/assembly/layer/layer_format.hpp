#pragma once
// How a layer's tar is packed. The tar, and so the diff_id and the image's ID, is the same in all of them but
// eStargz, which adds a file to the tar.

#include <optional>
#include <string>
#include <string_view>

namespace torchkiln::layer {

enum class LayerFormat {
  gzip,                ///< as wheels give it: many members, nothing recompressed
  gzip_single_member,  ///< for readers that stop after the first member
  zstd,                ///< smaller, and several times faster to unpack
  raw,                 ///< for an engine on this machine
  estargz              ///< gzip with a table of contents, for snapshotters that fetch files when they are opened
};

/// "gzip", "single-member", "zstd", "raw", "estargz".
std::string_view name(LayerFormat format);
/// The layer's media type (OCI image-spec, layer.md).
std::string_view media_type(LayerFormat format);
/// Names the exact bytes that a conversion gives, for catalog keys: what could change them is in it.
std::string recipe(LayerFormat format);

}  // namespace torchkiln::layer
