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

/// Whose word a GPU's model is: the driver's own name for it, or what a person wrote (--host, an inventory of our
/// own, the free text that Slurm calls a type).
enum class NamedBy { driver, person };

/// GPUs of one model.
struct MachineGpus {
  std::string model;  ///< as the source spells it: "NVIDIA A100-SXM4-80GB", "v100" of Slurm; empty when only the
                      ///< compute capability is known, or nothing
  std::optional<version::ComputeCapability> compute;  ///< where the source says it
  /// What NVML calls the brand ("GeForce", "NVIDIA RTX"; "Product Brand" of nvidia-smi -q), which NVIDIA_REQUIRE_*
  /// may ask for; empty where nobody says it. It does not follow from the model: a "Tesla T4" is of brand NVIDIA.
  std::string brand;
  unsigned count = 1;
  NamedBy named_by = NamedBy::person;
  std::string source;
};

struct Machine {
  std::string name;
  std::optional<Fact<version::DriverVersion>> driver;    ///< the kernel module's
  std::optional<Fact<version::DriverVersion>> userland;  ///< libcuda's and NVML's; another one than the kernel's is
                                                         ///< a finding (Driver/library version mismatch)
  std::vector<MachineGpus> gpus;
  std::string without_gpu;  ///< who says that this machine has no GPU; empty: nobody says so, and then an empty
                            ///< `gpus` means that they are not known
  std::optional<Fact<matrix::Architecture>> architecture;
  std::optional<Fact<version::Version>> glibc;  ///< of the host, where wheels are installed without a container
  std::optional<Fact<version::CudaVersion>> compat_package;  ///< cuda-compat on the library path
  std::optional<Fact<Injection>> injection;
  std::vector<std::string> notes;  ///< what could not be read, and why
};

/// `--host 'name=a,driver=535.104.05,gpu=V100'`; docs/inventory.md has the keys. usage for anything else.
base::Result<Machine> parse_machine(std::string_view text);

/// This machine: /proc, /sys/module/nvidia/version, NVML, nvidia-smi, the C library.
Machine this_machine(const std::filesystem::path& root = "/", Nvml nvml = Nvml::ask);

/// The largest inventory, in bytes. A hundred thousand nodes of kubectl with GPU labels are about 200 MB.
inline constexpr std::uint64_t k_inventory_max_bytes = 512ULL << 20;

/// Machines out of an inventory, whose kind is recognised by its content: our own TOML or JSON, `nvidia-smi -q -x`,
/// `kubectl get nodes -o json`, `scontrol show node --json`, dcgm-exporter's metrics, Ansible facts, CSV. `file` is
/// for messages. input_invalid with its place for what is none of them.
base::Result<std::vector<Machine>> read_inventory(std::string_view bytes, const std::string& file);

/// Machines of the same name become one, in the order of first mention: Slurm knows the GPUs, dcgm the driver. Of
/// two that state the same fact the earlier one is kept; where they differ, a note says both with their sources.
/// GPUs are taken from one of the two as a whole: the one that knows all compute capabilities, else the one that
/// has the driver's names for them, else the earlier; another number of GPUs is a note.
std::vector<Machine> merge(std::vector<Machine> machines);

}  // namespace torchkiln::host
