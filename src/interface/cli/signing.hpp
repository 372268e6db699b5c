#pragma once
// What is signed of an image: what its tests said, and what it is made of.

#include "assembly/oci/layout.hpp"
#include "foundation/base/error.hpp"
#include "interface/cli/open_image.hpp"
#include "interface/cli/session.hpp"
#include "plan/lock/lock.hpp"
#include "proof/stamp/stamp.hpp"

#include <optional>
#include <string>

namespace torchkiln::cli {

/// Whether bills of materials and provenance are signed beside the test's result.
enum class Documents { signed_too, left_out };

/// Signs the report and its verification summary and attaches both, and then SPDX, CycloneDX and, where `lock` (or
/// nullptr) is known, provenance. What is there already is not signed again. The stamp is the report's.
base::Result<stamp::Stamp> sign(const oci::Layout& layout, const oci::Image& image, const stamp::StampRequest& request,
                                const lock::Lock* lock, Documents documents, const stamp::PrivateKey& key,
                                Session& session);

/// The lock in `file`; without one the kiln.lock here, if the image was made from it. Says so where there is none.
base::Result<std::optional<lock::Lock>> find_lock(const std::string& file, const OpenedImage& opened,
                                                  Session& session);

}  // namespace torchkiln::cli
