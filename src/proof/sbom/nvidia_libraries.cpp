#include "proof/sbom/nvidia_libraries.hpp"

#include <utility>

namespace torchkiln::sbom {

namespace {

/// Libraries of the CUDA toolkit and beside it, by their names without "lib" (docs.nvidia.com/cuda, release notes).
constexpr std::pair<std::string_view, std::string_view> k_products[] = {
    {"cublas", "cuBLAS"},         {"cublasLt", "cuBLAS"},   {"cudart", "CUDA Runtime"}, {"cufft", "cuFFT"},
    {"cufftw", "cuFFT"},          {"cufile", "cuFile"},     {"cufile_rdma", "cuFile"},  {"cupti", "CUPTI"},
    {"curand", "cuRAND"},         {"cusolver", "cuSOLVER"}, {"cusolverMg", "cuSOLVER"}, {"cusparse", "cuSPARSE"},
    {"cusparseLt", "cuSPARSELt"}, {"nccl", "NCCL"},         {"nvJitLink", "nvJitLink"}, {"nvToolsExt", "NVTX"},
    {"nvperf_host", "CUPTI"},     {"nvrtc", "NVRTC"},       {"nvrtc-builtins", "NVRTC"}};
/// These are several libraries each: "cudnn_ops_infer", "nvshmem_host", "nvpl_blas_core".
constexpr std::pair<std::string_view, std::string_view> k_families[] = {
    {"cudnn", "cuDNN"}, {"nvshmem", "NVSHMEM"}, {"nvpl", "NVPL"}};

/// Without the eight hex digits that auditwheel adds.
std::string_view without_hash(std::string_view stem) {
  constexpr std::size_t k_hash_length = 8;
  const auto dash = stem.rfind('-');
  if (dash == std::string_view::npos || stem.size() - dash - 1 != k_hash_length) return stem;
  const auto hash = stem.substr(dash + 1);
  return hash.find_first_not_of("0123456789abcdef") == std::string_view::npos ? stem.substr(0, dash) : stem;
}

}  // namespace

std::optional<NvidiaLibrary> nvidia_library(std::string_view file_name) {
  constexpr std::string_view k_prefix = "lib", k_suffix = ".so";
  const auto suffix = file_name.find(k_suffix);
  if (!file_name.starts_with(k_prefix) || suffix == std::string_view::npos || suffix < k_prefix.size())
    return std::nullopt;
  const auto stem = without_hash(file_name.substr(k_prefix.size(), suffix - k_prefix.size()));
  const auto after = file_name.substr(suffix + k_suffix.size());
  if (!after.empty() && (after.front() != '.' || after.find_first_not_of("0123456789.") != std::string_view::npos))
    return std::nullopt;
  const std::string version(after.empty() ? after : after.substr(1));
  for (const auto& [name, product] : k_products)
    if (stem == name) return NvidiaLibrary{std::string(product), version};
  for (const auto& [name, product] : k_families)
    if (stem == name || (stem.starts_with(name) && stem[name.size()] == '_'))
      return NvidiaLibrary{std::string(product), version};
  return std::nullopt;
}

bool is_of_nvidia(std::string_view wheel_name) {
  return wheel_name.starts_with("nvidia-") || wheel_name.starts_with("cuda-");
}

}  // namespace torchkiln::sbom
