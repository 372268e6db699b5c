#pragma once
// NVIDIA's management library, opened at run time: torchkiln starts on machines that do not have it.

#include "knowledge/host/host.hpp"

namespace torchkiln::host {

/// Adds what NVML says to `host`: compute capabilities, and the driver and GPUs where /proc did not name them.
void ask_nvml(Host& host);

}  // namespace torchkiln::host
