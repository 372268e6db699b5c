#include "decision/solver/proven.hpp"

#include "decision/solver/rules.hpp"

#include <algorithm>
#include <map>
#include <tuple>

namespace torchkiln::solver {

namespace {

/// Build, system and Python.
using Values = std::tuple<std::size_t, std::size_t, std::size_t>;

std::vector<Values> values_of(const matrix::Proof& proof, const Catalogue& catalogue) {
  std::vector<Values> values;
  for (std::size_t build = 0; build < catalogue.builds.size(); ++build) {
    const auto& row = *catalogue.builds[build];
    if (row.pytorch != proof.pytorch || row.variant != proof.variant) continue;
    for (std::size_t os = 0; os < catalogue.systems.size(); ++os)
      for (std::size_t python = 0; python < catalogue.pythons.size(); ++python)
        if (catalogue.systems[os]->id == proof.system && catalogue.pythons[python] == proof.python)
          values.emplace_back(build, os, python);
  }
  return values;
}

}  // namespace

std::vector<ProvenCombination> proven_combinations(const Request& request, const Catalogue& catalogue,
                                                   const std::vector<matrix::NamedGpu>& gpus) {
  // The matrix has proofs newest first: the first for a GPU is its newest.
  std::map<Values, std::vector<const matrix::Proof*>> found;
  const std::size_t wanted = std::max<std::size_t>(gpus.size(), 1);
  for (const auto& proof : catalogue.matrix->proofs) {
    if (proof.architecture != catalogue.architecture) continue;
    if (request.require.driver && proof.driver > request.require.driver->value) continue;
    std::vector<std::size_t> places;
    for (std::size_t i = 0; i < wanted; ++i)
      if (gpus.empty() || is_on(*catalogue.matrix, proof, gpus[i])) places.push_back(i);
    if (places.empty()) continue;
    for (const auto& values : values_of(proof, catalogue)) {
      auto& proofs = found.try_emplace(values, wanted).first->second;
      for (const auto place : places)
        if (!proofs[place]) proofs[place] = &proof;
    }
  }
  std::vector<ProvenCombination> combinations;
  for (auto& [values, proofs] : found) {
    if (std::count(proofs.begin(), proofs.end(), nullptr) != 0) continue;
    const auto oldest = std::min_element(proofs.begin(), proofs.end(),
                                         [](const auto* a, const auto* b) { return a->from.date < b->from.date; });
    const std::string date = (*oldest)->from.date;
    combinations.push_back(
        {std::get<0>(values), std::get<1>(values), std::get<2>(values), std::move(proofs), date});
  }
  std::stable_sort(combinations.begin(), combinations.end(),
                   [](const ProvenCombination& a, const ProvenCombination& b) { return a.date > b.date; });
  if (combinations.size() > k_proven_max) combinations.resize(k_proven_max);
  return combinations;
}

}  // namespace torchkiln::solver
