#pragma once
// The matrix: what manifests/*.toml say about PyTorch, CUDA, drivers, GPUs and operating systems, a struct a row.
// Every row carries its provenance. docs/matrix.md explains the TOML.

#include "foundation/base/digest.hpp"
#include "foundation/base/error.hpp"
#include "knowledge/version/cuda.hpp"
#include "knowledge/version/pep440.hpp"

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace torchkiln::matrix {

/// How sure a row is: read out of the published bytes, said by an official source, or computed from other rows.
enum class Grade { measured, documented, derived };
std::string_view name(Grade grade);

/// Where a row stands and where it comes from.
struct Provenance {
  base::Place place;   ///< "manifests/pytorch-2.8.toml:14": independent of where the manifests are installed
  std::string source;  ///< id of a Source
  Grade grade = Grade::derived;
  std::string date;  ///< when the fact was read, "2026-11-21"
  std::string note;  ///< what other sources say, what is uncertain
};

/// Who says so.
struct Source {
  std::string id;
  std::string title;
  std::string detail;  ///< edition, commit, file
  base::Place place;
};

struct Release {
  version::Version pytorch;
  std::string released;  ///< the day it was uploaded, "2025-08-06"
  Provenance from;
};

enum class Architecture { x86_64, aarch64 };
std::string_view name(Architecture architecture);
base::Result<Architecture> parse_architecture(std::string_view text);

/// What upstream calls a build. `unadvertised`: built and uploaded, but on no list of upstream's.
enum class Status { stable, experimental, unadvertised };
std::string_view name(Status status);

/// One PyTorch wheel family: a release for one CUDA variant and architecture. What no source says is absent, and
/// what is absent never satisfies a requirement.
struct Build {
  version::Version pytorch;
  std::string variant;  ///< upstream's spelling: "cu128", "cpu"
  Architecture architecture = Architecture::x86_64;
  std::string index;  ///< "default" (the default Python index) or "pytorch" (upstream's own)
  Status status = Status::stable;
  std::optional<version::CudaVersion> cuda;  ///< absent for a build without CUDA
  std::optional<version::Version> cudnn;
  std::optional<version::Version> nccl;
  std::vector<std::string> python;                              ///< "3.11", "3.13t": from the wheels' tags
  version::Version glibc;                                       ///< the oldest that works
  std::optional<bool> cxx11_abi;                                ///< _GLIBCXX_USE_CXX11_ABI
  std::optional<std::vector<version::ComputeCapability>> sass;  ///< machine code for these
  std::vector<version::ComputeCapability> ptx;                  ///< PTX for these
  std::optional<std::uint64_t> wheel_bytes;                     ///< of the cp311 or cp310 wheel
  std::optional<std::uint64_t> download_bytes;                  ///< the wheel and everything it pins exactly
  std::vector<std::string> requirements;                        ///< CUDA and Triton lines of Requires-Dist, PEP 508
  bool has_all_requirements = false;  ///< these are all; none: the libraries are inside the wheel
  Provenance from;

  /// The wheel's version: 2.8.0+cu128.
  version::Version full_version() const;
  bool has_python(std::string_view tag) const;
};

/// Packages whose releases go with those of PyTorch, because they link its libraries; in the order of the
/// manifests.
inline constexpr std::array<std::string_view, 3> k_companions{"torchvision", "torchaudio", "torchtext"};
bool is_companion(std::string_view package);

/// A wheel of such a package and the PyTorch releases it goes with.
struct Companion {
  std::string package;  ///< of k_companions
  version::Version release;
  std::vector<version::Version> pytorch;
  /// What its own metadata says of torch where that is more than these releases (stable ABI); absent: these alone.
  std::optional<version::SpecifierSet> torch;
  std::vector<std::string> python;
  Provenance from;
};

/// A negative fact: what does not work although nothing else here says so. Every condition that is given must
/// hold.
struct Broken {
  std::string what;  ///< one clause that says why
  version::SpecifierSet pytorch, cuda, python;
  std::vector<std::string> variants;  ///< empty: all
  std::string index;                  ///< of the build; empty: either
  std::optional<Architecture> architecture;
  std::optional<version::SpecifierSet> compute;  ///< of a GPU that must work, as a version: ">=10.0"
  std::string package;                           ///< of k_companions; empty: whatever is installed
  version::SpecifierSet versions;                ///< of the package
  Provenance from;

  bool is_about(const Build& build) const;
};

/// A base image tag that is gone from its registry.
struct Tombstone {
  std::string image;    ///< "nvidia/cuda"
  std::string tag;      ///< "10.2-devel-ubuntu18.04", or "10.2-*" for all that begin so
  std::string gone;     ///< the month it was first missed, "2023-07"
  std::string instead;  ///< what to use
  Provenance from;
};

/// What the extras of a metapackage such as cuda-toolkit==13.0.3 stand for.
struct Metapackage {
  std::string package;
  version::Version release;
  std::vector<std::pair<std::string, std::string>> extras;  ///< "cublas" and "nvidia-cublas==13.1.1.3.*"
  Provenance from;
};

/// A CUDA major version and its driver floor by minor-version compatibility.
struct CudaFamily {
  unsigned major = 0;
  version::DriverVersion driver;
  Provenance from;
};

/// A CUDA release (minor or patch) and the driver made with it.
struct Toolkit {
  version::CudaVersion cuda;
  version::DriverVersion driver;
  Provenance from;
};

/// The compute capabilities that the CUDA releases from `first` to `last` compile for.
struct Targets {
  version::CudaVersion first, last;
  std::vector<version::ComputeCapability> compute;
  Provenance from;
};

struct Cudnn {
  version::Version first;                ///< the range of cuDNN versions that the row is about
  std::optional<version::Version> last;  ///< absent: up to the newest
  unsigned cuda_major = 0;
  std::optional<version::DriverVersion> driver;
  std::vector<version::ComputeCapability> compute;  ///< the GPUs it has code for
  std::vector<version::ComputeCapability> ptx;      ///< PTX in its libraries
  Provenance from;
};

/// The NCCL packages of a CUDA major version, and the GPUs that the row's versions have code for where somebody
/// looked.
struct Nccl {
  version::Version first, last;
  unsigned cuda_major = 0;
  std::vector<version::ComputeCapability> compute, ptx;  ///< empty: not known
  Provenance from;
};

enum class BranchKind { long_term, production, new_feature, unknown };
std::string_view name(BranchKind kind);

struct DriverBranch {
  unsigned branch = 0;  ///< 535
  BranchKind kind = BranchKind::unknown;
  std::string released;     ///< "2023-06"; empty when not known
  std::string end_of_life;  ///< "2026-06"; empty when not known
  /// The lowest compute capability that it drives; absent when nothing is known to be dropped.
  std::optional<version::ComputeCapability> oldest_gpu;
  Provenance from;
};

/// cuda-compat-<cuda> and the driver branches it may be laid over.
struct ForwardCompat {
  version::CudaVersion cuda;
  std::vector<unsigned> branches;
  Provenance from;
};

enum class GpuClass { datacenter, workstation, consumer, jetson, soc };
std::string_view name(GpuClass gpu_class);

struct Gpu {
  std::string model;
  std::vector<std::string> aliases;
  std::vector<std::string> keys;  ///< gpu_key() of the model and the aliases, made when the row is read
  version::ComputeCapability compute;
  GpuClass gpu_class = GpuClass::consumer;
  std::optional<version::DriverVersion>
      driver;  ///< the board's first driver where it is later than its generation's
  Provenance from;
};

/// The first driver for GPUs of a compute capability; for Jetson boards there is none (JetPack brings it).
struct FirstDriver {
  version::ComputeCapability compute;
  version::DriverVersion driver;
  Provenance from;
};

/// When the solver may choose an operating system: unasked and first, unasked when the default does not fit, or
/// only when it is asked for by name.
enum class Choice { preferred, possible, on_request };
std::string_view name(Choice choice);

struct OperatingSystem {
  std::string id;            ///< "debian-12"
  std::string distribution;  ///< "debian"
  std::string suite;         ///< "bookworm"
  std::string python;        ///< "3.11": the distribution's own
  version::Version glibc;    ///< "2.36"
  Choice choice = Choice::on_request;
  Provenance from;
};

/// An image that passed its tests on a GPU, as a stamp says that held under a key somebody trusts.
struct Proof {
  /// The levels that may be called verified.
  enum class Level { gpu, multi_gpu };
  version::Version pytorch;
  std::string variant;  ///< with `pytorch` the build: "cu128"
  Architecture architecture = Architecture::x86_64;
  std::string python;  ///< "3.11"
  std::string system;  ///< "debian-12"
  std::string gpu;     ///< as its driver names it: "NVIDIA H200"
  version::ComputeCapability compute;
  version::DriverVersion driver;
  Level level = Level::gpu;
  base::Digest image;
  Provenance from;  ///< source: the stamp's digest; date: the day the tests ended

  /// "2.8.0+cu128".
  std::string build() const { return pytorch.to_string() + "+" + variant; }
};
std::string_view name(Proof::Level level);

struct Matrix {
  std::string directory;  ///< as given to load()
  base::Digest revision;  ///< SHA-256 over every file's name, size and bytes, in the order of names
  std::string date;       ///< the newest date of any row but proofs: how old the data is
  std::vector<Source> sources;
  std::vector<Release> releases;  ///< newest first
  std::vector<Build> builds;      ///< newest release first; then default index, stable, newest CUDA
  std::vector<Companion> companions;
  std::vector<Metapackage> metapackages;
  std::vector<Broken> broken;
  std::vector<Tombstone> tombstones;
  std::vector<CudaFamily> families;
  std::vector<Toolkit> toolkits;
  std::vector<Targets> targets;
  std::vector<Cudnn> cudnns;
  std::vector<Nccl> nccls;
  std::vector<DriverBranch> branches;
  std::vector<ForwardCompat> forward_compat;
  std::vector<Gpu> gpus;
  std::vector<FirstDriver> first_drivers;
  std::vector<OperatingSystem> systems;  ///< preferred first
  std::vector<Proof> proofs;             ///< newest first
};

}  // namespace torchkiln::matrix
