#pragma once
// Putting an image together: layers from the cache, configuration and manifest, in an OCI layout.

#include "assembly/engine/direct.hpp"
#include "assembly/layer/layer_format.hpp"
#include "assembly/oci/layout.hpp"
#include "foundation/base/progress.hpp"

#include <filesystem>
#include <set>
#include <vector>

namespace torchkiln::engine {

/// The layers in their order and format, and on top the configuration with our `own` files (recipe::own_files()).
base::Result<oci::Image> put_image(const lock::Lock& lock, const recipe::Recipe& recipe, const ImageLayers& ready,
                                   const std::vector<recipe::AddedFile>& own, layer::LayerFormat format,
                                   const Cache& cache, const oci::Layout& layout, base::Progress& progress);

/// Layers, lowest first.
struct StackedLayers {
  std::vector<oci::Descriptor> descriptors;
  std::set<base::Digest> elsewhere = {};  ///< blobs that are not in the layout but where the image goes next
  std::vector<base::Digest> diff_ids;
  std::vector<std::string> made_by;  ///< what the history says of each
};

/// The same configuration around layers of another making.
base::Result<oci::Image> put_image(const lock::Lock& lock, const recipe::Recipe& recipe, StackedLayers layers,
                                   const oci::Layout& layout);

}  // namespace torchkiln::engine
