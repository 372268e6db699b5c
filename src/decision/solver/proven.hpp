#pragma once
// What was proven on the GPUs of a request, as values of the catalogue's variables. Internal to the room.

#include "decision/solver/catalogue.hpp"
#include "decision/solver/solver.hpp"
#include "knowledge/matrix/query.hpp"

#include <cstddef>
#include <string>
#include <vector>

namespace torchkiln::solver {

/// A build, system and Python that passed its tests on every GPU asked for, with a driver no newer than the one
/// asked for.
struct ProvenCombination {
  std::size_t build = 0, os = 0, python = 0;  ///< values in the catalogue
  /// For each GPU asked for the newest proof; where none was asked for, the newest on any.
  std::vector<const matrix::Proof*> proofs;
  std::string date;  ///< of the oldest of them: since then all is proven
};

/// The most combinations that are looked at: the newest.
inline constexpr std::size_t k_proven_max = 256;

/// The newest first; those of one day in the order of the catalogue.
std::vector<ProvenCombination> proven_combinations(const Request& request, const Catalogue& catalogue,
                                                   const std::vector<matrix::NamedGpu>& gpus);

}  // namespace torchkiln::solver
