#include "knowledge/host/host.hpp"

#include "foundation/base/text.hpp"
#include "foundation/sys/files.hpp"
#include "knowledge/host/nvidia_smi.hpp"
#include "knowledge/host/nvml.hpp"

#include <algorithm>
#include <array>

namespace torchkiln::host {

namespace fs = std::filesystem;

namespace {

constexpr std::uint64_t k_proc_file_max = 64U << 10;

/// The driver version out of /proc/driver/nvidia/version:
/// "NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.104.05  Sat Aug 19 …", or with "Open Kernel Module for
/// x86_64  580.65.06  Release Build". It is the first word that is three or two dotted numbers.
std::optional<version::DriverVersion> driver_of(std::string_view text) {
  for (const auto line : base::lines(text)) {
    if (!line.starts_with("NVRM version:")) continue;
    for (const auto word : base::split(line, ' ')) {
      if (word.find('.') == std::string_view::npos) continue;
      if (auto driver = version::DriverVersion::parse(word)) return std::move(*driver);
    }
  }
  return std::nullopt;
}

/// The value of a line "Model:  NVIDIA A100".
std::string value_of(std::string_view text, std::string_view key) {
  for (const auto line : base::lines(text)) {
    const auto colon = line.find(':');
    if (colon != std::string_view::npos && base::trim(line.substr(0, colon)) == key)
      return std::string(base::trim(line.substr(colon + 1)));
  }
  return {};
}

void read_driver(const fs::path& root, Host& host) {
  const std::string proc = "/proc/driver/nvidia/version";
  const std::string module = "/sys/module/nvidia/version";
  const auto text = sys::read_file(root / proc.substr(1), k_proc_file_max);
  if (text)
    if (auto driver = driver_of(*text)) host.driver = Fact<version::DriverVersion>{std::move(*driver), proc};
  const auto line = sys::read_file(root / module.substr(1), k_proc_file_max);
  if (line && !host.driver)
    if (auto driver = version::DriverVersion::parse(*line))
      host.driver = Fact<version::DriverVersion>{std::move(*driver), module};
  if (host.driver) return;
  host.notes.push_back(text || line ? (text ? proc : module) + ": names no driver version"
                                    : proc + ": not there, so no NVIDIA driver is loaded");
}

/// Where the dynamic linker finds libcuda on Debian, Red Hat, NixOS, WSL, and in containers of NVIDIA's toolkit.
constexpr std::array<std::string_view, 10> k_library_folders{"usr/lib/x86_64-linux-gnu",
                                                             "usr/lib/aarch64-linux-gnu",
                                                             "usr/lib64",
                                                             "usr/lib",
                                                             "lib/x86_64-linux-gnu",
                                                             "lib64",
                                                             "usr/local/nvidia/lib64",
                                                             "usr/local/lib",
                                                             "run/opengl-driver/lib",
                                                             "usr/lib/wsl/lib"};

/// libcuda's version is the end of its file's name: libcuda.so.1 is a link to libcuda.so.535.104.05.
void read_userland(const fs::path& root, Host& host) {
  for (const auto folder : k_library_folders) {
    std::error_code failed;
    const auto file = fs::canonical(root / folder / "libcuda.so.1", failed).filename().string();
    constexpr std::string_view k_prefix = "libcuda.so.";
    if (failed || !file.starts_with(k_prefix)) continue;
    const auto words = std::string_view(file).substr(k_prefix.size());
    if (words.find('.') == std::string_view::npos) continue;  // libcuda.so.1 itself, as in stub folders
    auto release = version::DriverVersion::parse(words);
    if (!release) continue;
    host.userland = Fact<version::DriverVersion>{std::move(*release), "/" + std::string(folder) + "/" + file};
    return;
  }
}

void read_gpus(const fs::path& root, Host& host) {
  const fs::path folder = root / "proc/driver/nvidia/gpus";
  const auto buses = sys::list_directory(folder);
  if (!buses) return;
  for (const auto& bus : *buses) {
    const std::string source = "/proc/driver/nvidia/gpus/" + bus + "/information";
    const auto text = sys::read_file(folder / bus / "information", k_proc_file_max);
    if (!text) {
      host.notes.push_back(source + ": not readable");
      continue;
    }
    Gpu gpu;
    gpu.model = value_of(*text, "Model");
    gpu.uuid = value_of(*text, "GPU UUID");
    gpu.bus = base::lower(bus);
    gpu.source = source;
    host.gpus.push_back(std::move(gpu));
  }
}

}  // namespace

Host read(const fs::path& root, Nvml nvml) {
  Host host;
  read_driver(root, host);
  read_userland(root, host);
  read_gpus(root, host);
  if (nvml == Nvml::ask && !ask_nvml(host)) ask_nvidia_smi(host);
  std::sort(host.gpus.begin(), host.gpus.end(), [](const Gpu& a, const Gpu& b) { return a.bus < b.bus; });
  if (host.driver && host.userland && host.driver->value != host.userland->value)
    host.notes.push_back("the kernel module is " + host.driver->value.to_string() + ", the user-space driver " +
                         host.userland->value.to_string() + ": restart after a driver update");
  return host;
}

}  // namespace torchkiln::host
