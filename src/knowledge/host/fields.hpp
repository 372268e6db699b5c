#pragma once
// The words that describe a machine, the same in --host, an inventory of our own and a CSV file.

#include "knowledge/host/machine.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace torchkiln::host {

/// The most GPUs that one entry may name; more is a slip of the pen.
inline constexpr unsigned k_gpus_max = 4096;
/// The most kinds of GPU that one machine may have by name.
inline constexpr std::size_t k_gpu_kinds_max = 64;
/// The longest name of a machine, in bytes: a fully qualified domain name (RFC 1035, 2.3.4).
inline constexpr std::size_t k_machine_name_max = 255;

/// "A100", "8xH100", "sm_70", "4x8.0". The source is left to the caller.
base::Result<MachineGpus> parse_gpus(std::string_view text);
/// "x86_64" and "aarch64", and what Kubernetes, Debian and Slurm call them: "amd64", "arm64".
base::Result<matrix::Architecture> parse_machine_architecture(std::string_view text);
/// "legacy" or "cdi".
base::Result<Injection> parse_injection(std::string_view text);
/// 13.0 of "cuda-compat-13-0", the name of NVIDIA's package.
base::Result<version::CudaVersion> parse_compat_package(std::string_view text);
/// The text itself; an Error when it is empty, too long, or has control characters.
base::Result<std::string> parse_machine_name(std::string_view text);

/// A name out of somebody else's file, fit for a terminal: control characters become '?'.
std::string printable(std::string_view text);
/// Whether a program wrote this where it had no value: "", "N/A", "[Not Supported]", "Unknown Error".
bool is_absent(std::string_view text);
/// The driver, if `text` names one; what else it says is noted, unless it is_absent().
std::optional<Fact<version::DriverVersion>> driver_fact(std::string_view text, const std::string& source,
                                                        std::vector<std::string>& notes);
/// A GPU of a machine as the driver describes it.
MachineGpus machine_gpus(Gpu gpu);
/// One more GPU: counted where there is one like it already.
void add_gpu(std::vector<MachineGpus>& gpus, MachineGpus gpu);

}  // namespace torchkiln::host
