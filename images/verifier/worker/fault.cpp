#include "worker/fault.hpp"

#include <algorithm>
#include <array>
#include <string_view>

namespace torchkiln::verifier {
namespace {

/// Parts of the descriptions of enum cudaError, and what torch says instead of them. verify_python.py has the same
/// list.
constexpr std::array<std::string_view, 14> k_of_the_host{
    "out of memory",
    "driver version is insufficient",
    "busy or unavailable",
    "no CUDA-capable device",
    "uncorrectable ECC error",
    "uncorrectable NVLink error",
    "hardware stack error",
    "the launch timed out",
    "system not yet initialized",
    "system has unsupported display driver",
    "forward compatibility was attempted",
    "Found no NVIDIA driver",
    "CUDA_ERROR_SYSTEM",
    "GPU is lost",
};

}  // namespace

Fault fault_of(const std::string& error) {
  const bool is_of_the_host = std::any_of(k_of_the_host.begin(), k_of_the_host.end(), [&](std::string_view text) {
    return error.find(text) != std::string::npos;
  });
  return is_of_the_host ? Fault::host : Fault::image;
}

}  // namespace torchkiln::verifier
