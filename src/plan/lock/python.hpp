#pragma once
// Pins Python packages: uv resolves, its pylock.toml (PEP 751) is read, and the one wheel of each package that fits
// the image is chosen.

#include "foundation/base/error.hpp"
#include "foundation/sys/http.hpp"
#include "plan/lock/index.hpp"
#include "plan/lock/lock.hpp"

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace torchkiln::lock {

/// Whether what an earlier lock pinned is kept.
enum class Upgrade { keep, all };

struct PythonRequest {
  std::vector<std::string> requirements;  ///< PEP 508, what the image is asked to have
  std::vector<std::string> constraints;   ///< "torch==2.8.0"
  std::string python;                     ///< "3.11"
  std::string glibc;                      ///< "2.36"
  std::string architecture;               ///< "x86_64"
  std::string build;                      ///< of PyTorch's own index, when torch comes from there; else empty
  PythonIndexes indexes;
  std::string earlier_pylock;  ///< content of an existing pylock.toml, or empty
  Upgrade upgrade = Upgrade::keep;
  std::vector<std::string> upgrade_packages;  ///< only these, with Upgrade::keep
  sys::NetworkAccess network = sys::NetworkAccess::allowed;
  std::filesystem::path uv;     ///< the program
  std::filesystem::path cache;  ///< uv's cache folder
  std::filesystem::path work;   ///< for temporary files
};

struct PythonPins {
  std::vector<LockedWheel> wheels;  ///< sorted by name; size_bytes 0 where the index does not say
  std::string pylock;               ///< the file as uv wrote it
};

/// Fails with package_conflict when no set of packages satisfies the requirements (uv's own reasons as notes), with
/// network_failed when the index does not answer.
base::Result<PythonPins> pin_python(const PythonRequest& request);

/// The newest of uv's platforms (`uv pip compile --help`, 0.9: glibc 2.17, 2.28, 2.31 to 2.40) that a system with
/// `glibc` satisfies. uv refuses others; what it finds for an older glibc runs on a newer one.
std::string uv_platform(const std::string& architecture, const std::string& glibc);

/// Reads a pylock.toml and chooses wheels for CPython `python` on glibc `glibc`.
base::Result<std::vector<LockedWheel>> read_pylock(std::string_view toml, const std::string& file,
                                                   const std::string& python, const std::string& glibc,
                                                   const std::string& architecture);

/// How well a wheel fits, higher is better; 0: not at all (PyPA "Platform compatibility tags").
int wheel_fit(std::string_view file_name, const std::string& python, const std::string& glibc,
              const std::string& architecture);

}  // namespace torchkiln::lock
