#pragma once
// The layers of somebody else's image as one tar: what a base of ours is put together on, and what is read out of
// such an image. Whiteouts take effect (OCI image-spec, layer.md); the entries stay as they are, byte for byte.

#include "assembly/layer/layer_writer.hpp"
#include "foundation/base/digest.hpp"
#include "foundation/base/error.hpp"

#include <filesystem>
#include <map>
#include <set>
#include <span>
#include <string>

namespace torchkiln::layer {

/// A layer of an image, in a blob store.
struct ImageLayer {
  base::Digest digest, diff_id;
};

/// Writes `tar`; `work` is a folder with room for the layers, unpacked. integrity_failed for a layer whose bytes
/// have another diff_id, or for a hard link to a file that a layer above replaced.
base::Result<void> flatten(std::span<const ImageLayer> layers, const sys::BlobStore& store,
                           const std::filesystem::path& tar, const std::filesystem::path& work);

/// The contents of files by path, without leading "/", as the image has them; those that it has not are left out.
/// Files of more than 64 MiB are too.
base::Result<std::map<std::string, std::string>> read_image_files(std::span<const ImageLayer> layers,
                                                                  const sys::BlobStore& store,
                                                                  const std::set<std::string>& paths);

}  // namespace torchkiln::layer
