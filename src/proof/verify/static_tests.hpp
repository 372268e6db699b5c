#pragma once
// Level static: what can be judged without running anything.

#include "assembly/oci/layout.hpp"
#include "foundation/base/progress.hpp"
#include "plan/lock/lock.hpp"
#include "proof/report/test_run.hpp"

#include <filesystem>
#include <vector>

namespace torchkiln::verify {

/// `lower` are the unpacked layers, lowest first; `lock` may be nullptr.
base::Result<std::vector<report::TestOutcome>> run_static_tests(const oci::Layout& layout, const oci::Image& image,
                                                                const oci::ImageConfig& config,
                                                                const lock::Lock* lock,
                                                                const std::vector<std::filesystem::path>& lower,
                                                                base::Step& step);

}  // namespace torchkiln::verify
