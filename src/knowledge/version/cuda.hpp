#pragma once
// NVIDIA's numbers, each its own type so that none is taken for another: the CUDA version, the driver version, the
// compute capability of a GPU and of code made for it. nvidia-smi's "CUDA Version" is the driver's newest, not a
// toolkit's, and is never used as an upper bound here.

#include "foundation/base/error.hpp"
#include "knowledge/version/pep440.hpp"

#include <compare>
#include <string>
#include <string_view>
#include <vector>

namespace torchkiln::version {

/// A CUDA version: 12.8, or 12.8.1 for a patch release. 12.8 is less than 12.8.1; the family is the major number.
struct CudaVersion {
  unsigned major = 0;
  unsigned minor = 0;
  unsigned patch = 0;

  /// "12.8" or "12.8.1"; input_invalid for anything else.
  static base::Result<CudaVersion> parse(std::string_view text);
  /// "cu128" is 12.8, "cu118" 11.8: PyTorch's build names; the last digit is the minor number.
  static base::Result<CudaVersion> from_build_name(std::string_view build);
  /// "cu128".
  std::string build_name() const;
  /// "12.8", or "12.8.1" with a patch number.
  std::string to_string() const;
  /// For comparison with a specifier; without the patch number when it is 0.
  Version as_version() const;
  auto operator<=>(const CudaVersion&) const = default;
};

/// A driver version: dotted numbers of any length, compared number by number, missing ones as 0. The text keeps
/// the leading zeros that NVIDIA writes ("535.104.05"). "R535", as NVIDIA calls a branch, is read as 535.
class DriverVersion {
 public:
  static base::Result<DriverVersion> parse(std::string_view text);
  DriverVersion() = default;

  const std::string& to_string() const { return m_text; }
  /// The branch: 535 of 535.104.05.
  unsigned branch() const { return m_parts.empty() ? 0 : m_parts.front(); }
  std::strong_ordering operator<=>(const DriverVersion& other) const;
  bool operator==(const DriverVersion& other) const { return (*this <=> other) == std::strong_ordering::equal; }

 private:
  std::string m_text;
  std::vector<unsigned> m_parts;
};

/// A compute capability, 8.0 or sm_80.
struct ComputeCapability {
  unsigned major = 0;
  unsigned minor = 0;

  /// "8.0", "12.0", "sm_80", "sm_120". input_invalid for anything else; architecture-specific targets ("sm_90a",
  /// "sm_100f") are refused by name, because their code runs on no other GPU (facts T20).
  static base::Result<ComputeCapability> parse(std::string_view text);
  /// "8.0".
  std::string to_string() const;
  /// "sm_80".
  std::string sm() const;
  auto operator<=>(const ComputeCapability&) const = default;
};

/// Whether machine code (SASS) made for `code` runs on `device`: same major number, minor number not lower, minus
/// the embedded exceptions. Source: DEVICE_REQUIREMENT in torch/cuda/__init__.py of the PyTorch 2.15.0 wheel. From
/// CUDA 13.2 on, code for servers also runs on Jetson 7.2 and 8.7.
bool sass_runs_on(ComputeCapability code, ComputeCapability device, CudaVersion cuda);

/// Whether PTX made for `code` can be compiled for `device`, given a driver that knows that PTX.
bool ptx_compiles_for(ComputeCapability code, ComputeCapability device);

}  // namespace torchkiln::version
