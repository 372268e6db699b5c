#pragma once
// An inventory as SPDX 2.3 (JSON).

#include "foundation/document/json.hpp"
#include "proof/sbom/inventory.hpp"

#include <string_view>

namespace torchkiln::sbom {

/// The document. Its name space is made of the image's digest and its own content; its time is the image's.
/// `version` is torchkiln's.
base::Result<document::Json> to_spdx(const Inventory& inventory, std::string_view version);

}  // namespace torchkiln::sbom
