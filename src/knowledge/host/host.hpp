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
  std::string brand;  ///< "GeForce", "NVIDIA RTX"; NVML or nvidia-smi says it, /proc does not
  std::string uuid;   ///< empty when not readable
  std::string bus;    ///< "0000:07:00.0"
  std::string source;
  std::optional<Fact<version::ComputeCapability>> compute;  ///< NVML or nvidia-smi says it, /proc does not
};

struct Host {
  std::optional<Fact<version::DriverVersion>> driver;    ///< the kernel module's
  std::optional<Fact<version::DriverVersion>> userland;  ///< libcuda's: what programs link to
  std::vector<Gpu> gpus;                                 ///< in the order of bus addresses
  std::vector<std::string> notes;                        ///< what could not be read, and why; a line each
};

/// Whether the driver itself may be asked besides the files that it keeps below /proc and /sys.
enum class Nvml { ask, leave };

/// What /proc, /sys and the library folders say below `root` ("/" but for tests), completed, when asked, by NVML
/// (libnvidia-ml.so.1, opened at run time) or, where that does not work, by nvidia-smi. A machine without a driver
/// has no facts and a note; nothing here fails.
Host read(const std::filesystem::path& root = "/", Nvml nvml = Nvml::ask);

}  // namespace torchkiln::host
