#pragma once
// How an image was made: the SLSA v1 provenance predicate (slsa.dev/spec/v1.0/provenance). Everything in it follows
// from the image and its lock.

#include "foundation/document/json.hpp"
#include "plan/lock/lock.hpp"
#include "proof/sbom/inventory.hpp"

#include <string_view>

namespace torchkiln::sbom {

/// What docs/sbom.md describes.
inline constexpr std::string_view k_build_type = "https://torchkiln.dev/buildtypes/image/v1";
inline constexpr std::string_view k_builder_id = "https://torchkiln.dev/builder/local/v1";

/// The predicate. `lock` is the one that the inventory was made with; `version` is torchkiln's.
document::Json to_provenance(const Inventory& inventory, const lock::Lock& lock, std::string_view version);

}  // namespace torchkiln::sbom
