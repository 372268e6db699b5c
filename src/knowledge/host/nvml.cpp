#include "knowledge/host/nvml.hpp"

#include "foundation/base/text.hpp"

#include <algorithm>
#include <array>
#include <dlfcn.h>
#include <string_view>

namespace torchkiln::host {

namespace {

// The part of nvml.h that is used here; the ABI of these functions has not changed since R450.
using Device = void*;
constexpr int k_success = 0;

struct PciInfo {
  char bus_id_legacy[16];
  unsigned domain, bus, device, pci_device_id, pci_subsystem_id;
  char bus_id[32];
};

/// The loaded library and its functions; closes what it opened.
class Library {
 public:
  Library() : m_handle(dlopen("libnvidia-ml.so.1", RTLD_NOW | RTLD_LOCAL)) {}
  ~Library() {
    if (m_running) shutdown();
    if (m_handle) dlclose(m_handle);
  }
  Library(const Library&) = delete;
  Library& operator=(const Library&) = delete;

  bool is_present() const { return m_handle != nullptr; }
  bool start() {
    const bool complete =
        find(init, "nvmlInit_v2") && find(shutdown, "nvmlShutdown") &&
        find(driver_version, "nvmlSystemGetDriverVersion") && find(device_count, "nvmlDeviceGetCount_v2") &&
        find(device_by_index, "nvmlDeviceGetHandleByIndex_v2") && find(device_name, "nvmlDeviceGetName") &&
        find(device_uuid, "nvmlDeviceGetUUID") && find(device_pci, "nvmlDeviceGetPciInfo_v3") &&
        find(compute_capability, "nvmlDeviceGetCudaComputeCapability");
    m_running = complete && init() == k_success;
    return m_running;
  }

  int (*init)() = nullptr;
  int (*shutdown)() = nullptr;
  int (*driver_version)(char*, unsigned) = nullptr;
  int (*device_count)(unsigned*) = nullptr;
  int (*device_by_index)(unsigned, Device*) = nullptr;
  int (*device_name)(Device, char*, unsigned) = nullptr;
  int (*device_uuid)(Device, char*, unsigned) = nullptr;
  int (*device_pci)(Device, PciInfo*) = nullptr;
  int (*compute_capability)(Device, int*, int*) = nullptr;

 private:
  template <class Function>
  bool find(Function& function, const char* symbol) {
    function = reinterpret_cast<Function>(dlsym(m_handle, symbol));
    return function != nullptr;
  }
  void* m_handle;
  bool m_running = false;
};

constexpr std::string_view k_source = "NVML";

/// "0000:07:00.0" of NVML's "00000000:07:00.0", as /proc writes it.
std::string short_bus(std::string_view bus) {
  const auto colon = bus.find(':');
  if (colon != std::string_view::npos && colon > 4) bus.remove_prefix(colon - 4);
  return base::lower(bus);
}

void ask_device(const Library& nvml, Device device, Host& host) {
  std::array<char, 96> text{};
  Gpu gpu;
  gpu.source = k_source;
  if (nvml.device_name(device, text.data(), text.size()) == k_success) gpu.model = text.data();
  if (nvml.device_uuid(device, text.data(), text.size()) == k_success) gpu.uuid = text.data();
  PciInfo pci{};
  if (nvml.device_pci(device, &pci) == k_success) gpu.bus = short_bus(pci.bus_id);
  int compute_major = 0;
  int compute_minor = 0;
  if (nvml.compute_capability(device, &compute_major, &compute_minor) == k_success)
    gpu.compute = Fact<version::ComputeCapability>{
        {static_cast<unsigned>(compute_major), static_cast<unsigned>(compute_minor)}, std::string(k_source)};
  const auto known = std::find_if(host.gpus.begin(), host.gpus.end(),
                                  [&](const Gpu& other) { return !gpu.bus.empty() && other.bus == gpu.bus; });
  if (known == host.gpus.end())
    host.gpus.push_back(std::move(gpu));
  else
    known->compute = std::move(gpu.compute);
}

}  // namespace

void ask_nvml(Host& host) {
  Library nvml;
  if (!nvml.is_present()) {
    host.notes.emplace_back("NVML: libnvidia-ml.so.1 is not installed");
    return;
  }
  if (!nvml.start()) {
    host.notes.emplace_back("NVML: libnvidia-ml.so.1 does not start");
    return;
  }
  std::array<char, 96> text{};
  if (nvml.driver_version(text.data(), text.size()) == k_success) {
    const auto driver = version::DriverVersion::parse(text.data());
    if (driver && !host.driver) host.driver = Fact<version::DriverVersion>{*driver, std::string(k_source)};
    if (driver && host.driver->value != *driver)
      host.notes.push_back("the kernel module is " + host.driver->value.to_string() + ", the user-space driver " +
                           driver->to_string() + ": restart after a driver update");
  }
  unsigned count = 0;
  if (nvml.device_count(&count) != k_success) return;
  for (unsigned i = 0; i < count; ++i) {
    Device device = nullptr;
    if (nvml.device_by_index(i, &device) == k_success) ask_device(nvml, device, host);
  }
}

}  // namespace torchkiln::host
