#pragma once
// One machine against one image, as rules that fail or hold: no words yet. Facts of machines and images are first
// put into the matrix's terms, once a kind. Internal to the room.

#include "decision/audit/audit.hpp"
#include "decision/audit/nvidia_require.hpp"
#include "decision/solver/solver.hpp"
#include "knowledge/matrix/query.hpp"

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace torchkiln::audit {

/// The rules that can stop an image from running, in the order host, driver, kernels, packages; what is not known
/// comes last. The first that fails gives the verdict. Their names are stable: they stand in reports.
enum class Rule : std::uint8_t {
  architecture,    ///< the image's processor is the host's
  gpu_present,     ///< nobody says that there is no GPU
  driver_library,  ///< kernel module and libcuda are of one version
  glibc,           ///< the C library is new enough for the wheels
  driver_gpu,      ///< the driver drives the GPU
  driver_floor,    ///< the driver runs the build's CUDA
  compat_older,    ///< a cuda-compat package on the library path is not older than the driver
  compat_gpu,      ///< and is not in the way of a GPU that may not use it
  nvidia_require,  ///< NVIDIA_REQUIRE_*
  kernels,         ///< machine code for the GPU, or PTX
  ptx,             ///< PTX alone needs a driver that compiles it
  pytorch_table,   ///< PyTorch's own list of boards that code of their generation is not for
  cudnn,           ///< cuDNN has code for the GPU
  cpu_build,       ///< the build has CUDA
  build,           ///< the build exists
  python,          ///< the build has wheels for the Python
  companion,       ///< torchvision or torchaudio goes with the PyTorch release
  companion_cuda,  ///< torchvision is built for the same CUDA major version, which it checks at import
  companion_python,
  pin,     ///< the wheel pins another version of the package
  broken,  ///< the combination is known not to work
  // A fact is missing.
  image_unknown,
  driver_unknown,
  gpus_unknown,
  gpu_unknown,
  compat_gpu_unknown,
  kernels_unknown,
  nvidia_require_unknown,
  package_unknown,
};
/// "driver-floor". What is missing has the name of what it is missing for: "driver", "gpu", "kernels".
std::string_view name(Rule rule);
Verdict verdict_of(Rule rule);

/// A rule that fails, and for which GPU, package, requirement or row of broken combinations.
struct Finding {
  Rule rule;
  std::size_t item = 0;
};

/// A machine's facts in the matrix's terms.
struct MachineFacts {
  std::optional<version::DriverVersion> driver;
  std::optional<version::CudaVersion> cuda;  ///< the driver's own
  std::optional<matrix::Architecture> architecture;
  std::optional<version::Version> glibc;
  std::optional<version::CudaVersion> compat;  ///< cuda-compat on the library path
  std::vector<std::optional<matrix::NamedGpu>> gpus;
  /// For each GPU the facts that a requirement may ask about, once for each brand that it may have.
  std::vector<std::vector<RequirementFacts>> requirement_facts;
  bool has_no_gpu = false;
  bool is_mismatched = false;        ///< kernel module and user-space driver differ
  bool checks_requirements = false;  ///< the container runtime looks at NVIDIA_REQUIRE_*
};

/// An image's facts in the matrix's terms, on one architecture.
struct ImageOnArchitecture {
  const matrix::Build* build = nullptr;  ///< the build, with or without CUDA
  const matrix::Cudnn* cudnn = nullptr;
  std::vector<Finding> findings;  ///< those that no machine changes
  std::string python;
  std::vector<std::pair<std::string, version::Version>> packages;
  bool may_break_by_gpu = false;  ///< a row of broken combinations is about the build and some GPUs
};
struct ImageFacts {
  bool has_pytorch = false;
  std::optional<matrix::Architecture> architecture;
  std::optional<version::Version> glibc;
  std::vector<NvidiaRequirement> requirements;
  std::vector<std::string> requirement_names;       ///< the variables
  std::optional<version::CudaVersion> requirement;  ///< the CUDA that the requirements speak of
  std::array<ImageOnArchitecture, 2> on;
};

/// What came out for one pair.
struct Assessment {
  Verdict verdict = Verdict::unknown;
  std::vector<Finding> findings;  ///< in the order of Rule
  std::optional<solver::DriverMode> mode;
  bool compiles_ptx = false;  ///< a GPU has no machine code, but PTX
};

/// A build that could be had instead.
struct Candidate {
  const matrix::Build* build;
  ImageFacts facts;
};

class Judge {
 public:
  /// `matrix` must outlive the judge.
  explicit Judge(const matrix::Matrix& matrix);
  const matrix::Matrix& matrix() const { return *m_matrix; }

  /// Every build with CUDA, the one that the solver prefers first.
  const std::vector<Candidate>& candidates(matrix::Architecture architecture) const {
    return m_candidates[static_cast<std::size_t>(architecture)];
  }
  /// Every driver that the matrix names, oldest first: at each of them something begins to run.
  const std::vector<version::DriverVersion>& drivers() const { return m_drivers; }

  MachineFacts facts_of(const host::Machine& machine) const;
  ImageFacts facts_of(const Image& image) const;
  /// The machine with another driver.
  MachineFacts with_driver(MachineFacts machine, const version::DriverVersion& driver) const;

  Assessment assess(const MachineFacts& machine, const ImageFacts& image) const;

  /// The architecture that a pair is judged on: the machine's, else the image's, else x86_64.
  static matrix::Architecture architecture_of(const MachineFacts& machine, const ImageFacts& image);
  /// What the runtime says to a requirement, over all GPUs.
  static NvidiaRequirement::Answer ask(const NvidiaRequirement& requirement, const MachineFacts& machine);

 private:
  const matrix::Matrix* m_matrix;
  std::array<std::vector<Candidate>, 2> m_candidates;
  std::vector<version::DriverVersion> m_drivers;
};

/// The build that an image's name stands for on an architecture; null when there is none.
const matrix::Build* find_build(const matrix::Matrix& matrix, const version::Version& pytorch,
                                std::string_view variant, matrix::Architecture architecture);
/// The row of a companion's release that goes with the PyTorch release, or any of that release; null when the
/// matrix has none.
const matrix::Companion* find_companion_row(const matrix::Matrix& matrix, const Package& package,
                                            const version::Version& pytorch);
/// The CUDA that a companion was built with: what its local version says, else that of the default index.
std::optional<version::CudaVersion> cuda_of_companion(const matrix::Matrix& matrix, const Package& package,
                                                      const matrix::Companion& row,
                                                      matrix::Architecture architecture);
/// The wheel's requirement that the package breaks, for a Python (empty: any); empty when there is none.
std::string broken_pin(const matrix::Build& build, const Package& package, const std::string& python);

}  // namespace torchkiln::audit
