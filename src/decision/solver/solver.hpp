#pragma once
// Request and matrix to one answer: the best combination, or the smallest set of reasons why there is none and the
// nearest changes that work. Pure. docs/matrix.md, "How the solver decides", states the preference.

#include "foundation/base/error.hpp"
#include "knowledge/matrix/matrix.hpp"
#include "knowledge/spec/spec.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace torchkiln::solver {

/// Whether a cuda-compat package may be counted on. It must be asked for: it has to be put into the image.
enum class ForwardCompat { forbidden, allowed };
/// Which indexes builds may come from.
enum class Indexes { any, default_only };

struct Request {
  std::string spec_file;  ///< for the commands of fixes: "kiln.toml", or empty when all comes from options
  spec::Requirements require;
  std::vector<spec::PythonPackage> packages;  ///< torchvision and torchaudio among them are solved for
  matrix::Architecture architecture = matrix::Architecture::x86_64;
  ForwardCompat forward_compat = ForwardCompat::forbidden;
  Indexes indexes = Indexes::any;
  spec::Prefer prefer = spec::Prefer::stable;
};

/// The request of a spec; `architecture` stays x86_64 where the spec names none. Fails (with place and the nearest
/// known name) for a GPU or operating system that the matrix does not know.
base::Result<Request> request_of(const spec::Spec& spec, const matrix::Matrix& matrix);

/// How the driver runs the build: with its own CUDA at least the build's; by CUDA's minor-version compatibility;
/// with a cuda-compat package.
enum class DriverMode { direct, minor_version, forward_compat };
/// "direct", "minor-version", "forward-compat".
std::string_view name(DriverMode mode);
/// How a GPU gets its kernels: machine code in the wheel, or PTX compiled by the driver at first use.
enum class KernelMode { sass, ptx_jit };
/// "sass", "ptx-jit".
std::string_view name(KernelMode mode);

struct Evidence {
  std::string fact;
  std::string source;  ///< "manifests/pytorch-2.8.toml:14"
  std::string origin;  ///< the title of the row's source
  matrix::Grade grade = matrix::Grade::derived;
  std::string date;
};

struct Warning {
  std::string code;  ///< stable: "experimental-build"
  std::string text;
};

/// A requested GPU and how it is served.
struct ServedGpu {
  std::string requested;  ///< as the user wrote it
  std::string model;      ///< the matrix's name, or "sm_90"
  version::ComputeCapability compute;
  KernelMode kernels = KernelMode::sass;
  /// The oldest driver that drives this GPU and runs this build on it.
  version::DriverVersion driver_minimum;
};

struct Resolution {
  version::Version pytorch;
  std::string build;  ///< "cu128"
  matrix::Architecture architecture = matrix::Architecture::x86_64;
  std::string index;  ///< "default" or "pytorch"
  matrix::Status status = matrix::Status::stable;
  std::string released;  ///< of the PyTorch release, "2025-08-06"
  version::CudaVersion cuda;
  std::optional<version::Version> cudnn;
  std::optional<version::Version> nccl;
  std::optional<version::Version> triton;  ///< when pinned exactly for this Python
  std::string python;                      ///< "3.11"
  std::optional<version::Version> torchvision;
  std::optional<version::Version> torchaudio;
  matrix::OperatingSystem os;
  version::DriverVersion driver_minimum;  ///< the CUDA family's floor
  version::DriverVersion driver_without_minor_version_compatibility;
  std::vector<version::ComputeCapability> sass;
  std::vector<version::ComputeCapability> ptx;
  /// Package name to exact version for everything that the wheel pins exactly on this Python, sorted by name;
  /// metapackages are expanded.
  std::vector<std::pair<std::string, version::Version>> pins;
  std::optional<DriverMode> driver_mode;  ///< with the requested driver, where one was requested
  std::vector<ServedGpu> gpus;
  std::optional<std::uint64_t> download_bytes;  ///< torch's wheel and all it pins; absent when not known
  /// Where what is proven is preferred: what the choice rests on, one for each GPU asked for; empty when nothing
  /// that fits is proven.
  std::vector<matrix::Proof> proofs;
  std::vector<Evidence> evidence;
  std::vector<Warning> warnings;
};

struct Statement {
  enum class Kind { wish, fact };
  Kind kind = Kind::fact;
  std::string statement;  ///< "PyTorch 2.6.0 is built for CUDA 11.8, 12.4 and 12.6"
  std::string source;     ///< "manifests/pytorch-2.6.toml:20", "kiln.toml:9:11", "--driver"
  // Of facts, from the row's provenance.
  std::string origin;  ///< the title of the row's source
  std::optional<matrix::Grade> grade;
  std::string date, note;
};

/// A change that was solved again and works.
struct Fix {
  std::string text;     ///< "PyTorch 2.14.1 instead of 2.15"
  std::string command;  ///< "torchkiln resolve kiln.toml --pytorch 2.14.1"
  spec::Overrides overrides;
  Resolution resolution;
};

struct Conflict {
  std::string summary;          ///< one line in the user's words
  std::vector<Statement> core;  ///< minimal: without any one of them there would be an answer; wishes first
  std::vector<Fix> fixes;       ///< nearest first, at most k_fixes_max
};

inline constexpr std::size_t k_fixes_max = 5;

using Outcome = std::variant<Resolution, Conflict>;

Outcome solve(const Request& request, const matrix::Matrix& matrix);

/// What comes nearest to a request with builds of the default index alone: the request's own answer there, or the
/// first fix. The command is 'torchkiln lock …'. Nothing when there is neither.
std::optional<Fix> nearest_on_default_index(Request request, const matrix::Matrix& matrix);

}  // namespace torchkiln::solver
