#pragma once
// A machine as one text, so that a test compares all that is known of it, and where it was read, at once.

#include "knowledge/host/machine.hpp"

#include <string>

namespace torchkiln::test {

/// "anvil; driver 535.104.05 [a.xml: driver_version]; 2 x NVIDIA A100-SXM4-80GB 8.0 [a.xml: product_name]; …"
inline std::string describe(const host::Machine& machine) {
  std::string text = machine.name;
  const auto add = [&](const std::string& words, const std::string& source) {
    text += "; " + words + " [" + source + "]";
  };
  if (machine.driver) add("driver " + machine.driver->value.to_string(), machine.driver->source);
  if (machine.userland) add("userland " + machine.userland->value.to_string(), machine.userland->source);
  for (const auto& gpu : machine.gpus)
    add(std::to_string(gpu.count) + " x " + (gpu.model.empty() ? "?" : gpu.model) +
            (gpu.compute ? " " + gpu.compute->to_string() : "") + (gpu.brand.empty() ? "" : " brand " + gpu.brand) +
            (gpu.named_by == host::NamedBy::person ? " (a person's word)" : ""),
        gpu.source);
  if (!machine.without_gpu.empty()) add("no GPU", machine.without_gpu);
  if (machine.architecture)
    add(std::string(matrix::name(machine.architecture->value)), machine.architecture->source);
  if (machine.glibc) add("glibc " + machine.glibc->value.to_string(), machine.glibc->source);
  if (machine.compat_package)
    add("compat " + machine.compat_package->value.to_string(), machine.compat_package->source);
  if (machine.injection) add(std::string(host::name(machine.injection->value)), machine.injection->source);
  for (const auto& note : machine.notes) text += "; note: " + note;
  return text;
}

}  // namespace torchkiln::test
