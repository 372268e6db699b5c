#include "knowledge/host/fields.hpp"

#include "foundation/base/text.hpp"

#include <algorithm>
#include <array>

namespace torchkiln::host {

using base::ErrorCode;
using base::fail;
using base::Result;

namespace {

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

bool is_control(char c) {
  return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
}

/// The length of "8x" at the beginning of "8xH100"; 0 where there is no such count. "3090" has none.
std::size_t count_length(std::string_view text) {
  std::size_t digits = 0;
  while (digits < text.size() && is_digit(text[digits])) ++digits;
  return digits > 0 && digits < text.size() && (text[digits] == 'x' || text[digits] == 'X') ? digits + 1 : 0;
}

}  // namespace

std::string_view name(Injection injection) {
  return injection == Injection::legacy ? "legacy" : "cdi";
}

Result<MachineGpus> parse_gpus(std::string_view text) {
  const std::vector<std::string> hints{"GPUs are named like A100, 8xH100 or sm_90"};
  auto model = base::trim(text);
  MachineGpus gpus;
  if (const auto length = count_length(model)) {
    const auto count = base::parse_integer(model.substr(0, length - 1));
    if (!count || *count < 1 || *count > k_gpus_max)
      return fail(ErrorCode::input_invalid,
                  "\"" + printable(text) + "\" counts no number of GPUs from 1 to " + std::to_string(k_gpus_max),
                  hints);
    gpus.count = static_cast<unsigned>(*count);
    model = base::trim(model.substr(length));
  }
  if (model.empty()) return fail(ErrorCode::input_invalid, "\"" + printable(text) + "\" names no GPU", hints);
  if (std::any_of(model.begin(), model.end(), is_control))
    return fail(ErrorCode::input_invalid, "the GPU \"" + printable(text) + "\" has control characters", hints);
  if (auto compute = version::ComputeCapability::parse(model))
    gpus.compute = *compute;
  else if (model.starts_with("sm_"))
    return fail(std::move(compute).error());
  else
    gpus.model = std::string(model);
  return gpus;
}

Result<matrix::Architecture> parse_machine_architecture(std::string_view text) {
  const auto word = base::lower(base::trim(text));
  if (word == "amd64") return matrix::Architecture::x86_64;
  if (word == "arm64") return matrix::Architecture::aarch64;
  return matrix::parse_architecture(word);
}

Result<Injection> parse_injection(std::string_view text) {
  for (const auto injection : {Injection::legacy, Injection::cdi})
    if (base::trim(text) == name(injection)) return injection;
  return fail(ErrorCode::input_invalid, "there is no runtime mode \"" + printable(text) + "\"",
              {"modes are legacy (it checks NVIDIA_REQUIRE_*) and cdi (it does not)"});
}

Result<version::CudaVersion> parse_compat_package(std::string_view text) {
  constexpr std::string_view k_prefix = "cuda-compat-";
  const auto package = base::trim(text);
  if (package.starts_with(k_prefix)) {
    const auto parts = base::split(package.substr(k_prefix.size()), '-');
    if (parts.size() == 2)
      if (auto cuda = version::CudaVersion::parse(std::string(parts[0]) + "." + std::string(parts[1])))
        return std::move(*cuda);
  }
  return fail(ErrorCode::input_invalid, "\"" + printable(text) + "\" is no compatibility package",
              {"NVIDIA's packages are named like cuda-compat-13-0"});
}

Result<std::string> parse_machine_name(std::string_view text) {
  const auto word = base::trim(text);
  if (word.empty()) return fail(ErrorCode::input_invalid, "the name of a machine is empty");
  if (word.size() > k_machine_name_max)
    return fail(ErrorCode::input_invalid,
                "the name of a machine is longer than " + std::to_string(k_machine_name_max) + " bytes");
  if (std::any_of(word.begin(), word.end(), is_control))
    return fail(ErrorCode::input_invalid, "the name \"" + printable(word) + "\" has control characters");
  return std::string(word);
}

std::string printable(std::string_view text) {
  std::string result(text);
  std::replace_if(result.begin(), result.end(), is_control, '?');
  return result;
}

bool is_absent(std::string_view text) {
  auto word = base::lower(base::trim(text));
  if (word.size() > 2 && word.front() == '[' && word.back() == ']') word = word.substr(1, word.size() - 2);
  constexpr std::array<std::string_view, 9> k_words{
      "", "n/a", "none", "null", "(null)", "unknown", "not supported", "unknown error", "not available"};
  return std::find(k_words.begin(), k_words.end(), word) != k_words.end();
}

std::optional<Fact<version::DriverVersion>> driver_fact(std::string_view text, const std::string& source,
                                                        std::vector<std::string>& notes) {
  if (is_absent(text)) return std::nullopt;
  if (auto driver = version::DriverVersion::parse(text))
    return Fact<version::DriverVersion>{std::move(*driver), source};
  notes.push_back(source + ": \"" + printable(text) + "\" is not a driver version");
  return std::nullopt;
}

MachineGpus machine_gpus(Gpu gpu) {
  MachineGpus gpus;
  gpus.model = std::move(gpu.model);
  gpus.brand = std::move(gpu.brand);
  if (gpu.compute) gpus.compute = gpu.compute->value;
  gpus.named_by = NamedBy::driver;
  gpus.source = std::move(gpu.source);
  return gpus;
}

void add_gpu(std::vector<MachineGpus>& gpus, MachineGpus gpu) {
  if (gpus.size() >= k_gpu_kinds_max) {  // the rest counts as of no known kind
    gpu.model.clear();
    gpu.compute.reset();
    gpu.brand.clear();
  }
  const auto same = std::find_if(gpus.begin(), gpus.end(), [&](const MachineGpus& other) {
    return other.model == gpu.model && other.compute == gpu.compute && other.brand == gpu.brand &&
           other.named_by == gpu.named_by;
  });
  if (same == gpus.end())
    gpus.push_back(std::move(gpu));
  else
    same->count = std::min(k_gpus_max, same->count + std::min(gpu.count, k_gpus_max));
}

}  // namespace torchkiln::host
