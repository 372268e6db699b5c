#include "proof/verify/file_tests.hpp"

#include "foundation/base/digest.hpp"
#include "foundation/base/text.hpp"
#include "foundation/sys/environment.hpp"
#include "foundation/sys/files.hpp"
#include "foundation/sys/workers.hpp"
#include "knowledge/wheel/wheel.hpp"
#include "proof/verify/elf.hpp"

#include <algorithm>
#include <array>
#include <mutex>

#include <fmt/format.h>

namespace torchkiln::verify {

using base::Result;
namespace fs = std::filesystem;
using Texts = std::vector<std::string>;

namespace {

/// What the driver brings: NVIDIA Container Toolkit mounts these from the host.
constexpr std::array<std::string_view, 2> k_of_the_driver = {"libcuda.so.1", "libnvidia-ml.so.1"};

/// Plug-ins that are only loaded where a machine has the network hardware whose libraries they need.
constexpr std::array<std::string_view, 3> k_plug_ins = {"libcufile_rdma.so", "nvshmem_transport_",
                                                        "nvshmem_bootstrap_"};

/// What a wheel carries though nothing in it needs it: torch 2.15.0 has torch/lib/libgfortran.so.5 without the
/// libquadmath that it would take (found 2026-11 in the wheels of the Python index).
constexpr std::array<std::string_view, 1> k_left_over = {"libgfortran.so.5"};

/// Where glibc's loader looks last (ld.so(8)); Debian's are those of its ld.so.conf.
constexpr std::array<std::string_view, 8> k_system_folders = {"lib/x86_64-linux-gnu",
                                                              "usr/lib/x86_64-linux-gnu",
                                                              "lib/aarch64-linux-gnu",
                                                              "usr/lib/aarch64-linux-gnu",
                                                              "lib64",
                                                              "usr/lib64",
                                                              "usr/lib",
                                                              "usr/local/lib"};

/// How the names of the libraries begin that an image must have once. CUPTI is left out: triton brings its own.
constexpr std::array<std::string_view, 15> k_once = {"libtorch_cuda", "libtorch_cpu", "libc10",      "libcudart",
                                                     "libcublas",     "libcublasLt",  "libcudnn",    "libcufft",
                                                     "libcurand",     "libcusolver",  "libcusparse", "libnccl",
                                                     "libnvJitLink",  "libnvrtc",     "libcufile"};

std::string_view name_of(std::string_view path) {
  return path.substr(path.rfind('/') + 1);
}

std::string folder_of(std::string_view path) {
  const auto slash = path.rfind('/');
  return slash == std::string_view::npos ? std::string() : std::string(path.substr(0, slash));
}

template <std::size_t Count>
bool starts_with_any(std::string_view name, const std::array<std::string_view, Count>& starts) {
  return std::any_of(starts.begin(), starts.end(), [&](std::string_view start) { return name.starts_with(start); });
}

/// One file that a RECORD names, with the digest that it should have.
struct Recorded {
  std::string path;
  std::string hash;  ///< "sha256=…", or empty where RECORD gives none
};

Result<std::vector<Recorded>> read_records(const ImageTree& tree, const std::string& site_packages) {
  std::vector<Recorded> recorded;
  const auto [begin, end] = tree.below(site_packages);
  for (auto at = begin; at != end; ++at) {
    // Packages that other packages have swallowed bring their RECORD, too; only those of the folder itself count.
    const auto path = std::string_view(at->first).substr(site_packages.size() + 1);
    if (!path.ends_with(".dist-info/RECORD") || std::count(path.begin(), path.end(), '/') != 1) continue;
    TK_TRY(const auto text, sys::read_file(at->second.place));
    TK_TRY(const auto rows, wheel::parse_record(text, at->first));
    for (const auto& row : rows)
      recorded.push_back({fs::path(site_packages + "/" + row.path).lexically_normal().string(), row.hash});
  }
  return recorded;
}

Result<std::string> hash_of(const fs::path& file) {
  TK_TRY(const auto mapped, sys::MappedFile::open(file));
  base::Sha256 hash;
  constexpr std::size_t k_piece_bytes = 8U << 20;  // let go of again, so that 5 GB do not count as resident
  const auto bytes = mapped.bytes();
  for (std::size_t at = 0; at < bytes.size(); at += k_piece_bytes) {
    const auto length = std::min(k_piece_bytes, bytes.size() - at);
    hash.update(bytes.subspan(at, length));
    mapped.forget(at, length);
  }
  return "sha256=" + hash.finish().base64url();
}

/// The source that a file is the bytecode of (PEP 3147): "a/__pycache__/b.cpython-311.pyc" is that of "a/b.py".
/// Empty for other files.
std::string source_of_bytecode(std::string_view path) {
  constexpr std::string_view k_folder = "__pycache__/";
  const auto folder = path.rfind(k_folder);
  if (folder == std::string_view::npos || !path.ends_with(".pyc")) return {};
  const auto name = path.substr(folder + k_folder.size());
  return std::string(path.substr(0, folder)) + std::string(name.substr(0, name.find('.'))) + ".py";
}

/// A program or library of the image, as the loader sees it.
struct Loaded {
  std::string path;
  Elf elf;
};

Result<std::vector<Loaded>> read_libraries(const ImageTree& tree, const std::string& folder) {
  std::vector<Loaded> found;
  const auto [begin, end] = tree.below(folder);
  for (auto at = begin; at != end; ++at) {
    if (at->second.kind != ImageTree::Kind::file) continue;
    std::error_code error;
    if (fs::file_size(at->second.place, error) < sizeof(void*) || error) continue;
    TK_TRY(const auto file, sys::MappedFile::open(at->second.place));
    if (auto elf = read_elf(file.text())) found.push_back({at->first, std::move(*elf)});
  }
  return found;
}

/// Finds libraries as ld.so(8) does, and, as Python's process does, among what torch has loaded before: any library
/// of the wheels, by its name.
class Loader {
 public:
  Loader(const ImageTree& tree, const std::vector<Loaded>& libraries) : m_tree(tree) {
    for (const auto& library : libraries) m_by_name.emplace(name_of(library.path), library.path);
  }

  std::optional<std::string> find(const std::string& name, const Loaded& needed_by) const {
    for (const auto& folder : needed_by.elf.search) {
      const auto place = base::replace_all(base::replace_all(folder, "${ORIGIN}", "$ORIGIN"), "$ORIGIN",
                                           "/" + folder_of(needed_by.path));
      if (const auto path = m_tree.resolved(place + "/" + name); path && m_tree.file(*path)) return path;
    }
    for (const auto folder : k_system_folders)
      if (const auto path = m_tree.resolved(std::string(folder) + "/" + name); path && m_tree.file(*path))
        return path;
    const auto known = m_by_name.find(name);
    return known == m_by_name.end() ? std::nullopt : std::optional(known->second);
  }

  /// The versions that a library defines; nothing for one that cannot be read.
  Result<const std::set<std::string>*> defines(const std::string& path) {
    const auto known = m_defines.find(path);
    if (known != m_defines.end()) return &known->second;
    std::set<std::string> versions;
    TK_TRY(const auto file, sys::MappedFile::open(m_tree.file(path)->place));
    if (auto elf = read_elf(file.text())) versions = std::move(elf->defines);
    return &m_defines.emplace(path, std::move(versions)).first->second;
  }

 private:
  const ImageTree& m_tree;
  std::map<std::string, std::string, std::less<>> m_by_name;
  std::map<std::string, std::set<std::string>> m_defines;
};

}  // namespace

std::string torch_cuda_library(const std::string& site_packages) {
  return site_packages + "/torch/lib/libtorch_cuda.so";
}

Result<Texts> record_faults(const ImageTree& tree, const std::string& site_packages) {
  TK_TRY(const auto recorded, read_records(tree, site_packages));
  if (recorded.empty()) return Texts{"no wheel is installed in /" + site_packages};
  Texts faults;
  std::mutex mutex;
  const auto blame = [&](std::string fault) {
    const std::lock_guard lock(mutex);
    faults.push_back(std::move(fault));
  };
  std::set<std::string, std::less<>> known;
  sys::Workers workers(sys::processor_count());
  for (const auto& one : recorded) {
    known.insert(one.path);
    const auto* file = tree.file(one.path);
    if (file == nullptr) {
      blame("/" + one.path + " is missing");
      continue;
    }
    if (one.hash.empty()) continue;  // RECORD itself
    workers.submit([&blame, &one, file]() -> Result<void> {
      TK_TRY(const auto hash, hash_of(file->place));
      if (hash != one.hash) blame("/" + one.path + " is not what its RECORD says");
      return {};
    });
  }
  TK_CHECK(workers.wait());
  const auto [begin, end] = tree.below(site_packages);
  for (auto at = begin; at != end; ++at)
    if (at->second.kind == ImageTree::Kind::file && !known.contains(at->first) &&
        !known.contains(source_of_bytecode(at->first)))
      faults.push_back("/" + at->first + " belongs to no wheel");
  std::sort(faults.begin(), faults.end());
  return faults;
}

Result<Texts> library_faults(const ImageTree& tree, const std::string& prefix) {
  TK_TRY(const auto libraries, read_libraries(tree, prefix));
  Loader loader(tree, libraries);
  std::set<std::string, std::less<>> needed;
  for (const auto& library : libraries) needed.insert(library.elf.needed.begin(), library.elf.needed.end());
  Texts faults;
  for (const auto& library : libraries) {
    const auto file_name = name_of(library.path);
    if (starts_with_any(file_name, k_plug_ins)) continue;
    if (starts_with_any(file_name, k_left_over) && !needed.contains(file_name)) continue;
    for (const auto& name : library.elf.needed) {
      if (starts_with_any(name, k_of_the_driver)) continue;
      const auto found = loader.find(name, library);
      if (!found) {
        faults.push_back(fmt::format("/{} needs {}, which is nowhere", library.path, name));
        continue;
      }
      const auto wanted = library.elf.requires_versions.find(name);
      if (wanted == library.elf.requires_versions.end()) continue;
      TK_TRY(const auto defined, loader.defines(*found));
      for (const auto& version : wanted->second)
        if (!defined->contains(version))
          faults.push_back(
              fmt::format("/{} needs {} of {}, which /{} has not", library.path, version, name, *found));
    }
  }
  return faults;
}

Texts copy_faults(const ImageTree& tree) {
  std::map<std::string, Texts> copies;  // by the name up to ".so"
  for (const auto& [path, entry] : tree.entries()) {
    const auto name = name_of(path);
    const auto end = name.find(".so");
    if (entry.kind != ImageTree::Kind::file || end == std::string_view::npos || !starts_with_any(name, k_once))
      continue;
    // A toolkit to compile with has libraries of the same CUDA to link with.
    if (path.starts_with("usr/local/cuda-")) continue;
    if (const auto rest = name.substr(end + 3); !rest.empty() && rest.front() != '.') continue;
    copies[std::string(name.substr(0, end))].push_back("/" + path);
  }
  Texts faults;
  for (const auto& [name, paths] : copies)
    if (paths.size() > 1) faults.push_back(name + " is there more than once: " + base::join(paths, ", "));
  return faults;
}

Result<Texts> architecture_faults(const ImageTree& tree, const std::string& site_packages,
                                  const std::string& promised) {
  const auto path = torch_cuda_library(site_packages);
  const auto* library = tree.file(path);
  if (library == nullptr) return Texts{"/" + path + " is missing"};
  TK_TRY(const auto file, sys::MappedFile::open(library->place));
  const auto code = read_gpu_code(file.text());
  Texts faults;
  for (const auto word : base::split(promised, ' ')) {
    const auto number = base::parse_integer(word.starts_with("sm_") ? word.substr(3) : word);
    const auto found = number ? code.modules_of.find(static_cast<unsigned>(*number)) : code.modules_of.end();
    const auto modules = found == code.modules_of.end() ? 0 : found->second;
    if (2 * modules <= code.modules)
      faults.push_back(
          fmt::format("{} of {} modules in /{} have machine code for {}", modules, code.modules, path, word));
  }
  return faults;
}

}  // namespace torchkiln::verify
