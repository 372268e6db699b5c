#pragma once
// Layers in the format that an image is to have, in its layout.

#include "assembly/engine/direct.hpp"
#include "assembly/layer/convert_layer.hpp"
#include "assembly/oci/layout.hpp"
#include "foundation/base/progress.hpp"

#include <optional>
#include <set>
#include <vector>

namespace torchkiln::engine {

/// What is known of a layer in a format, once it was converted somewhere; of gzip itself what is given.
std::optional<layer::ConvertedLayer> known_conversion(const layer::LayerFacts& gzip_layer,
                                                      layer::LayerFormat format,
                                                      const layer::LayerCatalog& catalog);

struct PackedLayer {
  oci::Descriptor descriptor;
  base::Digest diff_id;
};

/// Puts the layers into the layout, converting what nobody converted yet. Blobs that are neither in the cache nor
/// in the layout are noted in `elsewhere`.
base::Result<std::vector<PackedLayer>> pack_layers(const std::vector<ReadyLayer>& layers, layer::LayerFormat format,
                                                   const Cache& cache, const oci::Layout& layout,
                                                   std::set<base::Digest>& elsewhere, base::Progress& progress);

}  // namespace torchkiln::engine
