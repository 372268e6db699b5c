#include "foundation/base/text.hpp"
#include "foundation/document/document.hpp"
#include "foundation/sys/environment.hpp"
#include "foundation/sys/files.hpp"
#include "knowledge/host/fields.hpp"
#include "knowledge/host/machine.hpp"

#include <gnu/libc-version.h>
#include <sys/utsname.h>

namespace torchkiln::host {

namespace fs = std::filesystem;

namespace {

constexpr std::uint64_t k_toolkit_file_max = 1U << 20;

void read_system(Machine& machine) {
  utsname system{};
  if (uname(&system) == 0) {
    machine.name = system.nodename;
    if (const auto architecture = parse_machine_architecture(system.machine))
      machine.architecture = Fact<matrix::Architecture>{*architecture, "uname"};
    else
      machine.notes.push_back("uname: " + architecture.error().message);
  }
  if (machine.name.empty()) machine.name = "this machine";
  if (auto glibc = version::Version::parse(gnu_get_libc_version()))
    machine.glibc = Fact<version::Version>{std::move(*glibc), "the C library"};
}

/// NVIDIA Container Toolkit's configuration. Its mode "auto" and an absent one mean what the toolkit's release
/// means by them (facts T17), so that they say nothing.
void read_injection(const fs::path& root, Machine& machine) {
  const std::string source = "/etc/nvidia-container-runtime/config.toml";
  const auto text = sys::read_file(root / source.substr(1), k_toolkit_file_max);
  if (!text) return;
  auto document = document::Document::parse(*text, source, base::ErrorCode::input_invalid);
  if (!document) {
    machine.notes.push_back(source + ": " + document.error().message);
    return;
  }
  auto section = document->root().table("nvidia-container-runtime");
  const auto mode = section ? section->text("mode") : std::nullopt;
  if (!mode) return;
  if (auto injection = parse_injection(mode->value))
    machine.injection = Fact<Injection>{*injection, mode->place.to_string()};
  else
    machine.notes.push_back(mode->place.to_string() + ": the mode \"" + printable(mode->value) +
                            "\" does not say whether NVIDIA_REQUIRE_* is checked");
}

/// A folder of NVIDIA's compatibility package on the library path: /usr/local/cuda-13.0/compat.
void read_compat(Machine& machine) {
  const auto path = sys::environment("LD_LIBRARY_PATH");
  if (!path) return;
  for (const auto folder : base::split(*path, ':')) {
    std::error_code failed;
    const auto library = fs::canonical(fs::path(folder) / "libcuda.so.1", failed);
    if (failed || library.parent_path().filename() != "compat") continue;
    constexpr std::string_view k_prefix = "cuda-";
    const auto home = library.parent_path().parent_path().filename().string();
    if (!home.starts_with(k_prefix)) continue;
    auto cuda = version::CudaVersion::parse(std::string_view(home).substr(k_prefix.size()));
    if (!cuda) continue;
    machine.compat_package = Fact<version::CudaVersion>{*cuda, "LD_LIBRARY_PATH: " + printable(folder)};
    return;
  }
}

}  // namespace

Machine this_machine(const fs::path& root, Nvml nvml) {
  Machine machine;
  read_system(machine);
  auto host = read(root, nvml);
  machine.driver = std::move(host.driver);
  machine.userland = std::move(host.userland);
  for (auto& gpu : host.gpus) add_gpu(machine.gpus, machine_gpus(std::move(gpu)));
  read_injection(root, machine);
  read_compat(machine);
  std::move(host.notes.begin(), host.notes.end(), std::back_inserter(machine.notes));
  return machine;
}

}  // namespace torchkiln::host
