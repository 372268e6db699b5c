#pragma once
// The NVIDIA driver and the GPUs of this machine, each fact with where it was read.

#include "knowledge/version/cuda.hpp"

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace torchkiln::host {

template <class T>
struct Fact {
  T value{};
  std::string source;  ///< "/proc/driver/nvidia/version", "NVML"
};

struct Gpu {
  std::string model;  ///< "NVIDIA A100-SXM4-80GB"
  std::string uuid;   ///< empty when not readable
  std::string bus;    ///< "0000:07:00.0"
  std::string source;
  std::optional<Fact<version::ComputeCapability>> compute;  ///< only NVML says it
};

struct Host {
  std::optional<Fact<version::DriverVersion>> driver;  ///< the kernel module's
  std::vector<Gpu> gpus;                               ///< in the order of bus addresses
  std::vector<std::string> notes;                      ///< what could not be read, and why; a line each
};

enum class Nvml { ask, leave };

/// What /proc says below `root` ("/" but for tests), completed by NVML (libnvidia-ml.so.1, opened at run time)
/// when asked. A machine without a driver has no facts and a note; nothing here fails.
Host read(const std::filesystem::path& root = "/", Nvml nvml = Nvml::ask);

}  // namespace torchkiln::host
