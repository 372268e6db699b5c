#include "libtorch/autocast.hpp"

#include <c10/core/DeviceType.h>
#include <torch/version.h>

// ATen/autocast_mode.h, which includes all of ATen.
namespace at::autocast {
#if TORCH_VERSION_MAJOR > 2 || TORCH_VERSION_MINOR >= 4
void set_autocast_enabled(c10::DeviceType device_type, bool enabled);
void set_autocast_dtype(c10::DeviceType device_type, c10::ScalarType dtype);
#else
void set_enabled(bool enabled);
void set_cpu_enabled(bool enabled);
void set_autocast_gpu_dtype(c10::ScalarType dtype);
void set_autocast_cpu_dtype(c10::ScalarType dtype);
#endif
void clear_cache();
}  // namespace at::autocast

namespace torchkiln::verifier {
namespace {

void set_autocast(Device device, bool enabled, c10::ScalarType type) {
#if TORCH_VERSION_MAJOR > 2 || TORCH_VERSION_MINOR >= 4
  const auto kind = device == Device::cuda ? c10::kCUDA : c10::kCPU;
  at::autocast::set_autocast_dtype(kind, type);
  at::autocast::set_autocast_enabled(kind, enabled);
#else
  if (device == Device::cuda) {
    at::autocast::set_autocast_gpu_dtype(type);
    at::autocast::set_enabled(enabled);
  } else {
    at::autocast::set_autocast_cpu_dtype(type);
    at::autocast::set_cpu_enabled(enabled);
  }
#endif
}

}  // namespace

Autocast::Autocast(Device device, c10::ScalarType type) : m_device(device), m_type(type) {
  set_autocast(m_device, true, m_type);
}

Autocast::~Autocast() {
  set_autocast(m_device, false, m_type);
  at::autocast::clear_cache();
}

}  // namespace torchkiln::verifier
