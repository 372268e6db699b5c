#pragma once
// Questions to the matrix that need no search.

#include "knowledge/matrix/matrix.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace torchkiln::matrix {

/// A GPU as a user or a driver names it ("A100", "NVIDIA A100-SXM4-80GB", "Tesla V100-PCIE-16GB", "sm_90", "9.0").
struct NamedGpu {
  std::string name;  ///< the row's model, or "sm_90"
  version::ComputeCapability compute;
  const Gpu* row = nullptr;  ///< none for a bare compute capability
};

/// The part of a GPU's name that tells it from others: "NVIDIA GeForce RTX 4090" is "rtx4090".
std::string gpu_key(std::string_view text);
/// The GPU called `text`: vendor words, case and punctuation do not matter, and words after a known name (memory
/// size, form factor) are ignored. Nothing when no row fits.
std::optional<NamedGpu> find_gpu(const Matrix& matrix, std::string_view text);
/// The nearest known name, for "did you mean".
std::optional<std::string> nearest_gpu(const Matrix& matrix, std::string_view text);

const OperatingSystem* find_system(const Matrix& matrix, std::string_view id);
const CudaFamily* find_family(const Matrix& matrix, unsigned major);
/// The row of a CUDA minor release (12.8 for 12.8 and 12.8.1).
const Toolkit* find_toolkit(const Matrix& matrix, version::CudaVersion cuda);
const DriverBranch* find_branch(const Matrix& matrix, unsigned branch);
const FirstDriver* find_first_driver(const Matrix& matrix, version::ComputeCapability compute);
const Release* find_release(const Matrix& matrix, const version::Version& pytorch);
/// The companion that goes with a PyTorch release.
const Companion* find_companion(const Matrix& matrix, std::string_view package, const version::Version& pytorch);
/// The tombstone of an image reference ("nvidia/cuda:10.2-devel-ubuntu18.04", with or without a registry before
/// it); the row that names the most of the tag.
const Tombstone* find_tombstone(const Matrix& matrix, std::string_view reference);
const Source* find_source(const Matrix& matrix, std::string_view id);

}  // namespace torchkiln::matrix
