#pragma once
// NVIDIA's redistrib_<version>.json: which version of each component belongs to a release of the CUDA toolkit, of
// cuDNN or of NCCL. Pure.

#include "foundation/base/digest.hpp"
#include "foundation/base/error.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace torchkiln::upstream {

/// The largest such file that is read, in bytes. Those of CUDA 13 have 0.1 MB.
inline constexpr std::uint64_t k_redistribution_limit_bytes = 4ULL << 20;

/// A file of a component: an archive with one folder at its top, and bin, include, lib in it.
struct ComponentArchive {
  std::string platform;  ///< "linux-x86_64"
  std::string variant;   ///< "cuda12"; empty where there is no choice
  std::string path;      ///< relative to the folder of the list
  base::Digest digest;
  std::uint64_t size_bytes = 0;
};

struct Component {
  std::string name;                        ///< "cuda_cudart", "cudnn", "nvidia_driver"
  std::string version;                     ///< "12.8.90"
  std::vector<std::string> platforms;      ///< "linux-x86_64", "linux-sbsa"
  std::vector<std::string> variants;       ///< "cuda12": the CUDA major versions it is made for; empty: no choice
  std::vector<ComponentArchive> archives;  ///< those that the list gives with their SHA-256
  bool is_for(std::string_view platform) const;
  /// The archive for a platform where there is no choice of variants.
  const ComponentArchive* archive_for(std::string_view platform) const;
};

struct Redistribution {
  std::string product;                ///< "cuda", "cudnn", "nccl"; as the file says, or by its components
  std::string release;                ///< "12.8.1"
  std::string date;                   ///< "2025-03-05"; empty where the file does not say
  std::vector<Component> components;  ///< sorted by name

  const Component* find(std::string_view name) const;
};

/// True for "redistrib_12.8.1.json"; `release` gets the version.
bool is_redistribution_name(std::string_view file_name, std::string& release);

/// `file` names the document in messages; `release` is what its name says.
base::Result<Redistribution> parse_redistribution(std::string_view json, const std::string& file,
                                                  const std::string& release);

}  // namespace torchkiln::upstream
