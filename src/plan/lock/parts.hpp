#pragma once
// What a part adds to an image: the lists in images/<part>/, and the CUDA toolkit that fits the PyTorch build.

#include "decision/solver/solver.hpp"
#include "foundation/base/error.hpp"
#include "foundation/base/progress.hpp"
#include "knowledge/spec/spec.hpp"

#include <filesystem>
#include <string>
#include <vector>

namespace torchkiln::lock {

struct PartRequest {
  spec::Part part = spec::Part::devel;
  std::vector<std::string> requirements;   ///< PEP 508: images/<part>/requirements.txt
  std::vector<std::string> packages;       ///< of Debian: images/<part>/packages.txt
  std::vector<std::string> archives = {};  ///< NVIDIA's, by component: images/devel/cuda-archives.txt
};

/// What the parts of the spec's variants ask for, in the order of the layers. `images` is our folder of that name.
/// spec_invalid when [devel] cuda = "wheels" and NVIDIA's wheels for this CUDA have no compiler.
base::Result<std::vector<PartRequest>> part_requests(const spec::Spec& spec, const solver::Resolution& resolution,
                                                     const std::filesystem::path& images, base::Progress& progress);

/// The lines of a list, without comments ("#" to the end of the line) and blank ones.
base::Result<std::vector<std::string>> read_list(const std::filesystem::path& file);

}  // namespace torchkiln::lock
