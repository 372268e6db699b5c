#pragma once
// An inventory as CycloneDX 1.6 (JSON).

#include "foundation/document/json.hpp"
#include "proof/sbom/inventory.hpp"

#include <string>
#include <string_view>

namespace torchkiln::sbom {

/// The document. Its serial number follows from its content, its time is the image's. `version` is torchkiln's.
base::Result<document::Json> to_cyclonedx(const Inventory& inventory, std::string_view version);

/// A UUID of version 8 (RFC 9562, 5.8) that follows from `digest`.
std::string uuid_of(const base::Digest& digest);

}  // namespace torchkiln::sbom
