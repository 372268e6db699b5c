#pragma once
// Which image of an index a machine takes (image-spec v1.1, image-index.md), and which of a family's.

#include "assembly/oci/manifest.hpp"

#include <string>
#include <string_view>

namespace torchkiln::oci {

/// Which variant of a family an image is: our own label, and annotation of an index's entries.
inline constexpr std::string_view k_variant_key = "dev.torchkiln.variant";
/// What an image calls its version (annotations.md): label and annotation likewise.
inline constexpr std::string_view k_version_key = "org.opencontainers.image.version";

/// This machine's platform, as images name it.
Platform this_platform();
/// "linux/amd64", "linux/arm64/v8".
std::string to_string(const Platform& platform);
/// The reverse; an Error (usage) for anything else.
base::Result<Platform> parse_platform(std::string_view text);
/// The first entry for the platform; the platform's variants count only where both have one. Of a family's images
/// the one whose annotation k_variant_key is `variant`, unless that is empty. `name` is the index's, for messages.
base::Result<Descriptor> choose(const Index& index, const Platform& platform, const std::string& variant,
                                const std::string& name);

}  // namespace torchkiln::oci
