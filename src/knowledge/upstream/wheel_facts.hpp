#pragma once
// What a PyTorch wheel says about itself in its own bytes: torch/version.py, METADATA, and the library that holds
// the list of GPU architectures. Pure.

#include "foundation/base/error.hpp"
#include "knowledge/version/cuda.hpp"
#include "knowledge/version/pep440.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace torchkiln::upstream {

/// torch/version.py.
struct VersionFile {
  version::Version version;                  ///< 2.8.0+cu128
  std::optional<version::CudaVersion> cuda;  ///< nothing for a build without CUDA
};
/// `file` names the wheel in messages.
base::Result<VersionFile> parse_version_file(std::string_view text, const std::string& file);

/// The headers of METADATA (core metadata specification) that are used here.
struct CoreMetadata {
  std::string name;
  version::Version version;
  std::vector<std::string> requires_dist;
};
base::Result<CoreMetadata> parse_core_metadata(std::string_view text, const std::string& file);

/// What libtorch_python.so tells.
struct LibraryFacts {
  /// The architecture flags that PyTorch was compiled with (torch.cuda.get_arch_list()), sorted; nothing when the
  /// library has no such list, as in a build without CUDA.
  std::optional<std::vector<version::ComputeCapability>> sass;
  std::vector<version::ComputeCapability> ptx;
  /// Flags for one architecture alone ("sm_90a"), which run on no other GPU: kept apart.
  std::vector<std::string> specific;
  std::optional<version::Version> glibc;  ///< the newest GLIBC_ symbol version that it needs
  /// _GLIBCXX_USE_CXX11_ABI, by how names of c10 functions spell std::string; nothing where none is telling.
  std::optional<bool> cxx11_abi;
};
LibraryFacts read_library(std::string_view bytes);

}  // namespace torchkiln::upstream
