#include "assembly/oci/platform.hpp"

#include "foundation/base/text.hpp"

#include <algorithm>
#include <sys/utsname.h>

namespace torchkiln::oci {

using base::ErrorCode;
using base::fail;
using base::Result;

Platform this_platform() {
  utsname names = {};
  ::uname(&names);
  const std::string machine = names.machine;
  return {machine == "x86_64" ? "amd64" : machine == "aarch64" ? "arm64" : machine, "linux", ""};
}

std::string to_string(const Platform& platform) {
  return platform.os + "/" + platform.architecture + (platform.variant.empty() ? "" : "/" + platform.variant);
}

Result<Platform> parse_platform(std::string_view text) {
  const auto parts = base::split(text, '/');
  const bool has_empty =
      std::any_of(parts.begin(), parts.end(), [](std::string_view part) { return part.empty(); });
  if (parts.size() < 2 || parts.size() > 3 || has_empty)
    return fail(ErrorCode::usage, "'" + std::string(text) + "' is no platform",
                {"for example linux/amd64, linux/arm64"});
  return Platform{std::string(parts[1]), std::string(parts[0]), parts.size() == 3 ? std::string(parts[2]) : ""};
}

Result<Descriptor> choose(const Index& index, const Platform& platform, const std::string& variant,
                          const std::string& name) {
  std::vector<std::string> offered;
  for (const auto& entry : index.manifests) {
    if (!entry.platform) continue;
    const auto& other = *entry.platform;
    const auto its_variant = value_of(entry.annotations, k_variant_key);
    const bool same_variant =
        platform.variant.empty() || other.variant.empty() || other.variant == platform.variant;
    const bool same_platform =
        other.architecture == platform.architecture && other.os == platform.os && same_variant;
    if (same_platform && (variant.empty() || variant == its_variant)) return entry;
    // Builders keep attestations as images for "unknown/unknown".
    if (other.os != "unknown") offered.push_back(to_string(other) + (its_variant.empty() ? "" : " " + its_variant));
  }
  base::Error error{ErrorCode::input_invalid,
                    name + " has no image for " + to_string(platform) + (variant.empty() ? "" : ", " + variant),
                    std::nullopt,
                    {},
                    {}};
  if (!offered.empty()) error.notes = {"it has " + base::join(offered, ", ")};
  return fail(std::move(error));
}

}  // namespace torchkiln::oci
