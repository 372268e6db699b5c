#pragma once
// Pushing, for `push` itself and for what builds images and is told to push them.

#include "assembly/oci/reference.hpp"
#include "assembly/registry/push.hpp"
#include "interface/cli/open_image.hpp"

#include <string>
#include <vector>

namespace torchkiln::cli {

/// Pushes every image to the target's repository, under the target's tag or the image's own. `from` are
/// repositories of the same registry that may have blobs already.
base::Result<std::vector<registry::Pushed>> push_images(const std::vector<OpenedImage>& images,
                                                        const oci::RegistryReference& target,
                                                        const std::vector<std::string>& from, Session& session);

}  // namespace torchkiln::cli
