#pragma once
// The rules of compatibility, one function each, over rows of the matrix. The solver compiles them into tables;
// whoever judges an existing image against a host uses the same functions.

#include "decision/solver/solver.hpp"
#include "knowledge/matrix/query.hpp"

#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace torchkiln::solver {

/// How `driver` runs code built with `cuda` without a compat package: direct when it is at least the driver made
/// with that CUDA, by minor-version compatibility when it is at least the floor of the CUDA family (NVIDIA CUDA
/// compatibility guide). Nothing when it is too old.
std::optional<DriverMode> driver_mode(const matrix::Matrix& matrix, version::CudaVersion cuda,
                                      const version::DriverVersion& driver);

/// The cuda-compat package that makes `driver` run `cuda`: of the same major version, at least as new, and offered
/// for the driver's branch. Null when there is none.
const matrix::ForwardCompat* compat_package(const matrix::Matrix& matrix, version::CudaVersion cuda,
                                            const version::DriverVersion& driver);

/// Whether cuda-compat of this CUDA release may be laid over `driver`: its branch is in the row.
bool is_offered(const matrix::Matrix& matrix, version::CudaVersion compat, const version::DriverVersion& driver);

/// Forward compatibility is for data-center GPUs and Jetson boards; "select" RTX cards are on no list.
bool may_use_compat_package(const matrix::NamedGpu& gpu);

/// Jetson boards and the GB10 sit beside an Arm processor, whatever else is not known of the machine.
bool has_arm_processor(const matrix::NamedGpu& gpu);

/// The newest CUDA minor release whose own driver is at most `driver`: what the driver calls its CUDA version. A
/// lower bound where the driver is newer than the matrix. Nothing for drivers before all that the matrix knows.
std::optional<version::CudaVersion> cuda_of(const matrix::Matrix& matrix, const version::DriverVersion& driver);

/// The oldest driver for the GPU as far as the matrix knows: its generation's or its board's own.
std::optional<version::DriverVersion> first_driver(const matrix::Matrix& matrix, const matrix::NamedGpu& gpu);

/// The row of the branch of `driver` (or the newest known one before it) when that branch no longer drives the
/// GPU. Null when it does.
const matrix::DriverBranch* branch_that_dropped(const matrix::Matrix& matrix, const version::DriverVersion& driver,
                                                version::ComputeCapability compute);

/// The newest branch older than `branch` that still drives the GPU. Null when the matrix knows none.
const matrix::DriverBranch* last_branch_for(const matrix::Matrix& matrix, unsigned branch,
                                            version::ComputeCapability compute);

/// Whether `driver` drives the GPU at all.
bool drives(const matrix::Matrix& matrix, const version::DriverVersion& driver, const matrix::NamedGpu& gpu);

/// Whether the wheel has machine code, or PTX, for the GPU. A list that nobody knows has neither.
bool has_sass(const matrix::Build& build, version::ComputeCapability compute);
bool has_ptx(const matrix::Build& build, version::ComputeCapability compute);

/// The row about the cuDNN that the build comes with; null when there is none.
const matrix::Cudnn* cudnn_row(const matrix::Matrix& matrix, const matrix::Build& build);
/// False when the row says that this cuDNN has no code for the GPU: it is older than all in the row, or of a newer
/// generation than all in it without PTX to compile.
bool cudnn_serves(const matrix::Cudnn& row, version::ComputeCapability compute);

/// Whether torchvision or torchaudio of this row installs beside the PyTorch release: it is paired with it, or its
/// own metadata accepts it.
bool accepts(const matrix::Companion& companion, const version::Version& pytorch);

/// The CUDA that a companion on the default index was built with: that of the PyTorch release it is paired with
/// there (equal in every wheel that was read, facts a.7). Nothing where that build has no CUDA.
std::optional<version::CudaVersion> cuda_of(const matrix::Matrix& matrix, const matrix::Companion& companion,
                                            matrix::Architecture architecture);

/// What is together in one image on one machine, as far as it is known.
struct Combination {
  const matrix::Build& build;
  std::string python;  ///< "3.11"; empty: does not matter
  std::vector<version::ComputeCapability> gpus;
  std::vector<std::pair<std::string, version::Version>> packages;
};

/// The first row of known-broken combinations that this one contains; null when there is none.
const matrix::Broken* find_broken(const matrix::Matrix& matrix, const Combination& combination);

/// Whether a proof is about the GPU: a model is proven by its own kind alone, a bare compute capability by every
/// GPU that has it.
bool is_on(const matrix::Matrix& matrix, const matrix::Proof& proof, const matrix::NamedGpu& gpu);

/// Order in which kinds of builds are chosen: 0 is stable, or what the default index has whatever upstream calls
/// it; then experimental, then unadvertised.
int tier(const matrix::Build& build);

}  // namespace torchkiln::solver
