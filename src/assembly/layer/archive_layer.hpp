#pragma once
// Archives as a layer: NVIDIA's redistributable ones, which make a CUDA toolkit where its wheels have none, or a
// Python. What each holds below the one folder at its top goes into one folder, as NVIDIA's installers put it
// together.

#include "assembly/layer/catalog.hpp"
#include "assembly/layer/layer_writer.hpp"
#include "foundation/base/digest.hpp"
#include "foundation/base/error.hpp"

#include <filesystem>
#include <span>
#include <string>

namespace torchkiln::layer {

/// Raise when the same archives could give other bytes.
inline constexpr std::string_view k_archive_layer_recipe = "archive-layer/1";

/// An archive that is in the cache.
struct CachedArchive {
  std::string name;  ///< "cuda_nvcc", "python"
  base::Digest digest;
};

/// `folder` is where it goes, relative to the image's root: "usr/local/cuda-12.8".
std::string archive_layer_key(std::span<const CachedArchive> archives, const std::string& folder);

/// Owner root, modes 0644 and 0755, constant times. Licences, which every archive has by the same name, get the
/// archive's name behind theirs. package_conflict when two archives have a file with different bytes; input_invalid
/// for an archive that cannot be read or leads out of its folder.
base::Result<LayerFacts> make_archive_layer(std::span<const CachedArchive> archives, const std::string& folder,
                                            const sys::BlobStore& store, const std::filesystem::path& work,
                                            unsigned threads);

}  // namespace torchkiln::layer
