#pragma once
// The tag "sha256-HEX.att" beside an image in a registry, where verifiers look that know nothing of referrers: one
// layer for each envelope (sigstore/cosign specs/ATTESTATION_SPEC.md).

#include "assembly/oci/layout.hpp"
#include "assembly/registry/repository.hpp"
#include "foundation/base/digest.hpp"
#include "foundation/base/error.hpp"

#include <filesystem>
#include <string>

namespace torchkiln::stamp {

/// "sha256-HEX.att".
std::string attestation_tag(const base::Digest& image);

/// Adds the envelopes of the stamps of `image` in the layout to its tag in the repository. What others put there
/// stays; nothing is sent when all is there. `work` is a folder for what is on its way.
base::Result<void> push_attestation_tag(const oci::Layout& layout, const oci::Image& image,
                                        const registry::Repository& repository, const std::filesystem::path& work);

}  // namespace torchkiln::stamp
