#pragma once
// Level static, of the installed files: that every byte is the one that a wheel's RECORD names, and that the
// programs and libraries among them would find one another. Each function lists what is wrong.

#include "proof/verify/image_tree.hpp"

#include <string>
#include <vector>

namespace torchkiln::verify {

/// Files below `site_packages` whose bytes are not those of their RECORD (PyPA, "Recording installed projects"),
/// that are missing, or that no RECORD names.
base::Result<std::vector<std::string>> record_faults(const ImageTree& tree, const std::string& site_packages);

/// What the dynamic loader would miss in the programs and libraries below `prefix`: libraries that are nowhere in
/// the image (the driver's apart, which come from the host), and versions of symbols that the library found does
/// not define, such as those of a newer glibc than the base's.
base::Result<std::vector<std::string>> library_faults(const ImageTree& tree, const std::string& prefix);

/// CUDA's and torch's libraries that are in the image more than once, in whatever versions.
std::vector<std::string> copy_faults(const ImageTree& tree);

/// Where torch's kernels for GPUs are.
std::string torch_cuda_library(const std::string& site_packages);

/// Architectures among `promised` ("sm_80 sm_90") without machine code in most modules of torch's CUDA library.
base::Result<std::vector<std::string>> architecture_faults(const ImageTree& tree, const std::string& site_packages,
                                                           const std::string& promised);

}  // namespace torchkiln::verify
