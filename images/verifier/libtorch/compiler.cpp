// NVRTC, CUDA's compiler as a library, which torch compiles fused kernels with: from source to machine code without
// a GPU, and to a result with one.
#include "libtorch/loaded.hpp"
#include "libtorch/tests.hpp"

#include <algorithm>
#include <filesystem>

namespace torchkiln::verifier {
namespace {

namespace fs = std::filesystem;

// cuda.h
constexpr int k_attribute_compute_capability_major = 75;
constexpr int k_attribute_compute_capability_minor = 76;

constexpr auto k_kernel = "triangle_numbers";
constexpr auto k_source =
    "extern \"C\" __global__ void triangle_numbers(unsigned* out, unsigned count) {\n"
    "  unsigned i = blockIdx.x * blockDim.x + threadIdx.x;\n"
    "  unsigned sum = 0;\n"
    "  for (unsigned k = 0; k <= i; ++k) sum += k;\n"
    "  if (i < count) out[i] = sum;\n"
    "}\n";

/// The functions of a library that nobody has loaded yet. It stays loaded.
class Library {
 public:
  explicit Library(const std::string& path) : m_handle(dlopen(path.c_str(), RTLD_NOW | RTLD_GLOBAL)) {
    if (m_handle == nullptr) throw std::runtime_error(dlerror());
  }

  template <typename... Arguments>
  void call(const char* name, Arguments... arguments) const {
    const auto function = reinterpret_cast<int (*)(Arguments...)>(dlsym(m_handle, name));
    if (function == nullptr) throw std::runtime_error(std::string("no ") + name + " in the library");
    if (const int status = function(arguments...); status != 0)
      throw std::runtime_error(std::string(name) + " fails with " + std::to_string(status));
  }

 private:
  void* m_handle;
};

/// nvidia/cuda_nvrtc/lib up to CUDA 12, nvidia/cu13/lib since, torch/lib in wheels that contain CUDA themselves. An
/// ".alt" is a copy for processors with little memory; libnvrtc-builtins is what NVRTC itself loads.
std::string find_nvrtc(const std::string& site_packages) {
  std::vector<fs::path> folders{site_packages + "/torch/lib"};
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(site_packages + "/nvidia", error))
    folders.push_back(entry.path() / "lib");
  for (const auto& folder : folders) {
    for (const auto& entry : fs::directory_iterator(folder, error)) {
      const auto name = entry.path().filename().string();
      const bool is_nvrtc = name.rfind("libnvrtc.so", 0) == 0 || name.rfind("libnvrtc-", 0) == 0;
      if (is_nvrtc && name.find("builtins") == std::string::npos) return entry.path();
    }
  }
  throw std::runtime_error("no wheel of the image has libnvrtc");
}

using Program = void*;

/// The kernel as machine code for a compute capability such as 90.
std::string compile(const Library& nvrtc, int capability) {
  Program program = nullptr;
  nvrtc.call("nvrtcCreateProgram", &program, k_source, "triangle_numbers.cu", 0,
             static_cast<const char* const*>(nullptr), static_cast<const char* const*>(nullptr));
  const std::string option = "--gpu-architecture=sm_" + std::to_string(capability);
  const char* const options[] = {option.c_str()};
  nvrtc.call("nvrtcCompileProgram", program, 1, static_cast<const char* const*>(options));
  std::size_t bytes = 0;
  nvrtc.call("nvrtcGetCUBINSize", program, &bytes);
  std::string code(bytes, '\0');
  nvrtc.call("nvrtcGetCUBIN", program, code.data());
  nvrtc.call("nvrtcDestroyProgram", &program);
  return code;
}

bool is_machine_code(const std::string& code) {
  return code.rfind("\177ELF", 0) == 0 && code.find(k_kernel) != std::string::npos;
}

/// For the oldest and the newest GPU that this NVRTC knows.
Outcome compiles(const Context& context) {
  const Library nvrtc(find_nvrtc(context.site_packages));
  int count = 0;
  nvrtc.call("nvrtcGetNumSupportedArchs", &count);
  std::vector<int> capabilities(static_cast<std::size_t>(std::max(count, 1)));
  nvrtc.call("nvrtcGetSupportedArchs", capabilities.data());
  Measurement measurement;
  double failing = 0;
  for (const int capability : {capabilities.front(), capabilities.back()}) {
    const auto code = compile(nvrtc, capability);
    failing += is_machine_code(code) ? 0 : 1;
    measurement.details.push_back({"bytes for sm_" + std::to_string(capability), static_cast<double>(code.size())});
  }
  measurement.value = failing;
  return measurement;
}

/// torch has the GPU's primary context current in this thread: the driver's functions work in it.
Outcome compiles_and_runs(const Context& context) {
  constexpr unsigned k_count = 1000, k_threads = 128;
  call("cudaSetDevice", 0);
  call("cudaFree", static_cast<void*>(nullptr));
  int major = 0, minor = 0;
  call("cudaDeviceGetAttribute", &major, k_attribute_compute_capability_major, 0);
  call("cudaDeviceGetAttribute", &minor, k_attribute_compute_capability_minor, 0);
  const auto code = compile(Library(find_nvrtc(context.site_packages)), 10 * major + minor);

  const Library driver("libcuda.so.1");
  void* module = nullptr;
  void* kernel = nullptr;
  driver.call("cuModuleLoadData", &module, static_cast<const void*>(code.data()));
  driver.call("cuModuleGetFunction", &kernel, module, k_kernel);
  void* numbers = nullptr;
  call("cudaMalloc", &numbers, k_count * sizeof(unsigned));
  unsigned count = k_count;
  void* arguments[] = {&numbers, &count};
  void* const k_default_stream = nullptr;
  driver.call("cuLaunchKernel", kernel, (k_count + k_threads - 1) / k_threads, 1U, 1U, k_threads, 1U, 1U, 0U,
              k_default_stream, static_cast<void**>(arguments), static_cast<void**>(nullptr));
  std::vector<unsigned> found(k_count);
  constexpr int k_device_to_host = 2;  // cudaMemcpyDeviceToHost
  call("cudaMemcpy", static_cast<void*>(found.data()), static_cast<const void*>(numbers),
       k_count * sizeof(unsigned), k_device_to_host);
  call("cudaFree", numbers);
  driver.call("cuModuleUnload", module);
  double wrong = 0;
  for (unsigned i = 0; i < k_count; ++i) wrong += found[i] == i * (i + 1) / 2 ? 0 : 1;
  return Measurement{wrong, {}, {}};
}

}  // namespace

Registry compiler_tests() {
  return {{"cpu.nvrtc", compiles}, {"gpu.nvrtc", compiles_and_runs}};
}

}  // namespace torchkiln::verifier
