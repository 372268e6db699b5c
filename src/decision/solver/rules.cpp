#include "decision/solver/rules.hpp"

#include <algorithm>

namespace torchkiln::solver {

std::optional<DriverMode> driver_mode(const matrix::Matrix& matrix, version::CudaVersion cuda,
                                      const version::DriverVersion& driver) {
  if (const auto* toolkit = find_toolkit(matrix, cuda); toolkit && driver >= toolkit->driver)
    return DriverMode::direct;
  if (const auto* family = find_family(matrix, cuda.major); family && driver >= family->driver)
    return DriverMode::minor_version;
  return std::nullopt;
}

namespace {
bool is_over(const matrix::ForwardCompat& row, const version::DriverVersion& driver) {
  return std::find(row.branches.begin(), row.branches.end(), driver.branch()) != row.branches.end();
}
}  // namespace

const matrix::ForwardCompat* compat_package(const matrix::Matrix& matrix, version::CudaVersion cuda,
                                            const version::DriverVersion& driver) {
  const matrix::ForwardCompat* nearest = nullptr;
  for (const auto& row : matrix.forward_compat) {
    if (!is_over(row, driver) || row.cuda.major != cuda.major || row.cuda.minor < cuda.minor) continue;
    if (!nearest || row.cuda < nearest->cuda) nearest = &row;
  }
  return nearest;
}

bool is_offered(const matrix::Matrix& matrix, version::CudaVersion compat, const version::DriverVersion& driver) {
  return std::any_of(matrix.forward_compat.begin(), matrix.forward_compat.end(),
                     [&](const matrix::ForwardCompat& row) { return row.cuda == compat && is_over(row, driver); });
}

bool may_use_compat_package(const matrix::NamedGpu& gpu) {
  return gpu.row &&
         (gpu.row->gpu_class == matrix::GpuClass::datacenter || gpu.row->gpu_class == matrix::GpuClass::jetson);
}

bool has_arm_processor(const matrix::NamedGpu& gpu) {
  return gpu.row && (gpu.row->gpu_class == matrix::GpuClass::jetson || gpu.row->gpu_class == matrix::GpuClass::soc);
}

std::optional<version::CudaVersion> cuda_of(const matrix::Matrix& matrix, const version::DriverVersion& driver) {
  std::optional<version::CudaVersion> newest;
  for (const auto& toolkit : matrix.toolkits)
    if (toolkit.cuda.patch == 0 && toolkit.driver <= driver && (!newest || *newest < toolkit.cuda))
      newest = toolkit.cuda;
  return newest;
}

std::optional<version::DriverVersion> first_driver(const matrix::Matrix& matrix, const matrix::NamedGpu& gpu) {
  const auto* row = find_first_driver(matrix, gpu.compute);
  const auto& board = gpu.row ? gpu.row->driver : std::optional<version::DriverVersion>();
  if (!row) return board;
  return board && *board > row->driver ? *board : row->driver;
}

const matrix::DriverBranch* branch_that_dropped(const matrix::Matrix& matrix, const version::DriverVersion& driver,
                                                version::ComputeCapability compute) {
  const matrix::DriverBranch* nearest = nullptr;
  for (const auto& branch : matrix.branches)
    if (branch.oldest_gpu && branch.branch <= driver.branch() && (!nearest || branch.branch > nearest->branch))
      nearest = &branch;
  return nearest && compute < *nearest->oldest_gpu ? nearest : nullptr;
}

const matrix::DriverBranch* last_branch_for(const matrix::Matrix& matrix, unsigned branch,
                                            version::ComputeCapability compute) {
  const matrix::DriverBranch* last = nullptr;
  for (const auto& row : matrix.branches)
    if (row.branch < branch && (!row.oldest_gpu || *row.oldest_gpu <= compute) &&
        (!last || row.branch > last->branch))
      last = &row;
  return last;
}

bool drives(const matrix::Matrix& matrix, const version::DriverVersion& driver, const matrix::NamedGpu& gpu) {
  const auto first = first_driver(matrix, gpu);
  return (!first || driver >= *first) && !branch_that_dropped(matrix, driver, gpu.compute);
}

bool has_sass(const matrix::Build& build, version::ComputeCapability compute) {
  return build.sass && build.cuda &&
         std::any_of(build.sass->begin(), build.sass->end(), [&](version::ComputeCapability code) {
           return version::sass_runs_on(code, compute, *build.cuda);
         });
}

bool has_ptx(const matrix::Build& build, version::ComputeCapability compute) {
  return std::any_of(build.ptx.begin(), build.ptx.end(),
                     [&](version::ComputeCapability code) { return version::ptx_compiles_for(code, compute); });
}

const matrix::Cudnn* cudnn_row(const matrix::Matrix& matrix, const matrix::Build& build) {
  if (!build.cudnn || !build.cuda) return nullptr;
  for (const auto& row : matrix.cudnns)
    if (row.cuda_major == build.cuda->major && *build.cudnn >= row.first &&
        (!row.last || *build.cudnn <= *row.last))
      return &row;
  return nullptr;
}

bool cudnn_serves(const matrix::Cudnn& row, version::ComputeCapability compute) {
  if (row.compute.empty()) return true;
  const auto [oldest, newest] = std::minmax_element(row.compute.begin(), row.compute.end());
  if (compute < *oldest) return false;
  if (compute.major <= newest->major) return true;
  return std::any_of(row.ptx.begin(), row.ptx.end(),
                     [&](version::ComputeCapability code) { return version::ptx_compiles_for(code, compute); });
}

bool accepts(const matrix::Companion& companion, const version::Version& pytorch) {
  if (std::find(companion.pytorch.begin(), companion.pytorch.end(), pytorch) != companion.pytorch.end())
    return true;
  return companion.torch && companion.torch->contains(pytorch);
}

std::optional<version::CudaVersion> cuda_of(const matrix::Matrix& matrix, const matrix::Companion& companion,
                                            matrix::Architecture architecture) {
  if (companion.pytorch.empty()) return std::nullopt;
  for (const auto& build : matrix.builds)
    if (build.index == "default" && build.architecture == architecture &&
        build.pytorch == companion.pytorch.front())
      return build.cuda;
  return std::nullopt;
}

const matrix::Broken* find_broken(const matrix::Matrix& matrix, const Combination& combination) {
  const auto python = version::Version::parse(combination.python);
  for (const auto& row : matrix.broken) {
    const auto about_gpu = [&](version::ComputeCapability gpu) {
      return row.compute->contains(version::Version::of({gpu.major, gpu.minor}));
    };
    const auto about_package = [&](const auto& package) {
      return package.first == row.package && row.versions.contains(package.second);
    };
    if (!row.is_about(combination.build)) continue;
    if (!row.python.is_empty() && !(python && row.python.contains(*python))) continue;
    if (row.compute && std::none_of(combination.gpus.begin(), combination.gpus.end(), about_gpu)) continue;
    if (!row.package.empty() &&
        std::none_of(combination.packages.begin(), combination.packages.end(), about_package))
      continue;
    return &row;
  }
  return nullptr;
}

bool is_on(const matrix::Matrix& matrix, const matrix::Proof& proof, const matrix::NamedGpu& gpu) {
  if (!gpu.row) return proof.compute == gpu.compute;
  const auto named = find_gpu(matrix, proof.gpu);
  return named && named->name == gpu.name;
}

int tier(const matrix::Build& build) {
  if (build.index == "default") return 0;
  return static_cast<int>(build.status);
}

}  // namespace torchkiln::solver
