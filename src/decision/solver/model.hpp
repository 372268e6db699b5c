#pragma once
// Request and catalogue as a Problem: which variable is which, and which statement each constraint is. Internal to
// the room.

#include "decision/solver/catalogue.hpp"
#include "decision/solver/proven.hpp"
#include "decision/solver/search.hpp"
#include "decision/solver/solver.hpp"
#include "knowledge/matrix/query.hpp"

#include <optional>
#include <vector>

namespace torchkiln::solver {

/// What a constraint says. Wishes come first, in the order in which conflicts prefer to name them; facts follow.
enum class Topic {
  pytorch,
  gpu,
  driver,
  cuda,
  cudnn,
  nccl,
  python,
  os,
  package,
  // facts
  index,              ///< only builds of the default index
  cuda_of_build,      ///< each build's CUDA
  cudnn_of_build,     ///< each build's cuDNN
  nccl_of_build,      ///< each build's NCCL
  kernels_of_build,   ///< machine code and PTX of each build for one GPU
  gpus_of_cudnn,      ///< cuDNN's code for one GPU
  driver_of_cuda,     ///< the driver that each CUDA needs
  driver_of_gpu,      ///< whether the driver drives one GPU
  driver_of_ptx,      ///< PTX needs a driver as new as the build's CUDA
  compat_of_gpu,      ///< who may use a compat package
  python_of_build,    ///< each build's wheels
  package_of_build,   ///< which companion goes with which PyTorch
  python_of_package,  ///< the companion's wheels
  glibc_of_build,     ///< the C library each build needs
  systems_unasked,    ///< the operating systems that are chosen when none is named
  python_of_system,   ///< each operating system's Python
  broken,             ///< a row of the table of broken combinations
  proven,             ///< what a proof is about; never a reason, since nothing need be proven
};
inline bool is_wish(Topic topic) {
  return topic <= Topic::package;
}

/// One constraint's meaning. `item` is the index of the GPU, package or broken row it is about. A broken row about
/// more than two variables is several constraints with one meaning.
struct Meaning {
  Topic topic;
  std::size_t item = 0;
  bool operator==(const Meaning&) const = default;
};

/// Values of a driver variable.
enum DriverValue : std::size_t { k_direct, k_minor_version, k_forward_compat, k_any_driver, k_driver_values };
/// Values of a GPU variable.
enum GpuValue : std::size_t { k_sass, k_ptx_jit, k_no_gpu, k_gpu_values };

struct Model {
  const Request* request;
  const Catalogue* catalogue;
  Problem problem;
  std::vector<Meaning> meanings;  ///< of problem.constraints

  std::vector<matrix::NamedGpu> gpus;                    ///< a variable each
  std::vector<const Catalogue::Companions*> companions;  ///< a variable each
  std::vector<const spec::PythonPackage*> packages;      ///< the wish of each companion variable
  std::vector<ProvenCombination>
      proven;  ///< the first values of the variable `proof`; the last one means none of them

  // Which variable is which.
  std::size_t build = 0, os = 1, python = 2;
  std::optional<std::size_t> proof;  ///< before all others, where what is proven is preferred
  std::optional<std::size_t> cuda, cudnn, nccl, driver;
  std::vector<std::size_t> gpu, companion;

  const matrix::Matrix& matrix() const { return *catalogue->matrix; }
  /// Every constraint, in the order of `Topic`.
  Active all() const;
  const matrix::Build& build_of(const std::vector<std::size_t>& assignment) const {
    return *catalogue->builds[assignment[build]];
  }
};

/// `request` and `catalogue` must outlive the model.
Model make_model(const Request& request, const Catalogue& catalogue);

}  // namespace torchkiln::solver
