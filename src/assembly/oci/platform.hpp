#pragma once
// Which image of an index a machine takes (image-spec v1.1, image-index.md).

#include "assembly/oci/manifest.hpp"

#include <string>
#include <string_view>

namespace torchkiln::oci {

/// This machine's platform, as images name it.
Platform this_platform();
/// "linux/amd64", "linux/arm64/v8".
std::string to_string(const Platform& platform);
/// The reverse; an Error (usage) for anything else.
base::Result<Platform> parse_platform(std::string_view text);
/// The entry for the platform; variants count only where both have one. `name` is the index's, for messages.
base::Result<Descriptor> choose(const Index& index, const Platform& platform, const std::string& name);

}  // namespace torchkiln::oci
