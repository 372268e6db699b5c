#include "knowledge/host/host.hpp"

#include "foundation/base/text.hpp"
#include "foundation/sys/files.hpp"
#include "knowledge/host/nvml.hpp"

#include <algorithm>

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
  const std::string source = "/proc/driver/nvidia/version";
  const auto text = sys::read_file(root / "proc/driver/nvidia/version", k_proc_file_max);
  if (!text) {
    host.notes.push_back(source + ": not there, so no NVIDIA driver is loaded");
    return;
  }
  if (auto driver = driver_of(*text))
    host.driver = Fact<version::DriverVersion>{std::move(*driver), source};
  else
    host.notes.push_back(source + ": names no driver version");
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
  read_gpus(root, host);
  if (nvml == Nvml::ask) ask_nvml(host);
  std::sort(host.gpus.begin(), host.gpus.end(), [](const Gpu& a, const Gpu& b) { return a.bus < b.bus; });
  return host;
}

}  // namespace torchkiln::host
