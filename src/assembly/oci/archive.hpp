#pragma once
// A tar that holds images: of an OCI layout ("oci-archive:"), or what `docker image save` writes.

#include "assembly/oci/layout.hpp"

#include <filesystem>

namespace torchkiln::oci {

/// Puts the archive's blobs and images into an empty layout. Files that are named by their digest have to have it;
/// blobs that the layout has already are not read again.
base::Result<void> read_archive(const std::filesystem::path& file, const Layout& layout);

}  // namespace torchkiln::oci
