#pragma once
// NVIDIA's libraries inside wheels that are not NVIDIA's: PyTorch's own index has builds of torch with cuDNN,
// cuBLAS and others in torch/lib.

#include <optional>
#include <string>
#include <string_view>

namespace torchkiln::sbom {

struct NvidiaLibrary {
  std::string product;  ///< "cuDNN"
  std::string version;  ///< as far as the name says: "8" of libcudnn.so.8; may be empty
};

/// By the file's name, also one that auditwheel renamed: "libcudart-d0da41ae.so.11.0".
std::optional<NvidiaLibrary> nvidia_library(std::string_view file_name);

/// Whether NVIDIA itself publishes the wheel: then the wheel is the library.
bool is_of_nvidia(std::string_view wheel_name);

}  // namespace torchkiln::sbom
