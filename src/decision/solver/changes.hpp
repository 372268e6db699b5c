#pragma once
// Single changes to a request: taking a wish away, and what could stand in its place, nearest first. Internal to
// the room.

#include "decision/solver/model.hpp"

#include <string>
#include <vector>

namespace torchkiln::solver {

/// A wish replaced by another value, or taken away.
struct Change {
  Meaning wish;
  std::string value;      ///< as it would be given to the option; empty: the wish is taken away
  std::size_t steps = 0;  ///< how far the value is from the wish
};

/// The request without some of its wishes.
Request without(const Request& request, const std::vector<Meaning>& wishes);
/// The request with a change made.
Request with(const Request& request, const Change& change);
/// What could stand in the place of a wish, nearest first. Only values that the matrix knows.
std::vector<Change> changes_for(const Request& request, const matrix::Matrix& matrix, const Meaning& wish);

}  // namespace torchkiln::solver
