#pragma once
// A gzip layer in another format. What comes out is checked against the diff_id on the way, so a conversion proves
// the layer that it was made from.

#include "assembly/layer/layer_format.hpp"
#include "assembly/layer/layer_writer.hpp"
#include "foundation/base/digest.hpp"
#include "foundation/base/error.hpp"
#include "foundation/sys/blob_store.hpp"

#include <string>

namespace torchkiln::layer {

struct ConvertedLayer {
  LayerFacts facts;
  /// Of eStargz: the digest of its table of contents, which the layer's descriptor carries. None otherwise.
  base::Digest table_digest;
  bool operator==(const ConvertedLayer&) const = default;
};

/// The catalog key of a layer in another format.
std::string converted_key(const base::Digest& gzip_layer, LayerFormat format);

/// Converts the layer, which is in `store`, into it. Fails with integrity_failed when its blob is damaged.
base::Result<ConvertedLayer> convert_layer(const LayerFacts& gzip_layer, LayerFormat format,
                                           const sys::BlobStore& store, unsigned threads);

}  // namespace torchkiln::layer
