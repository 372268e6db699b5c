#pragma once
// An image that docker or podman holds, in a layout of ours.

#include "assembly/oci/layout.hpp"
#include "assembly/oci/reference.hpp"

namespace torchkiln::runtime {

/// The configuration alone, as the engine tells it: an image without layers.
base::Result<oci::Image> inspect_engine_image(const oci::EngineReference& reference, const oci::Layout& layout);
/// All of it, by the engine's `save`. `scratch` is a folder on a disk, for the archive.
base::Result<oci::Image> save_engine_image(const oci::EngineReference& reference, const oci::Layout& layout,
                                           const std::filesystem::path& scratch);

}  // namespace torchkiln::runtime
