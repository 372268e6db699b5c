#include "boot/driver.hpp"

#include "boot/sha256.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <dlfcn.h>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace torchkiln::verifier {
namespace {

namespace fs = std::filesystem;

// From cuda.h; these are part of the driver's ABI and do not change.
constexpr int k_compute_capability_major = 75;
constexpr int k_compute_capability_minor = 76;
using CudaUuid = std::array<unsigned char, 16>;

template <typename Function>
Function* symbol(void* library, const char* name) {
  return reinterpret_cast<Function*>(dlsym(library, name));
}

/// As nvidia-smi prints it.
std::string uuid_text(const CudaUuid& uuid) {
  std::string text = "GPU";
  for (std::size_t i = 0; i < uuid.size(); ++i) {
    if (i == 0 || i == 4 || i == 6 || i == 8 || i == 10) text += '-';
    constexpr auto k_digits = "0123456789abcdef";
    text += {k_digits[uuid[i] >> 4], k_digits[uuid[i] & 15]};
  }
  return text;
}

std::string error_text(void* library, int code) {
  const char* text = nullptr;
  const auto get_name = symbol<int(int, const char**)>(library, "cuGetErrorName");
  if (get_name == nullptr || get_name(code, &text) != 0 || text == nullptr) text = "unknown error";
  return std::string(text) + " (" + std::to_string(code) + ")";
}

Gpu read_gpu(void* library, int index) {
  Gpu gpu;
  gpu.index = index;
  int device = 0;
  if (const auto get = symbol<int(int*, int)>(library, "cuDeviceGet"); !get || get(&device, index) != 0) return gpu;
  std::array<char, 256> name{};
  if (const auto get = symbol<int(char*, int, int)>(library, "cuDeviceGetName");
      get && get(name.data(), static_cast<int>(name.size()) - 1, device) == 0) {
    gpu.name = name.data();
  }
  // The second version gives a MIG instance's own UUID; drivers older than 470 have only the first.
  auto get_uuid = symbol<int(CudaUuid*, int)>(library, "cuDeviceGetUuid_v2");
  if (!get_uuid) get_uuid = symbol<int(CudaUuid*, int)>(library, "cuDeviceGetUuid");
  if (CudaUuid uuid{}; get_uuid && get_uuid(&uuid, device) == 0) {
    gpu.uuid_sha256 = sha256_hex(uuid_text(uuid));
  }
  std::size_t bytes = 0;
  if (const auto get = symbol<int(std::size_t*, int)>(library, "cuDeviceTotalMem_v2");
      get && get(&bytes, device) == 0) {
    gpu.memory_bytes = static_cast<double>(bytes);
  }
  int major = 0;
  int minor = 0;
  if (const auto get = symbol<int(int*, int, int)>(library, "cuDeviceGetAttribute");
      get && get(&major, k_compute_capability_major, device) == 0 &&
      get(&minor, k_compute_capability_minor, device) == 0) {
    gpu.compute_capability = std::to_string(major) + "." + std::to_string(minor);
  }
  return gpu;
}

void read_library(DriverState& state) {
  void* library = dlopen("libcuda.so.1", RTLD_NOW);
  if (library == nullptr) {
    state.library_error = dlerror();
    return;
  }
  const auto initialise = symbol<int(unsigned)>(library, "cuInit");
  Dl_info place{};
  if (initialise == nullptr || dladdr(reinterpret_cast<void*>(initialise), &place) == 0) {
    state.library_error = "libcuda.so.1 has no cuInit";
    return;
  }
  state.library = place.dli_fname;
  // cuDriverGetVersion answers without cuInit.
  int version = 0;
  if (const auto get = symbol<int(int*)>(library, "cuDriverGetVersion"); get && get(&version) == 0) {
    state.cuda_version = std::to_string(version / 1000) + "." + std::to_string(version % 1000 / 10);
  }
  state.init_code = initialise(0);
  if (state.init_code != 0) {
    state.init_error = error_text(library, state.init_code);
    return;
  }
  int count = 0;
  if (const auto get = symbol<int(int*)>(library, "cuDeviceGetCount"); !get || get(&count) != 0) count = 0;
  for (int index = 0; index < count; ++index) state.gpus.push_back(read_gpu(library, index));
}

std::string read_kernel_module_version() {
  std::ifstream file("/proc/driver/nvidia/version");
  std::string line;
  std::getline(file, line);
  return driver_version_in(line);
}

/// Under WSL 2 there is no kernel module; NVML knows the version there as everywhere.
std::string read_nvml_version() {
  void* library = dlopen("libnvidia-ml.so.1", RTLD_NOW);
  if (library == nullptr) return {};
  const auto initialise = symbol<int()>(library, "nvmlInit_v2");
  const auto get = symbol<int(char*, unsigned)>(library, "nvmlSystemGetDriverVersion");
  std::array<char, 96> text{};
  if (!initialise || !get || initialise() != 0 || get(text.data(), text.size() - 1) != 0) return {};
  return driver_version_in(text.data());
}

std::vector<std::string> read_device_nodes() {
  std::vector<std::string> nodes;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator("/dev", error)) {
    const auto name = entry.path().filename().string();
    const bool is_gpu = name.rfind("nvidia", 0) == 0 && name.size() > 6 && std::isdigit(name[6]) != 0;
    if (is_gpu || name == "nvidiactl" || name == "dxg") nodes.push_back(entry.path());
  }
  std::sort(nodes.begin(), nodes.end());
  return nodes;
}

}  // namespace

std::string driver_version_in(const std::string& text) {
  std::istringstream words(text);
  for (std::string word; words >> word;) {
    const bool numeric = word.find_first_not_of("0123456789.") == std::string::npos;
    if (numeric && word.find('.') == 3 && word.size() > 4) return word;
  }
  return {};
}

DriverState read_driver() {
  DriverState state;
  state.driver_version = read_kernel_module_version();
  if (state.driver_version.empty()) state.driver_version = read_nvml_version();
  state.device_nodes = read_device_nodes();
  read_library(state);
  return state;
}

std::optional<Failure> contradiction_in(const DriverState& state, const std::string& site_packages) {
  if (!state.library.empty() && state.library.rfind(site_packages, 0) == 0) {
    return Failure{
        "libcuda.so.1 is the image's own file " + state.library + ": the driver's must come from the host",
        Fault::image,
        {}};
  }
  if (state.device_nodes.empty()) return std::nullopt;
  const auto& device = state.device_nodes.front();
  if (state.library.empty()) {
    return Failure{device + " is there but libcuda.so.1 is not (" + state.library_error +
                       "): the container runtime gave the device without the driver capability 'compute'",
                   Fault::host,
                   {}};
  }
  if (state.init_code != 0) {
    return Failure{device + " is there but cuInit fails with " + state.init_error, Fault::host, {}};
  }
  return std::nullopt;
}

std::string describe(const DriverState& state) {
  const std::string no_gpu =
      "no GPU can be used here and level gpu cannot be reached (docker run --gpus all, podman run --device "
      "nvidia.com/gpu=all)";
  if (state.library.empty()) return "libcuda.so.1 is absent: " + no_gpu;
  if (state.init_code != 0) return state.library + ": cuInit fails with " + state.init_error + ": " + no_gpu;
  return state.library + " of CUDA " + state.cuda_version + " shows " + std::to_string(state.gpus.size()) + " GPUs";
}

}  // namespace torchkiln::verifier
