#pragma once
// The image that a spec's [base] names: opened wherever it is, its layers brought into the cache, and looked at as
// far as a lock has to know it.

#include "foundation/base/error.hpp"
#include "interface/cli/session.hpp"
#include "knowledge/matrix/matrix.hpp"
#include "plan/lock/make_lock.hpp"

#include <optional>

namespace torchkiln::cli {

/// The spec's base image; nothing where it names none. spec_invalid at its place when it is for another
/// architecture or of another system than the resolution says, or lacks the CUDA toolkit that the spec takes from
/// it.
base::Result<std::optional<lock::BaseImage>> open_base_image(const spec::Spec& spec,
                                                             const solver::Resolution& resolution,
                                                             Session& session);

/// Has the layers of the lock's base image in the cache. lock_invalid when the image is another by now.
base::Result<void> fetch_base_image(const spec::Spec& spec, const lock::Lock& lock, Session& session);

/// The matrix as the spec sees it: with a Python of its own, that is every system's.
matrix::Matrix with_python_of(const spec::Spec& spec, matrix::Matrix matrix);

}  // namespace torchkiln::cli
