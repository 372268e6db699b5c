#pragma once
// What would make a pair run: each change is judged again before it is told. Internal to the room.

#include "decision/audit/reasons.hpp"

#include <string>
#include <vector>

namespace torchkiln::audit {

/// The build that the machine runs as it is, the one that the solver prefers; null when there is none.
const matrix::Build* newest_running(const Judge& judge, const MachineFacts& machine,
                                    matrix::Architecture architecture);

/// Changes to the machine, then to the image, then other releases: `newest` of newest_running(), and `other`, the
/// newest of the images that were asked about and run here (null: none).
std::vector<Fix> fixes_of(const Pair& pair, const matrix::Build* newest, const Image* other);

}  // namespace torchkiln::audit
