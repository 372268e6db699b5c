#pragma once
// What an index's list of files says about a project's wheels for Linux, without opening one. Pure.

#include "foundation/base/error.hpp"
#include "knowledge/matrix/matrix.hpp"
#include "knowledge/upstream/simple_index.hpp"

#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace torchkiln::upstream {

/// A wheel for glibc-based Linux.
struct LinuxWheel {
  IndexFile file;
  version::Version version;  ///< with its local part, where the file name has one
  std::string python;        ///< "3.13t"; empty for a wheel that serves several (py3-none, abi3)
  std::int64_t build =
      0;  ///< the build number; of several, installers take the highest (PyPA, "File name convention")
  std::vector<matrix::Architecture> architectures;
  version::Version glibc;  ///< by the platform tag (PEP 600, 513, 571, 599); 0 where it says nothing
};

/// The wheels of `project` among the files: final releases for CPython on x86_64 or aarch64. Files that are none
/// are passed over: an index has sdists, other systems and broken names.
std::vector<LinuxWheel> linux_wheels(const std::vector<IndexFile>& files, std::string_view project);

/// All wheels of one version for one machine.
struct WheelFamily {
  version::Version version;  ///< with its local part
  matrix::Architecture architecture = matrix::Architecture::x86_64;
  std::vector<LinuxWheel> wheels;  ///< those that are not yanked
  std::vector<LinuxWheel> yanked;

  /// "3.9" … "3.13t", by the wheels' tags; empty when there is a wheel that serves several.
  std::vector<std::string> python() const;
  /// The wheel that stands for all: of Python 3.10 or 3.11, the lower that there is, else the lowest, in its newest
  /// build. Only where there are wheels.
  const LinuxWheel& representative() const;
  /// The day the first of them was uploaded, "2025-08-06"; empty where the index does not say.
  std::string released() const;
};

/// By version, newest first, then x86_64 before aarch64.
std::vector<WheelFamily> families_of(const std::vector<LinuxWheel>& wheels);

}  // namespace torchkiln::upstream
