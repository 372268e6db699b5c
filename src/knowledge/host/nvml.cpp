#include "knowledge/host/nvml.hpp"

#include "foundation/base/text.hpp"

#include <algorithm>
#include <array>
#include <dlfcn.h>
#include <filesystem>
#include <link.h>
#include <string_view>

namespace torchkiln::host {

namespace {

// The part of nvml.h that is used here; the ABI of these functions has not changed since R450.
using Device = void*;
constexpr int k_success = 0;            // NVML_SUCCESS
constexpr int k_driver_not_loaded = 9;  // NVML_ERROR_DRIVER_NOT_LOADED
constexpr int k_version_mismatch = 18;  // NVML_ERROR_LIB_RM_VERSION_MISMATCH

struct PciInfo {
  char bus_id_legacy[16];
  unsigned domain, bus, device, pci_device_id, pci_subsystem_id;
  char bus_id[32];
};

/// nvmlBrandType_t, by number. Those of virtual GPUs (7 to 11) are no boards and stay unnamed.
constexpr std::array<std::string_view, 17> k_brands{
    "", "Quadro", "Tesla", "NVS",        "GRID",       "GeForce", "Titan",       "",         "",
    "", "",       "",      "Quadro RTX", "NVIDIA RTX", "NVIDIA",  "GeForce RTX", "Titan RTX"};

/// The loaded library and its functions; closes what it opened.
class Library {
 public:
  explicit Library(const char* file) : m_handle(dlopen(file, RTLD_NOW | RTLD_LOCAL)) {}
  ~Library() {
    if (m_running) shutdown();
    if (m_handle) dlclose(m_handle);
  }
  Library(const Library&) = delete;
  Library& operator=(const Library&) = delete;

  bool is_present() const { return m_handle != nullptr; }
  /// The file that was opened, without symbolic links: libnvidia-ml.so.535.104.05.
  std::string file() const {
    link_map* map = nullptr;
    if (dlinfo(m_handle, RTLD_DI_LINKMAP, &map) != 0 || !map->l_name) return {};
    std::error_code none;
    return std::filesystem::canonical(map->l_name, none).filename();
  }
  /// NVML's return code; nothing when functions are missing.
  std::optional<int> start() {
    const bool complete =
        find(init, "nvmlInit_v2") && find(shutdown, "nvmlShutdown") &&
        find(driver_version, "nvmlSystemGetDriverVersion") && find(device_count, "nvmlDeviceGetCount_v2") &&
        find(device_by_index, "nvmlDeviceGetHandleByIndex_v2") && find(device_name, "nvmlDeviceGetName") &&
        find(device_uuid, "nvmlDeviceGetUUID") && find(device_pci, "nvmlDeviceGetPciInfo_v3") &&
        find(compute_capability, "nvmlDeviceGetCudaComputeCapability") && find(brand, "nvmlDeviceGetBrand");
    if (!complete) return std::nullopt;
    const int code = init();
    m_running = code == k_success;
    return code;
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
  int (*brand)(Device, int*) = nullptr;

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
  int brand = 0;
  if (nvml.brand(device, &brand) == k_success && brand > 0 && static_cast<std::size_t>(brand) < k_brands.size())
    gpu.brand = k_brands[static_cast<std::size_t>(brand)];
  add_known(host, std::move(gpu));
}

/// The version at the end of a library's file name.
std::optional<version::DriverVersion> version_of(std::string_view file) {
  constexpr std::string_view k_mark = ".so.";
  const auto at = file.find(k_mark);
  if (at == std::string_view::npos || file.find('.', at + k_mark.size()) == std::string_view::npos)
    return std::nullopt;
  auto driver = version::DriverVersion::parse(file.substr(at + k_mark.size()));
  return driver ? std::optional(std::move(*driver)) : std::nullopt;
}

std::string reason(std::optional<int> code) {
  if (!code) return "lacks functions that every driver since R450 has";
  if (*code == k_driver_not_loaded) return "says that the NVIDIA driver is not loaded";
  if (*code == k_version_mismatch) return "says \"Driver/library version mismatch\": restart after a driver update";
  return "does not start (code " + std::to_string(*code) + ")";
}

}  // namespace

std::string short_bus(std::string_view bus) {
  const auto colon = bus.find(':');
  if (colon != std::string_view::npos && colon > 4) bus.remove_prefix(colon - 4);
  return base::lower(bus);
}

void add_known(Host& host, Gpu gpu) {
  const auto known = std::find_if(host.gpus.begin(), host.gpus.end(),
                                  [&](const Gpu& other) { return !gpu.bus.empty() && other.bus == gpu.bus; });
  if (known == host.gpus.end()) {
    host.gpus.push_back(std::move(gpu));
    return;
  }
  if (!known->compute) known->compute = std::move(gpu.compute);
  if (known->brand.empty()) known->brand = std::move(gpu.brand);
}

bool ask_nvml(Host& host, const char* library) {
  Library nvml(library);
  if (!nvml.is_present()) {
    host.notes.emplace_back("NVML: libnvidia-ml.so.1 is not installed");
    return false;
  }
  const auto file = nvml.file();
  if (auto release = version_of(file); release && !host.userland)
    host.userland = Fact<version::DriverVersion>{std::move(*release), file};
  if (const auto code = nvml.start(); !code || *code != k_success) {
    host.notes.emplace_back("NVML: libnvidia-ml.so.1 " + reason(code));
    return false;
  }
  std::array<char, 96> text{};
  if (nvml.driver_version(text.data(), text.size()) == k_success && !host.driver)
    if (auto driver = version::DriverVersion::parse(text.data()))
      host.driver = Fact<version::DriverVersion>{std::move(*driver), std::string(k_source)};
  unsigned count = 0;
  if (nvml.device_count(&count) != k_success) return true;
  for (unsigned i = 0; i < count; ++i) {
    Device device = nullptr;
    if (nvml.device_by_index(i, &device) == k_success) ask_device(nvml, device, host);
  }
  return true;
}

}  // namespace torchkiln::host
