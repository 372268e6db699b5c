#pragma once
// Pins the CUDA toolkit of the devel part where it comes from NVIDIA's redistributable archives: the files that the
// release's redistrib_*.json names, each with its SHA-256.

#include "foundation/base/error.hpp"
#include "foundation/sys/http.hpp"
#include "knowledge/version/cuda.hpp"
#include "plan/lock/lock.hpp"

#include <string>
#include <vector>

namespace torchkiln::lock {

/// The variable that holds the addresses of folders with NVIDIA's redistrib_*.json, blanks between them.
inline constexpr const char* k_redist_variable = "TORCHKILN_REDIST";
/// NVIDIA's folders: what the user wished, else TORCHKILN_REDIST; empty when nobody names one.
std::vector<std::string> redist_folders(std::vector<std::string> wished);

struct ToolkitRequest {
  version::CudaVersion cuda;            ///< of the PyTorch build: the newest release of its minor version is taken
  std::string architecture;             ///< "x86_64"
  std::vector<std::string> components;  ///< "cuda_nvcc"; one that a release does not have yet is left out
  std::vector<std::string> folders;     ///< redist_folders()
};

/// The archives, in the order of the components. usage when no folder is named, package_conflict when none has a
/// list of this CUDA or that has no compiler.
base::Result<std::vector<LockedArchive>> pin_toolkit(const ToolkitRequest& request, sys::HttpClient& http);

}  // namespace torchkiln::lock
