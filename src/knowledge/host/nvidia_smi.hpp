#pragma once
// What `nvidia-smi -q -x` prints: XML of one machine, without the machine's name.

#include "knowledge/host/host.hpp"

namespace torchkiln::host {

/// The largest such document, in bytes: eight GPUs with two thousand processes are 1 MB.
inline constexpr std::uint64_t k_nvidia_smi_max = 16U << 20;
/// How long nvidia-smi may take, in seconds. Without persistence mode it loads the driver first.
inline constexpr double k_nvidia_smi_timeout_s = 20;

/// Reads the document; `file` is for messages and sources. input_invalid for what is no such document.
base::Result<Host> parse_nvidia_smi(std::string_view xml, const std::string& file);

/// Runs nvidia-smi, if it is on PATH, and adds what it says to `host`.
void ask_nvidia_smi(Host& host);

}  // namespace torchkiln::host
