#pragma once
// A part's Debian packages as a layer of their own: what a base with them has that the base below it lacks, has
// differently, or has no more (a whiteout; OCI image-spec, layer.md). The entries are those that mmdebstrap wrote,
// byte for byte, so that nothing about them, such as a file capability, is lost. Times alone are no difference:
// what a bootstrap generates bears the time of the newest package.

#include "assembly/layer/base_layer.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace torchkiln::layer {

/// Raise when the same two bases could give other bytes.
inline constexpr std::string_view k_delta_layer_recipe = "delta-layer/1";

struct DeltaFacts {
  LayerFacts layer;
  std::map<std::string, std::string> files;  ///< as BaseFacts has them, of the base above
  std::vector<std::string> removed;          ///< what the base above has no more, topmost paths only
};

std::string delta_layer_key(const BaseRequest& lower, const BaseRequest& upper);

/// Facts of a delta that was made before, wherever its blob is.
std::optional<DeltaFacts> find_delta(const std::string& key, const LayerCatalog& catalog);

/// The delta between two bases in `store`. `work` is a folder with room for both, unpacked.
base::Result<DeltaFacts> make_delta(const std::string& key, const BaseFacts& lower, const BaseFacts& upper,
                                    const sys::BlobStore& store, const LayerCatalog& catalog,
                                    const std::filesystem::path& work, unsigned threads);

}  // namespace torchkiln::layer
