// boot.libraries: the torch and CUDA libraries that the dynamic loader really chose are those of the image's own
// wheels, and each is there once. LD_LIBRARY_PATH, a stray copy in /usr/local or a second wheel show up here.
#include "libtorch/tests.hpp"

#include <algorithm>
#include <array>
#include <fstream>
#include <map>
#include <set>
#include <string_view>

namespace torchkiln::verifier {
namespace {

/// How the names of the libraries begin that only the wheels may bring. libcuda and libnvidia-* are the driver's.
constexpr std::array<std::string_view, 15> k_prefixes{
    "libtorch", "libc10",    "libcudart", "libcudnn",     "libcublas", "libcufft",      "libcufile", "libcurand",
    "libcusol", "libcuspar", "libnccl",   "libnvJitLink", "libnvrtc",  "libnvToolsExt", "libcupti"};

bool is_ours(std::string_view name) {
  return std::any_of(k_prefixes.begin(), k_prefixes.end(),
                     [&](std::string_view prefix) { return name.substr(0, prefix.size()) == prefix; });
}

/// File name → paths mapped under that name (proc(5), /proc/self/maps: the path is the sixth field).
std::map<std::string, std::set<std::string>> mapped_libraries() {
  std::map<std::string, std::set<std::string>> libraries;
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);) {
    const auto begin = line.find('/');
    if (begin == std::string::npos) continue;
    const auto path = line.substr(begin);
    const auto name = path.substr(path.find_last_of('/') + 1);
    if (name.find(".so") != std::string::npos && is_ours(name)) libraries[name].insert(path);
  }
  return libraries;
}

Outcome libraries(const Context& context) {
  const auto mapped = mapped_libraries();
  if (mapped.count("libtorch_cpu.so") == 0) return Failure{"libtorch_cpu.so is not mapped", Fault::image, {}};
  double wrong = 0;
  Measurement measurement;
  for (const auto& [name, paths] : mapped) {
    for (const auto& path : paths) {
      const bool elsewhere = path.rfind(context.site_packages + "/", 0) != 0;
      if (!elsewhere && paths.size() == 1) continue;
      ++wrong;
      measurement.details.push_back({path, elsewhere ? "not from the image's wheels" : "one of two copies"});
    }
  }
  measurement.value = wrong;
  measurement.details.push_back({"mapped", static_cast<double>(mapped.size())});
  return measurement;
}

}  // namespace

Registry library_tests() {
  return {{"boot.libraries", libraries}};
}

}  // namespace torchkiln::verifier
