#include "assembly/runtime/nvidia.hpp"

#include "assembly/runtime/cdi.hpp"
#include "foundation/sys/environment.hpp"
#include "foundation/sys/files.hpp"
#include "foundation/sys/process.hpp"

#include <array>
#include <cctype>
#include <sys/stat.h>
#include <sys/sysmacros.h>

namespace torchkiln::runtime {

namespace fs = std::filesystem;
using base::ErrorCode;
using base::fail;
using base::Result;
using document::Json;
using document::JsonValue;

namespace {

constexpr std::string_view k_kind = "nvidia.com/gpu";
constexpr const char* k_tool = "nvidia-ctk";
constexpr double k_tool_timeout_s = 60;
/// A specification of a machine with many GPUs and MIG devices has some hundred kB.
constexpr document::JsonLimits k_cdi_limits = {.size_bytes = 16U << 20, .depth = 32};

/// Where Debian's loader looks without a configuration.
constexpr std::string_view k_inside_library_folder =
#if defined(__aarch64__)
    "/usr/lib/aarch64-linux-gnu";
#else
    "/usr/lib/x86_64-linux-gnu";
#endif

/// The driver's user-mode parts for computing, by the names that programs load (NVIDIA driver README, "Installed
/// Components").
constexpr std::array<std::string_view, 7> k_libraries = {
    "libcuda.so.1",           "libnvidia-ml.so.1",    "libnvidia-ptxjitcompiler.so.1", "libnvidia-nvvm.so.4",
    "libnvidia-gpucomp.so.1", "libcudadebugger.so.1", "libnvidia-opencl.so.1"};
constexpr std::array<std::string_view, 1> k_programs = {"nvidia-smi"};
constexpr std::array<std::string_view, 3> k_control_devices = {"nvidiactl", "nvidia-uvm", "nvidia-uvm-tools"};

std::optional<DeviceNode> look_up(const std::string& path) {
  struct stat status = {};
  if (::stat(path.c_str(), &status) != 0) return std::nullopt;
  if (!S_ISCHR(status.st_mode) && !S_ISBLK(status.st_mode)) return std::nullopt;
  return DeviceNode{S_ISCHR(status.st_mode) ? 'c' : 'b', major(status.st_rdev), minor(status.st_rdev),
                    status.st_mode & 0777};
}

/// "nvidia0", "nvidia12".
bool is_gpu_node(std::string_view name) {
  if (!name.starts_with("nvidia")) return false;
  name.remove_prefix(6);
  for (const char letter : name)
    if (!std::isdigit(static_cast<unsigned char>(letter))) return false;
  return !name.empty();
}

std::optional<fs::path> find_in(const std::vector<fs::path>& folders, std::string_view name) {
  std::error_code ignored;
  for (const auto& folder : folders)
    if (fs::exists(folder / name, ignored)) return fs::canonical(folder / name, ignored);
  return std::nullopt;
}

bool has_kind(const JsonValue& specification) {
  const auto kind = specification.text_or_empty("kind");
  return kind && *kind == k_kind;
}

/// The specification for our kind in a folder; nothing when there is none in JSON.
Result<std::optional<JsonValue>> installed_specification(const std::vector<fs::path>& folders) {
  for (const auto& folder : folders) {
    std::error_code error;
    if (!fs::is_directory(folder, error)) continue;
    TK_TRY(const auto names, sys::list_directory(folder));
    for (const auto& name : names) {
      if (!name.ends_with(".json")) continue;
      TK_TRY(const auto text, sys::read_file(folder / name));
      TK_TRY(auto specification, JsonValue::parse(text, (folder / name).string(), k_cdi_limits));
      if (has_kind(specification)) return std::optional(std::move(specification));
    }
  }
  return std::optional<JsonValue>();
}

Result<JsonValue> generated_specification() {
  sys::Command command;
  command.arguments = {k_tool, "cdi", "generate", "--format=json"};
  command.timeout_s = k_tool_timeout_s;
  TK_TRY(const auto said, sys::run_checked(command));
  return JsonValue::parse(said.output, std::string(k_tool) + " cdi generate", k_cdi_limits);
}

Result<JsonValue> any_specification(const NvidiaPlaces& places) {
  TK_TRY(auto installed, installed_specification(places.cdi));
  if (installed) return std::move(*installed);
  if (sys::find_program(k_tool)) return generated_specification();
  const auto found = describe_nvidia(places);
  if (found.is_null())
    return fail(ErrorCode::tool_missing, "this host has no NVIDIA GPU that a container could use",
                {"install NVIDIA's driver, and nvidia-container-toolkit for a full description of the devices"});
  return JsonValue::parse(found.dump(), "the description of this host's GPUs", k_cdi_limits);
}

}  // namespace

Json describe_nvidia(const NvidiaPlaces& places) {
  auto nodes = Json::array();
  std::error_code ignored;
  const auto names = sys::list_directory(places.devices);
  for (const auto& name : names ? *names : std::vector<std::string>())
    if (is_gpu_node(name))
      nodes.push_back({{"path", "/dev/" + name}, {"hostPath", (places.devices / name).string()}});
  if (nodes.empty()) return nullptr;
  for (const auto name : k_control_devices)
    if (fs::exists(places.devices / name, ignored))
      nodes.push_back({{"path", "/dev/" + std::string(name)}, {"hostPath", (places.devices / name).string()}});

  auto mounts = Json::array();
  const auto add_mount = [&](const std::optional<fs::path>& host, const std::string& inside) {
    if (host) mounts.push_back({{"hostPath", host->string()}, {"containerPath", inside}});
  };
  for (const auto name : k_libraries)
    add_mount(find_in(places.libraries, name), std::string(k_inside_library_folder) + "/" + std::string(name));
  for (const auto name : k_programs) add_mount(find_in(places.programs, name), "/usr/bin/" + std::string(name));
  const Json edits = {{"deviceNodes", std::move(nodes)}, {"mounts", std::move(mounts)}};
  return {{"cdiVersion", "0.6.0"},
          {"kind", k_kind},
          {"devices", Json::array({{{"name", "all"}, {"containerEdits", edits}}})}};
}

Result<void> add_nvidia_gpus(Json& config, const NvidiaPlaces& places) {
  TK_TRY(const auto specification, any_specification(places));
  return apply_cdi(specification, "all", look_up, config);
}

}  // namespace torchkiln::runtime
