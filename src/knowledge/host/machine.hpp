#pragma once
// A machine that images are to run on, as an inventory or its own driver describes it: each fact with where it was
// read. What nobody said is absent, and never counts as fine.

#include "foundation/base/error.hpp"
#include "knowledge/host/host.hpp"
#include "knowledge/matrix/matrix.hpp"
#include "knowledge/version/cuda.hpp"
#include "knowledge/version/pep440.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace torchkiln::host {

/// How the NVIDIA Container Toolkit puts GPUs into containers. Only `legacy` checks NVIDIA_REQUIRE_* (facts T17).
enum class Injection { legacy, cdi };
/// "legacy", "cdi".
std::string_view name(Injection injection);

/// GPUs of one model.
struct MachineGpus {
  std::string model;  ///< as the source spells it: "NVIDIA A100-SXM4-80GB", "v100" of Slurm, "sm_70"; may be empty
  std::optional<version::ComputeCapability> compute;  ///< where the source says it
  unsigned count = 1;
  std::string source;
};

struct Machine {
  std::string name;
  std::optional<Fact<version::DriverVersion>> driver;    ///< the kernel module's
  std::optional<Fact<version::DriverVersion>> userland;  ///< libcuda's and NVML's; another one than the kernel's is
                                                         ///< a finding (Driver/library version mismatch)
  std::vector<MachineGpus> gpus;
  std::optional<Fact<matrix::Architecture>> architecture;
  std::optional<Fact<version::Version>> glibc;  ///< of the host, where wheels are installed without a container
  std::optional<Fact<version::CudaVersion>> compat_package;  ///< cuda-compat on the library path
  std::optional<Fact<Injection>> injection;
  std::vector<std::string> notes;  ///< what could not be read, and why
};

/// `--host 'name=a,driver=535.104.05,gpu=V100'`; docs/audit.md has the keys. usage for anything else.
base::Result<Machine> parse_machine(std::string_view text);

/// This machine: /proc, /sys/module/nvidia/version, NVML, nvidia-smi, the C library.
Machine this_machine(const std::filesystem::path& root = "/", Nvml nvml = Nvml::ask);

/// Machines out of an inventory, whose kind is recognised by its content: our own TOML or JSON, `nvidia-smi -q -x`,
/// `kubectl get nodes -o json`, `scontrol show node --json`, dcgm-exporter's metrics, Ansible facts, CSV. `file` is
/// for messages. input_invalid with its place for what is none of them.
base::Result<std::vector<Machine>> read_inventory(std::string_view bytes, const std::string& file);

}  // namespace torchkiln::host
