#pragma once
// Level boot, of every image: how a container of it starts, ends and says that it is well.

#include "knowledge/spec/variant.hpp"
#include "proof/verify/in_image.hpp"

#include <vector>

namespace torchkiln::verify {

/// "boot.read_only": the root cannot be written, and the image works all the same. "boot.signals": a stop request
/// ends the container in time. "boot.health", for images without services: the health check passes.
base::Result<std::vector<report::TestOutcome>> run_container_tests(const RunInImage& run,
                                                                   const oci::ImageConfig& config,
                                                                   spec::Variant variant, base::Step& step);

}  // namespace torchkiln::verify
