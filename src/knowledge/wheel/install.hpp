#pragma once
// Where a wheel's files go when it is installed, by the rules that pip and uv follow (PyPA "Binary distribution
// format", "Installing a wheel distribution"; the venv install scheme of sysconfig). Pure: nothing is written.

#include "foundation/base/error.hpp"
#include "knowledge/wheel/wheel.hpp"

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace torchkiln::wheel {

/// A virtual environment inside an image. Its packages lie in lib/python3, as Debian's own do in /usr/lib/python3,
/// and the folder that the interpreter looks into, lib/python3.11, is a link to that: so a wheel that is the same
/// for every Python, as NVIDIA's are, is installed to the same paths for every Python.
struct InstallScheme {
  std::string prefix = "opt/kiln";      ///< relative to the image's root
  std::string python_version = "3.11";  ///< major.minor

  std::string site_packages() const { return prefix + "/lib/python3/site-packages"; }
  /// The link to lib/python3.
  std::string versioned_library() const { return prefix + "/lib/python" + python_version; }
  /// What console scripts name in their first line.
  std::string interpreter() const { return "/" + prefix + "/bin/python"; }
};

/// One file of an installed wheel.
struct InstalledFile {
  std::string path;                 ///< relative to the image's root
  bool is_executable = false;       ///< mode 0755 instead of 0644
  const ZipEntry* entry = nullptr;  ///< its bytes are this entry's, unchanged; or, when null,
  std::string content;              ///< these
};

/// Where an entry goes; empty for folders and for RECORD, which is written anew.
/// Errors: a .data subfolder that is none of purelib, platlib, headers, scripts, data; a place that the virtual
/// environment itself needs (bin/python, pyvenv.cfg).
base::Result<std::string> installed_path(std::string_view entry_name, std::string_view file_name,
                                         const InstallScheme& scheme);

/// Whether the same files are installed for every Python version: no headers, which lie below a folder with the
/// version in its name, and no script with it in its own.
bool is_version_free(const Wheel& wheel);

/// All files of the installed wheel, sorted by path: entries in their places, scripts with their first line
/// rewritten, console scripts, INSTALLER ("torchkiln") and RECORD. Two differences to pip are wanted: no REQUESTED
/// file (it depends on the request, not on the wheel) and no bytecode. RECORD has LF line ends, as uv writes it.
base::Result<std::vector<InstalledFile>> plan_install(const Wheel& wheel, const InstallScheme& scheme);

/// A wheel that may share an image with others: its file name and entries.
struct WheelContents {
  std::string file_name;
  std::span<const ZipEntry> entries;
};

/// Fails with package_conflict when two wheels install one path with different bytes (size or CRC-32), or one a
/// file where another has a folder; equal bytes are fine (nvidia/__init__.py). Names the wheels, how many paths,
/// and the first of them.
base::Result<void> check_conflicts(std::span<const WheelContents> wheels, const InstallScheme& scheme);

}  // namespace torchkiln::wheel
