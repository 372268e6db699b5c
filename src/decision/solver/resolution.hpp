#pragma once
// From a solved model to the Resolution that is shown and locked. Internal to the room.

#include "decision/solver/model.hpp"

namespace torchkiln::solver {

Resolution make_resolution(const Model& model, const std::vector<std::size_t>& assignment);

}  // namespace torchkiln::solver
