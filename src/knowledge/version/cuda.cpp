#include "knowledge/version/cuda.hpp"

#include "foundation/base/text.hpp"

#include <algorithm>
#include <charconv>
#include <optional>

#include <fmt/format.h>

namespace torchkiln::version {

namespace {

/// No number in a driver, CUDA or compute-capability version has more digits.
constexpr std::size_t k_digits_max = 6;
constexpr std::size_t k_driver_parts_max = 5;
/// Of drivers for CUDA: 100.x of 2007 was the first. What is below is a CUDA version, the other number that
/// nvidia-smi prints.
constexpr unsigned k_oldest_driver_branch = 100;

/// Digits only, all of `text`.
std::optional<unsigned> number(std::string_view text) {
  if (text.empty() || text.size() > k_digits_max || text.front() == '-' || text.front() == '+') return std::nullopt;
  unsigned value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

base::Unexpected invalid(std::string message, std::string hint) {
  return base::fail(base::ErrorCode::input_invalid, std::move(message), {std::move(hint)});
}

}  // namespace

base::Result<CudaVersion> CudaVersion::parse(std::string_view text) {
  const auto parts = base::split(base::trim(text), '.');
  std::vector<unsigned> numbers;
  for (const auto part : parts)
    if (const auto value = number(part)) numbers.push_back(*value);
  if (numbers.size() != parts.size() || numbers.size() < 2 || numbers.size() > 3)
    return invalid(fmt::format("\"{}\" is not a CUDA version", text), "CUDA versions look like 12.8 or 12.8.1");
  return CudaVersion{numbers[0], numbers[1], numbers.size() == 3 ? numbers[2] : 0};
}

base::Result<CudaVersion> CudaVersion::from_build_name(std::string_view build) {
  const auto digits = build.starts_with("cu") ? number(build.substr(2)) : std::nullopt;
  // Two or three digits: with more it would be open which of them are the minor number.
  if (!digits || *digits < 10 || *digits > 999 || build.size() > 5)
    return invalid(fmt::format("\"{}\" is not a CUDA build name", build),
                   "build names look like cu128 (CUDA 12.8)");
  return CudaVersion{*digits / 10, *digits % 10, 0};
}

std::string CudaVersion::build_name() const {
  return fmt::format("cu{}{}", major, minor);
}

std::string CudaVersion::to_string() const {
  return patch ? fmt::format("{}.{}.{}", major, minor, patch) : fmt::format("{}.{}", major, minor);
}

Version CudaVersion::as_version() const {
  std::vector<std::uint64_t> release{major, minor};
  if (patch) release.push_back(patch);
  return Version::of(std::move(release));
}

base::Result<DriverVersion> DriverVersion::parse(std::string_view text) {
  DriverVersion version;
  const auto trimmed = base::trim(text);
  // NVIDIA calls a branch R535.
  const bool is_branch = trimmed.starts_with('R') && trimmed.find('.') == std::string_view::npos;
  version.m_text = std::string(trimmed.substr(is_branch ? 1 : 0));
  const auto parts = base::split(version.m_text, '.');
  for (const auto part : parts)
    if (const auto value = number(part)) version.m_parts.push_back(*value);
  if (version.m_parts.size() != parts.size() || parts.size() > k_driver_parts_max)
    return invalid(fmt::format("\"{}\" is not a driver version", text),
                   "driver versions are dotted numbers such as 535.104.05, as nvidia-smi prints them");
  if (version.branch() < k_oldest_driver_branch)
    return invalid(fmt::format("\"{}\" is not a driver version, and looks like one of CUDA", text),
                   "nvidia-smi prints both: take what it calls \"Driver Version\", such as 535.104.05");
  return version;
}

std::strong_ordering DriverVersion::operator<=>(const DriverVersion& other) const {
  for (std::size_t i = 0; i < std::max(m_parts.size(), other.m_parts.size()); ++i) {
    const unsigned mine = i < m_parts.size() ? m_parts[i] : 0;
    const unsigned theirs = i < other.m_parts.size() ? other.m_parts[i] : 0;
    if (mine != theirs) return mine <=> theirs;
  }
  return std::strong_ordering::equal;
}

base::Result<ComputeCapability> ComputeCapability::parse(std::string_view text) {
  const std::string lowered = base::lower(base::trim(text));
  const std::string hint = "compute capabilities look like 9.0 or sm_90";
  if (lowered.starts_with("sm_")) {
    std::string_view digits = std::string_view(lowered).substr(3);
    if (digits.ends_with('a') || digits.ends_with('f')) {
      const auto plain = number(digits.substr(0, digits.size() - 1));
      if (plain)
        return invalid(
            fmt::format("\"{}\" is an architecture-specific target, not a GPU's compute capability", text),
            fmt::format("write sm_{}", *plain));
    }
    const auto value = number(digits);
    if (value && *value >= 10 && digits.size() <= 3) return ComputeCapability{*value / 10, *value % 10};
    return invalid(fmt::format("\"{}\" is not a compute capability", text), hint);
  }
  const auto parts = base::split(lowered, '.');
  const auto major_number = number(parts.front());
  const auto minor_number = parts.size() == 2 ? number(parts.back()) : std::nullopt;
  if (!major_number || !minor_number || *minor_number > 9 || *major_number > 99)
    return invalid(fmt::format("\"{}\" is not a compute capability", text), hint);
  return ComputeCapability{*major_number, *minor_number};
}

std::string ComputeCapability::to_string() const {
  return fmt::format("{}.{}", major, minor);
}

std::string ComputeCapability::sm() const {
  return fmt::format("sm_{}{}", major, minor);
}

bool sass_runs_on(ComputeCapability code, ComputeCapability device, CudaVersion cuda) {
  using Cc = ComputeCapability;
  // CUDA 13 renamed 10.1 (Thor) to 11.0.
  const auto renamed = [](Cc cc) { return cc == Cc{10, 1} ? Cc{11, 0} : cc; };
  code = renamed(code);
  device = renamed(device);
  if (code == device) return true;
  if (code.major != device.major || device.minor < code.minor) return false;
  const auto is_embedded = [](Cc cc) {
    return cc == Cc{5, 3} || cc == Cc{6, 2} || cc == Cc{7, 2} || cc == Cc{8, 7};
  };
  if (is_embedded(code)) return false;
  if (!is_embedded(device)) return true;
  const bool jetson_opened = device == Cc{7, 2} || device == Cc{8, 7};
  return jetson_opened && cuda >= CudaVersion{13, 2, 0};
}

bool ptx_compiles_for(ComputeCapability code, ComputeCapability device) {
  return device >= code;
}

}  // namespace torchkiln::version
