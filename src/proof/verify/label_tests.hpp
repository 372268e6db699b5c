#pragma once
// Level static: whether what an image says of itself, in labels and environment, is so, and, where there is a lock,
// is what the lock says. Each function lists what is wrong.

#include "assembly/oci/image_config.hpp"
#include "assembly/oci/layout.hpp"
#include "plan/lock/lock.hpp"
#include "proof/verify/image_tree.hpp"

#include <map>
#include <string>
#include <vector>

namespace torchkiln::verify {

/// The variant that an image says it is; runtime when it says nothing, since images without parts were the first.
spec::Variant variant_of(const oci::ImageConfig& config);

/// Where the image's wheels are, by the Python that its label names.
std::string site_packages_of(const oci::ImageConfig& config);

/// The paths of the METADATA of the wheels in it.
std::vector<std::string> metadata_files(const ImageTree& tree, const std::string& site_packages);

/// A wheel's version may carry a local part ("2.8.0+cu128") that its file name and the index leave out.
bool is_same_version(const std::string& installed, const std::string& locked);

/// Versions of the installed distributions, by normalised name, as their METADATA says.
base::Result<std::map<std::string, std::string>> installed_versions(const ImageTree& tree,
                                                                    const std::string& site_packages);

/// Labels that the installed wheels contradict.
base::Result<std::vector<std::string>> label_faults(const oci::ImageConfig& config, const ImageTree& tree);

/// Variables that hide GPUs, put other libraries or modules before the image's, or ask for another driver than the
/// image's CUDA needs.
std::vector<std::string> environment_faults(const oci::ImageConfig& config);

/// Tag, labels and environment that are not those of the lock's recipe.
std::vector<std::string> lock_faults(const oci::Image& image, const oci::ImageConfig& config,
                                     const lock::Lock& lock);

/// Wheels and Debian packages that are not those of the lock for this variant.
base::Result<std::vector<std::string>> package_faults(const lock::Lock& lock, spec::Variant variant,
                                                      const ImageTree& tree);

/// Layers that the lock knows for its wheels and the image has not, though it has others of them: a layer that was
/// made again with other bytes in it keeps its wheels' own records, so only the lock can tell.
std::vector<std::string> wheel_layer_faults(const lock::Lock& lock, spec::Variant variant,
                                            const oci::ImageConfig& config);

}  // namespace torchkiln::verify
