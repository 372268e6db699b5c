#pragma once
// The images that `torchkiln audit` is asked about, out of its arguments.

#include "decision/audit/audit.hpp"
#include "foundation/base/error.hpp"
#include "interface/cli/session.hpp"
#include "knowledge/matrix/matrix.hpp"

#include <string>
#include <vector>

namespace torchkiln::cli {

struct AuditedImages {
  std::vector<std::string> images;        ///< any form of IMAGE, or a lock's file
  std::vector<std::string> pytorch;       ///< "2.7.1+cu126", "2.7"
  std::string python;                     ///< of the releases: "3.12"
  std::vector<std::string> packages;      ///< of the releases: "torchvision==0.29.2"
  std::vector<std::string> requirements;  ///< "cuda>=12.8 brand=…"
};

/// Every image in the order of the fields. Without any: for each PyTorch minor release its newest patch as the
/// default index has it.
base::Result<std::vector<audit::Image>> read_images(const AuditedImages& asked, const matrix::Matrix& matrix,
                                                    Session& session);

}  // namespace torchkiln::cli
