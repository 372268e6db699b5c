#pragma once
// NVIDIA's management library, opened at run time: torchkiln starts on machines that do not have it.

#include "knowledge/host/host.hpp"

namespace torchkiln::host {

/// Adds what NVML says to `host`: compute capabilities, the library's own version, and the driver and GPUs where
/// /proc did not name them. False when the library is not there or does not start; a note says why. `library` is
/// another file only in tests.
bool ask_nvml(Host& host, const char* library = "libnvidia-ml.so.1");

/// Puts a GPU into `host`, or what it says beyond /proc into the one at the same bus address.
void add_known(Host& host, Gpu gpu);

/// "0000:07:00.0" of "00000000:07:00.0": as /proc writes it.
std::string short_bus(std::string_view bus);

}  // namespace torchkiln::host
