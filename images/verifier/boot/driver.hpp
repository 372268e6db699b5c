// What this container sees of NVIDIA's driver, read without linking to any of it: the kernel module's version file,
// the device nodes, and libcuda.so.1 asked through the CUDA driver API
// (https://docs.nvidia.com/cuda/cuda-driver-api/, whose stable C names and values are declared here by hand).
#pragma once

#include "worker/worker.hpp"

#include <optional>
#include <string>
#include <vector>

namespace torchkiln::verifier {

struct DriverState {
  /// Of the kernel module, such as 570.86.15; empty where it cannot be read.
  std::string driver_version;
  /// /dev/nvidia0, /dev/nvidiactl, /dev/dxg (WSL 2) …
  std::vector<std::string> device_nodes;
  /// The file that libcuda.so.1 is; empty when it does not load, with the loader's words in `library_error`.
  std::string library;
  std::string library_error;
  /// What cuInit says: 0, or an error with its name.
  int init_code = -1;
  std::string init_error;
  /// The CUDA version of the driver, such as 12.8.
  std::string cuda_version;
  std::vector<Gpu> gpus;
};

DriverState read_driver();

/// What cannot be true of a sound host and image, if anything is. That there is no GPU at all is not.
std::optional<Failure> contradiction_in(const DriverState& state, const std::string& site_packages);

/// One sentence for the user; where no GPU can be used, how to hand one in.
std::string describe(const DriverState& state);

/// The first word of the text that looks like a driver version: 3 digits, a point, digits and maybe more of both.
std::string driver_version_in(const std::string& text);

}  // namespace torchkiln::verifier
