#include "knowledge/matrix/matrix.hpp"

#include <algorithm>
#include <array>

#include <fmt/format.h>

namespace torchkiln::matrix {

bool is_companion(std::string_view package) {
  return std::find(k_companions.begin(), k_companions.end(), package) != k_companions.end();
}

std::string_view name(Grade grade) {
  constexpr std::array<std::string_view, 3> k_names{"measured", "documented", "derived"};
  return k_names[static_cast<std::size_t>(grade)];
}

std::string_view name(Architecture architecture) {
  constexpr std::array<std::string_view, 2> k_names{"x86_64", "aarch64"};
  return k_names[static_cast<std::size_t>(architecture)];
}

base::Result<Architecture> parse_architecture(std::string_view text) {
  for (const auto architecture : {Architecture::x86_64, Architecture::aarch64})
    if (name(architecture) == text) return architecture;
  return base::fail(base::ErrorCode::input_invalid, fmt::format("there is no architecture \"{}\"", text),
                    {"architectures are x86_64 and aarch64"});
}

std::string_view name(Status status) {
  constexpr std::array<std::string_view, 3> k_names{"stable", "experimental", "unadvertised"};
  return k_names[static_cast<std::size_t>(status)];
}

std::string_view name(BranchKind kind) {
  constexpr std::array<std::string_view, 4> k_names{"long-term", "production", "new-feature", "unknown"};
  return k_names[static_cast<std::size_t>(kind)];
}

std::string_view name(GpuClass gpu_class) {
  constexpr std::array<std::string_view, 5> k_names{"datacenter", "workstation", "consumer", "jetson", "soc"};
  return k_names[static_cast<std::size_t>(gpu_class)];
}

std::string_view name(Choice choice) {
  constexpr std::array<std::string_view, 3> k_names{"preferred", "possible", "on-request"};
  return k_names[static_cast<std::size_t>(choice)];
}

std::string_view name(Proof::Level level) {
  constexpr std::array<std::string_view, 2> k_names{"gpu", "multi-gpu"};
  return k_names[static_cast<std::size_t>(level)];
}

version::Version Build::full_version() const {
  auto full = version::Version::parse(pytorch.to_string() + "+" + variant);
  TK_ASSERT(full, "a build's variant is a local version: the loader checks it");
  return std::move(*full);
}

bool Broken::is_about(const Build& build) const {
  return pytorch.contains(build.pytorch) &&
         (cuda.is_empty() || (build.cuda && cuda.contains(build.cuda->as_version()))) &&
         (variants.empty() || std::find(variants.begin(), variants.end(), build.variant) != variants.end()) &&
         (index.empty() || index == build.index) && (!architecture || architecture == build.architecture);
}

bool Build::has_python(std::string_view tag) const {
  return std::find(python.begin(), python.end(), tag) != python.end();
}

}  // namespace torchkiln::matrix
