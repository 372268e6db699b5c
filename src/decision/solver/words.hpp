#pragma once
// Lists and ranges of versions as they stand in statements. Internal to the wing: audit speaks the same way.

#include "decision/solver/model.hpp"

#include <string>
#include <vector>

namespace torchkiln::solver {

/// "A", "A and B", "A, B and C".
std::string enumerated(const std::vector<std::string>& texts);

/// "7.5, 8.0 and 9.0".
std::string enumerated(const std::vector<version::ComputeCapability>& list);

/// The distinct releases of builds: "PyTorch 2.8.0", or "PyTorch 1.13.0 to 2.15.0" for more than three.
std::string releases_of(const std::vector<const matrix::Build*>& builds);

/// Python versions oldest first, neighbours as a range: "3.9 to 3.13".
std::string pythons_in_words(std::vector<std::string> tags);

/// "V100 (compute capability 7.0)", or "compute capability 9.0" for a bare one.
std::string gpu_in_words(const matrix::NamedGpu& gpu);

/// "driver branch R590 drives no GPU below compute capability 7.5; R580 was the last for 7.0". `last` may be null.
std::string dropped_in_words(const matrix::DriverBranch& branch, const matrix::DriverBranch* last,
                             version::ComputeCapability compute);

/// "manifests/cuda.toml:7".
std::string source_of(const matrix::Provenance& from);

}  // namespace torchkiln::solver
