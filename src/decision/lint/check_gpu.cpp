// Rules about the GPU, its driver and the container runtime, all of which belong to the host.

#include "decision/lint/checks.hpp"
#include "decision/lint/image_name.hpp"
#include "decision/lint/installs.hpp"
#include "foundation/base/text.hpp"

#include <algorithm>
#include <array>

namespace torchkiln::lint {

namespace {

constexpr std::array<std::string_view, 12> k_queries = {"torch.cuda.is_available(",
                                                        "torch.cuda.device_count(",
                                                        "torch.cuda.get_device_name(",
                                                        "torch.cuda.current_device(",
                                                        "torch.cuda.get_device_capability(",
                                                        "torch.cuda.get_device_properties(",
                                                        "torch.cuda.mem_get_info(",
                                                        "torch.cuda.init(",
                                                        "tf.test.is_gpu_available(",
                                                        "tf.config.list_physical_devices(",
                                                        "jax.devices(",
                                                        "cupy.cuda.runtime.getDeviceCount("};

constexpr std::array<std::string_view, 12> k_driver_packages = {
    "nvidia-driver",     "nvidia-headless",      "nvidia-dkms",  "nvidia-kernel",
    "nvidia-utils",      "nvidia-compute-utils", "cuda-drivers", "libcuda1",
    "libnvidia-compute", "libnvidia-gl",         "nvidia-smi",   "xserver-xorg-video-nvidia"};

constexpr std::array<std::string_view, 5> k_toolkit_packages = {"nvidia-container-toolkit",
                                                                "nvidia-container-runtime", "nvidia-docker",
                                                                "libnvidia-container", "nvidia-container-cli"};

/// "535" of "nvidia-driver-535" does not matter, "nvidia-driverless" would.
bool begins_with_package(std::string_view name, std::string_view package) {
  return name.starts_with(package) && (name.size() == package.size() || name[package.size()] == '-' ||
                                       (name[package.size()] >= '0' && name[package.size()] <= '9'));
}

/// The metapackages "cuda", "cuda-12-1" and "cuda-runtime-12-1", which bring cuda-drivers along.
bool brings_driver(std::string_view name) {
  for (const std::string_view prefix : {"cuda-runtime-", "cuda-"})
    if (name.starts_with(prefix))
      return name.find_first_not_of("0123456789-", prefix.size()) == std::string_view::npos;
  return name == "cuda";
}

std::string_view without_version(std::string_view package) {
  return package.substr(0, package.find_first_of("=/:"));
}

void check_queries(const Step& step, Findings& findings) {
  const auto tell = [&](std::size_t offset, std::string_view what) {
    findings.add("gpu-query-in-build", step, offset, std::string(what) + " finds no GPU while an image is built",
                 "ask when the container starts; or prove the finished image with torchkiln verify");
  };
  for (const auto& command : step.commands) {
    const auto program = command.program();
    if (program == "nvidia-smi" || program == "nvidia-debugdump" || program == "deviceQuery")
      return tell(command.words.front().offset, program);
    for (const auto& word : command.words)
      for (const auto query : k_queries)
        if (word.text.find(query) != std::string::npos) return tell(word.offset, query.substr(0, query.size() - 1));
  }
  for (const auto& document : step.instruction->heredocs)
    for (const auto query : k_queries)
      if (const auto at = document.body.bytes().find(query); at != std::string::npos) {
        findings.add("gpu-query-in-build", document.body.position(at), step.instruction->begin.line,
                     std::string(query.substr(0, query.size() - 1)) + " finds no GPU while an image is built",
                     "ask when the container starts; or prove the finished image with torchkiln verify");
        return;
      }
}

void check_packages(const Step& step, Findings& findings) {
  for (const auto& call : apt_calls_of(step)) {
    if (call.action != "install") continue;
    for (const auto* package : call.operands) {
      const auto name = without_version(package->text);
      const auto is_any_of = [&](const auto& packages) {
        return std::any_of(packages.begin(), packages.end(),
                           [&](std::string_view one) { return begins_with_package(name, one); });
      };
      if (is_any_of(k_driver_packages) || brings_driver(name))
        findings.add("driver-in-image", step, package->offset,
                     shown(name) +
                         (brings_driver(name) ? " brings a driver along, which" : " is of a driver, which") +
                         " only fits hosts with the same one",
                     brings_driver(name) ? "install the parts that you need, such as cuda-toolkit-12-8"
                                         : "leave it out: the container runtime mounts the host's driver");
      if (is_any_of(k_toolkit_packages))
        findings.add("container-toolkit-in-image", step, package->offset,
                     shown(name) + " does its work on the host, before the container is there",
                     "install it on the host");
    }
  }
}

/// NVIDIA-Linux-x86_64-535.run, and cuda_12.1.0_530_linux.run without --toolkit.
void check_installers(const Step& step, Findings& findings) {
  for (const auto& command : step.commands) {
    if (command.program() == "wget" || command.program() == "curl" || command.program() == "rm" ||
        command.program() == "chmod")
      continue;
    for (const auto& word : command.words) {
      if (!word.text.ends_with(".run")) continue;
      const auto file = std::string_view(word.text).substr(word.text.rfind('/') + 1);
      const bool is_driver = file.starts_with("NVIDIA-Linux");
      const bool is_cuda = file.starts_with("cuda_") && !command.has({"--toolkit"});
      if (is_driver || is_cuda)
        findings.add("driver-in-image", step, word.offset,
                     shown(file) + " installs a driver, which only fits one host",
                     is_cuda ? "add --toolkit, which leaves the driver out" : "leave it out");
    }
  }
}

void check_devices(const Step& step, Findings& findings) {
  if (!step.is("ENV")) return;
  for (const auto& one : step.assignments) {
    if (one.name == "NVIDIA_DISABLE_REQUIRE" && !one.value.empty() && one.value != "0" && one.value != "false")
      findings.add("nvidia-require-off", step, one.offset,
                   "a host whose driver is too old starts the image, and fails inside it",
                   "leave it out; torchkiln's images require only what they need");
    if (one.name == "NVIDIA_DRIVER_CAPABILITIES" && one.value == "all")
      findings.add("driver-capabilities-all", step, one.offset,
                   "display, graphics and video parts of the driver come into every container",
                   "write NVIDIA_DRIVER_CAPABILITIES=compute,utility");
    if (one.name != "NVIDIA_VISIBLE_DEVICES" && one.name != "CUDA_VISIBLE_DEVICES") continue;
    const bool is_device = one.value.starts_with("GPU-") || one.value.starts_with("MIG-") ||
                           (!one.value.empty() && one.value.find_first_not_of("0123456789,") == std::string::npos);
    if (is_device)
      findings.add("visible-devices-fixed", step, one.offset,
                   "the image runs on hosts that have GPU " + shown(one.value) + " only, and uses no other",
                   "leave it out, and choose when it starts: docker run --gpus device=" + shown(one.value));
  }
}

/// Whether a stage that starts from no GPU image installs PyTorch or NVIDIA's libraries as wheels.
const Step* installs_cuda_wheels(const Stage& stage) {
  for (const auto& step : stage.steps) {
    if (!step.is("RUN")) continue;
    for (const auto& install : pip_installs_of(step))
      for (const auto* requirement : install.requirements) {
        const auto name = package_of(requirement->text);
        const bool is_cpu = std::any_of(install.indexes.begin(), install.indexes.end(),
                                        [](const Word* index) { return index->text.ends_with("/cpu"); }) ||
                            requirement->text.ends_with("+cpu");
        if (!is_cpu && (name == "torch" || name.starts_with("nvidia-cu"))) return &step;
      }
  }
  return nullptr;
}

void check_capabilities(const Stages& stages, Findings& findings) {
  const auto* final = stages.final();
  if (!final || final->environment.contains("NVIDIA_DRIVER_CAPABILITIES")) return;
  const auto& root = stages.root_image(*final);
  if (!root.is_known || contents_of(image_name(root.text)).sets_driver_capabilities) return;
  for (const auto* stage : stages.line_of(*final))
    if (const auto* step = installs_cuda_wheels(*stage)) {
      findings.add("driver-capabilities-missing", *step->instruction,
                   "nothing tells the container runtime which parts of the driver the image needs",
                   "write ENV NVIDIA_VISIBLE_DEVICES=all NVIDIA_DRIVER_CAPABILITIES=compute,utility");
      return;
    }
}

}  // namespace

void check_gpu(const Subject& subject, Findings& findings) {
  check_capabilities(subject.stages, findings);
  for (const auto& stage : subject.stages.all)
    for (const auto& step : stage.steps) {
      check_devices(step, findings);
      if (!step.is("RUN")) continue;
      check_queries(step, findings);
      check_packages(step, findings);
      check_installers(step, findings);
    }
}

}  // namespace torchkiln::lint
