#pragma once
// Level static: secrets. What is in any layer can be read by whoever has the image, even where a layer above hides
// it, and host keys or tokens baked in would be the same in every container.

#include "assembly/oci/image_config.hpp"
#include "foundation/base/error.hpp"

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace torchkiln::verify {

/// `lower` are the unpacked layers, of which every one is looked at alone.
base::Result<std::vector<std::string>> secret_faults(const oci::ImageConfig& config,
                                                     const std::vector<std::filesystem::path>& lower);

/// What a text has in it that only a secret looks like: "a private key", "a token of GitHub's"; empty for none.
std::string secret_in(std::string_view text);

}  // namespace torchkiln::verify
