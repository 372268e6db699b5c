#pragma once
// The nearest changes to a request that has no answer, each solved again. Internal to the room.

#include "decision/solver/catalogue.hpp"
#include "decision/solver/solver.hpp"

#include <vector>

namespace torchkiln::solver {

/// At most k_fixes_max fixes, fewest steps first: a step is one known value on the way from the wish to its
/// replacement (a PyTorch minor release, a CUDA version, a driver branch, …); a second change, a package or GPU
/// less and another GPU count as many, in this order.
std::vector<Fix> fixes_of(const Request& request, const Catalogue& catalogue);

/// The command line that asks for `request` with `overrides` instead of what it says.
std::string command_of(const Request& request, const spec::Overrides& overrides,
                       std::string command = "torchkiln resolve");

}  // namespace torchkiln::solver
