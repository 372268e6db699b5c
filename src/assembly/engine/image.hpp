#pragma once
// Putting an image together: layers from the cache, configuration and manifest, in an OCI layout.

#include "assembly/engine/direct.hpp"
#include "assembly/oci/layout.hpp"

#include <filesystem>
#include <vector>

namespace torchkiln::engine {

/// Lowest first: system, wheels, configuration, then `extra` (the verifier).
base::Result<oci::Image> put_image(const lock::Lock& lock, const recipe::Recipe& recipe, const Parts& parts,
                                   const std::vector<ReadyLayer>& extra, const Cache& cache,
                                   const oci::Layout& layout);

}  // namespace torchkiln::engine
