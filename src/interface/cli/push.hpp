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

/// Where `--push` sends what is built; checked before anything is built. One tag cannot name several images.
base::Result<std::vector<oci::RegistryReference>> parse_push_targets(const std::vector<std::string>& texts,
                                                                     std::size_t images);
/// Pushes an image that was just built; what it is called there.
base::Result<std::vector<std::string>> push_built(const oci::Layout& layout, const oci::Image& image,
                                                  const std::vector<oci::RegistryReference>& targets,
                                                  Session& session);

}  // namespace torchkiln::cli
