#pragma once
// Level boot, for images with services: whether sshd and JupyterLab are as closed as they should be, by what the
// programs themselves, started in the image, say of their settings.

#include "assembly/oci/image_config.hpp"
#include "foundation/base/progress.hpp"
#include "knowledge/spec/variant.hpp"
#include "proof/report/test_run.hpp"
#include "proof/verify/in_image.hpp"

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace torchkiln::verify {

/// "boot.sshd" and "boot.jupyter", as far as the variant has these parts.
base::Result<std::vector<report::TestOutcome>> run_service_tests(const RunInImage& run,
                                                                 const oci::ImageConfig& config,
                                                                 spec::Variant variant, base::Step& step);

/// What is too open in the output of `sshd -T`; for tests.
std::vector<std::string> sshd_faults(std::string_view settings);
/// What is too open in the output of `jupyter-lab --show-config-json`; for tests.
std::vector<std::string> jupyter_faults(std::string_view settings);

}  // namespace torchkiln::verify
