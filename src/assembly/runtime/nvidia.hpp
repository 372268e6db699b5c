#pragma once
// All NVIDIA GPUs of this host, for containers that runc or crun run. What they need is described by CDI: by the
// host's own specification, by NVIDIA's tool, or, where neither is installed, by one that we make of the device
// nodes and driver libraries we find.

#include "foundation/document/json.hpp"

#include <filesystem>
#include <vector>

namespace torchkiln::runtime {

/// Where to look; the defaults are where things are on Linux.
struct NvidiaPlaces {
  std::vector<std::filesystem::path> cdi = {"/etc/cdi", "/var/run/cdi"};
  std::filesystem::path devices = "/dev";
  std::vector<std::filesystem::path> libraries = {"/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu",
                                                  "/usr/lib64", "/usr/lib/wsl/lib"};
  std::vector<std::filesystem::path> programs = {"/usr/bin", "/usr/local/bin"};
};

/// Adds all GPUs to the configuration. An Error (tool_missing) when this host has none.
base::Result<void> add_nvidia_gpus(document::Json& config, const NvidiaPlaces& places = {});

/// A CDI specification with one device, "all", of what lies in these places; null when there is no GPU.
document::Json describe_nvidia(const NvidiaPlaces& places);

}  // namespace torchkiln::runtime
