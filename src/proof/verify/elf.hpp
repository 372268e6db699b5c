#pragma once
// What the dynamic loader would read of a program or library (ELF-64, little endian: gABI chapter 5 and the GNU
// symbol versions of LSB 5.0, "Symbol Versioning"), and the machine code for GPUs that CUDA's libraries carry.

#include <cstddef>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace torchkiln::verify {

struct Elf {
  std::string soname;               ///< empty for programs
  std::vector<std::string> needed;  ///< DT_NEEDED, in order
  std::vector<std::string> search;  ///< DT_RPATH's and DT_RUNPATH's folders, "$ORIGIN" as it stands there
  std::set<std::string> defines;    ///< versions of symbols: "GLIBC_2.36"
  std::map<std::string, std::set<std::string>> requires_versions;  ///< by library: "libc.so.6" → "GLIBC_2.28"
};

/// Nothing for what is no dynamic ELF-64 of this byte order, or one whose tables lead out of the file.
std::optional<Elf> read_elf(std::string_view file);

/// The machine code in a library of CUDA's.
struct GpuCode {
  std::size_t modules = 0;                     ///< fat binaries in it
  std::map<unsigned, std::size_t> modules_of;  ///< by architecture (90 is sm_90): in how many of them
};

/// Reads the headers of every fat binary in the section .nv_fatbin. NVIDIA does not document them; the fields are
/// those that cuobjdump shows for the libraries of PyTorch 2.1 to 2.15.
GpuCode read_gpu_code(std::string_view file);

}  // namespace torchkiln::verify
