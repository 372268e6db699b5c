#include "decision/solver/catalogue.hpp"

#include "decision/solver/rules.hpp"

#include <algorithm>
#include <functional>

namespace torchkiln::solver {

namespace {

template <class T>
void sort_unique(std::vector<T>& values) {
  std::sort(values.begin(), values.end(), std::greater<>());
  values.erase(std::unique(values.begin(), values.end()), values.end());
}

template <class Rows, class T>
bool has(const Rows& rows, const T& value) {
  return std::find(rows.begin(), rows.end(), value) != rows.end();
}

/// Whether `a` is chosen before `b`. The matrix has builds newest first and, within a release, those of the default
/// index first, stable before experimental, the newest CUDA first: that order stays where this says nothing.
bool is_preferred(const matrix::Build& a, const matrix::Build& b, spec::Prefer prefer) {
  if (prefer == spec::Prefer::newest) {
    const auto key = [](const matrix::Build& build) { return tier(build) == 2; };
    if (key(a) != key(b)) return key(a) < key(b);
    if (a.pytorch != b.pytorch) return a.pytorch > b.pytorch;
    return *a.cuda > *b.cuda;
  }
  if (tier(a) != tier(b)) return tier(a) < tier(b);
  if (prefer != spec::Prefer::smallest) return false;
  // What is not known is never smaller.
  if (!a.download_bytes || !b.download_bytes) return a.download_bytes.has_value() && !b.download_bytes;
  return *a.download_bytes < *b.download_bytes;
}

void add_builds(Catalogue& catalogue, spec::Prefer prefer) {
  for (const auto& build : catalogue.matrix->builds)
    if (build.cuda && build.architecture == catalogue.architecture) catalogue.builds.push_back(&build);
  std::stable_sort(catalogue.builds.begin(), catalogue.builds.end(),
                   [&](const matrix::Build* a, const matrix::Build* b) { return is_preferred(*a, *b, prefer); });
  for (const auto* build : catalogue.builds) {
    catalogue.full_versions.push_back(build->full_version());
    catalogue.cudnn_rows.push_back(cudnn_row(*catalogue.matrix, *build));
    catalogue.cudas.push_back(*build->cuda);
    catalogue.cudnns.push_back(build->cudnn);
    catalogue.nccls.push_back(build->nccl);
  }
  sort_unique(catalogue.cudas);
  sort_unique(catalogue.cudnns);
  sort_unique(catalogue.nccls);
}

void add_systems_and_pythons(Catalogue& catalogue) {
  std::vector<std::string> tags;
  for (const auto* build : catalogue.builds)
    for (const auto& tag : build->python)
      if (!tag.ends_with('t')) tags.push_back(tag);
  for (const auto& system : catalogue.matrix->systems) {
    catalogue.systems.push_back(&system);
    tags.push_back(system.python);
  }
  sort_unique(tags);
  std::vector<std::pair<version::Version, std::string>> versions;
  for (const auto& tag : tags)
    if (auto parsed = version::Version::parse(tag)) versions.emplace_back(std::move(*parsed), tag);
  sort_unique(versions);
  for (auto& entry : versions) {
    catalogue.python_versions.push_back(std::move(entry.first));
    catalogue.pythons.push_back(std::move(entry.second));
  }
}

void add_relations(Catalogue& catalogue) {
  const auto& builds = catalogue.builds;
  const std::size_t count = builds.size();
  catalogue.cuda_of_build = make_table(count, catalogue.cudas.size(), [&](std::size_t build, std::size_t cuda) {
    return builds[build]->cuda == catalogue.cudas[cuda];
  });
  catalogue.cudnn_of_build = make_table(count, catalogue.cudnns.size(), [&](std::size_t build, std::size_t cudnn) {
    return builds[build]->cudnn == catalogue.cudnns[cudnn];
  });
  catalogue.nccl_of_build = make_table(count, catalogue.nccls.size(), [&](std::size_t build, std::size_t nccl) {
    return builds[build]->nccl == catalogue.nccls[nccl];
  });
  catalogue.python_of_build = make_table(
      count, catalogue.pythons.size(),
      [&](std::size_t build, std::size_t python) { return builds[build]->has_python(catalogue.pythons[python]); });
  catalogue.glibc_of_build = make_table(count, catalogue.systems.size(), [&](std::size_t build, std::size_t os) {
    return catalogue.systems[os]->glibc >= builds[build]->glibc;
  });
  catalogue.python_of_system =
      make_table(catalogue.systems.size(), catalogue.pythons.size(), [&](std::size_t os, std::size_t python) {
        return catalogue.systems[os]->python == catalogue.pythons[python];
      });
}

void add_companions(Catalogue& catalogue, std::string_view package) {
  Catalogue::Companions companions;
  companions.package = package;
  for (const auto& row : catalogue.matrix->companions)
    if (row.package == package) companions.rows.push_back(&row);
  std::stable_sort(companions.rows.begin(), companions.rows.end(),
                   [](const matrix::Companion* a, const matrix::Companion* b) { return a->release > b->release; });
  const std::size_t pairs = companions.rows.size();
  for (std::size_t i = 0; i < pairs; ++i)
    if (companions.rows[i]->torch) companions.rows.push_back(companions.rows[i]);
  companions.rows.push_back(nullptr);
  const auto& rows = companions.rows;
  companions.of_build = make_table(catalogue.builds.size(), rows.size(), [&](std::size_t build, std::size_t value) {
    const auto& pytorch = catalogue.builds[build]->pytorch;
    return !rows[value] || (value < pairs ? has(rows[value]->pytorch, pytorch) : accepts(*rows[value], pytorch));
  });
  companions.python = make_table(rows.size(), catalogue.pythons.size(), [&](std::size_t value, std::size_t python) {
    return !rows[value] || has(rows[value]->python, catalogue.pythons[python]);
  });
  catalogue.companions.push_back(std::move(companions));
}

}  // namespace

const Catalogue::Companions* Catalogue::find_companions(const std::string& package) const {
  for (const auto& entry : companions)
    if (entry.package == package) return &entry;
  return nullptr;
}

Catalogue make_catalogue(const matrix::Matrix& matrix, matrix::Architecture architecture, spec::Prefer prefer) {
  Catalogue catalogue;
  catalogue.matrix = &matrix;
  catalogue.architecture = architecture;
  add_builds(catalogue, prefer);
  add_systems_and_pythons(catalogue);
  add_relations(catalogue);
  for (const auto package : matrix::k_companions) add_companions(catalogue, package);
  return catalogue;
}

}  // namespace torchkiln::solver
