#include "decision/solver/rules.hpp"
#include "decision/solver/teller.hpp"
#include "decision/solver/words.hpp"

#include <algorithm>
#include <set>

#include <fmt/format.h>

namespace torchkiln::solver {

namespace {

/// More builds than this are counted, not listed.
constexpr std::size_t k_builds_listed = 2;

}  // namespace

void Teller::cite(Statement& statement, const matrix::Provenance& from) const {
  const auto* source = find_source(matrix(), from.source);
  statement.source = source_of(from);
  statement.origin = source ? source->title : from.source;
  statement.grade = from.grade;
  statement.date = from.date;
  statement.note = from.note;
}

bool Teller::in_core(Topic topic) const {
  return std::any_of(m_core.begin(), m_core.end(),
                     [&](std::size_t index) { return m_model.meanings[index].topic == topic; });
}

std::string Teller::releases() const {
  return releases_of(m_builds) + (in_core(Topic::index) ? " of the default index" : "");
}

void Teller::tell_index(Statement& statement) const {
  std::vector<std::string> builds;
  for (const auto* build : m_builds)
    if (build->index != "default") builds.push_back(build->full_version().to_string());
  const bool many = builds.size() > k_builds_listed;
  statement.statement = fmt::format("{} not on the default index, the only one to take packages from here",
                                    many ? fmt::format("{} builds that would do are", builds.size())
                                         : enumerated(builds) + (builds.size() == 1 ? " is" : " are"));
}

void Teller::tell_libraries(const Meaning& meaning, Statement& statement) const {
  std::set<std::string> seen;
  std::vector<std::string> values;
  const auto add = [&](const std::string& text) {
    if (seen.insert(text).second) values.push_back(text);
  };
  std::vector<const matrix::Build*> builds = m_builds;
  std::stable_sort(builds.begin(), builds.end(),
                   [](const matrix::Build* a, const matrix::Build* b) { return a->cuda < b->cuda; });
  if (meaning.topic == Topic::cuda_of_build) {
    for (const auto* build : builds) add(build->cuda->to_string());
    statement.statement = fmt::format("{} is built for CUDA {}", releases(), enumerated(values));
    return;
  }
  const bool cudnn = meaning.topic == Topic::cudnn_of_build;
  std::set<version::Version> versions;
  bool unknown = false;
  for (const auto* build : builds) {
    const auto& version = cudnn ? build->cudnn : build->nccl;
    if (version)
      versions.insert(*version);
    else
      unknown = true;
  }
  for (const auto& version : versions) add(version.to_string());
  if (unknown) add(values.empty() ? "an unknown version" : "unknown versions");
  statement.statement =
      fmt::format("{} comes with {} {}", releases(), cudnn ? "cuDNN" : "NCCL", enumerated(values));
}

void Teller::tell_kernels(const Meaning& meaning, Statement& statement) const {
  const matrix::NamedGpu& gpu = m_model.gpus[meaning.item];
  std::set<version::ComputeCapability> codes;
  std::vector<std::string> unknown;
  for (const auto* build : m_builds) {
    if (!build->sass) unknown.push_back(build->full_version().to_string());
    for (const auto code : build->sass.value_or(std::vector<version::ComputeCapability>{})) codes.insert(code);
  }
  std::string which = releases();
  std::set<std::string> variants;
  for (const auto* build : m_builds) variants.insert(build->variant);
  if (variants.size() == 1) which += " " + *variants.begin();
  if (codes.empty()) {
    statement.statement = fmt::format("which GPUs {} has code for is not known", which);
    return;
  }
  statement.statement = fmt::format("{} has code for {}: none for {}", which,
                                    enumerated(std::vector<version::ComputeCapability>(codes.begin(), codes.end())),
                                    gpu.compute.to_string());
  if (unknown.size() > k_builds_listed)
    statement.statement += fmt::format(" (not known of {} builds)", unknown.size());
  else if (!unknown.empty())
    statement.statement += fmt::format(" (not known of {})", enumerated(unknown));
}

void Teller::tell_cudnn(const Meaning& meaning, Statement& statement) const {
  const auto compute = m_model.gpus[meaning.item].compute;
  for (const auto* build : m_builds) {
    const auto* row = cudnn_row(matrix(), *build);
    if (!row || cudnn_serves(*row, compute)) continue;
    statement.statement =
        fmt::format("cuDNN {} of {} has code for {}: none for {}", build->cudnn->to_string(),
                    build->full_version().to_string(), enumerated(row->compute), compute.to_string());
    cite(statement, row->from);
    return;
  }
}

void Teller::tell_driver(const Meaning& meaning, Statement& statement) const {
  if (meaning.topic == Topic::driver_of_ptx) {
    const auto* toolkit = find_toolkit(matrix(), *m_builds.front()->cuda);
    statement.statement =
        fmt::format("{} has only PTX for {}, which driver {} or newer compiles", releases(),
                    m_model.gpus[meaning.item].compute.to_string(), toolkit ? toolkit->driver.to_string() : "?");
    if (toolkit) cite(statement, toolkit->from);
    return;
  }
  if (meaning.topic == Topic::compat_of_gpu) {
    statement.statement =
        fmt::format("forward compatibility is not offered for {}", gpu_in_words(m_model.gpus[meaning.item]));
    if (!matrix().forward_compat.empty()) cite(statement, matrix().forward_compat.front().from);
    return;
  }
  // The CUDA families that are left, each with its floor.
  std::vector<std::string> floors;
  std::set<unsigned> families;
  m_domains[*m_model.cuda].for_each(
      [&](std::size_t value) { families.insert(m_model.catalogue->cudas[value].major); });
  for (const unsigned major_number : families) {
    const auto* family = find_family(matrix(), major_number);
    if (!family) continue;
    floors.push_back(fmt::format("CUDA {} needs driver {} or newer", major_number, family->driver.to_string()));
    if (floors.size() == 1) cite(statement, family->from);
  }
  statement.statement = enumerated(floors);
}

void Teller::tell_driver_of_gpu(const Meaning& meaning, Statement& statement) const {
  const matrix::NamedGpu& gpu = m_model.gpus[meaning.item];
  const version::DriverVersion& driver = require().driver->value;
  if (const auto* branch = branch_that_dropped(matrix(), driver, gpu.compute)) {
    statement.statement =
        dropped_in_words(*branch, last_branch_for(matrix(), branch->branch, gpu.compute), gpu.compute);
    cite(statement, branch->from);
    return;
  }
  const auto first = first_driver(matrix(), gpu);
  statement.statement =
      fmt::format("{} needs driver {} or newer", gpu_in_words(gpu), first ? first->to_string() : "?");
  const auto* row = find_first_driver(matrix(), gpu.compute);
  const bool by_board = gpu.row && gpu.row->driver && first == gpu.row->driver;
  if (by_board)
    cite(statement, gpu.row->from);
  else if (row)
    cite(statement, row->from);
}

void Teller::tell_python(const Meaning& meaning, Statement& statement) const {
  if (meaning.topic == Topic::python_of_build) {
    std::vector<std::string> tags;
    for (const auto* build : m_builds)
      for (const auto& tag : build->python)
        if (!tag.ends_with('t')) tags.push_back(tag);
    statement.statement = fmt::format("{} has wheels for Python {}", releases(), pythons_in_words(std::move(tags)));
    return;
  }
  if (meaning.topic == Topic::python_of_system || meaning.topic == Topic::systems_unasked ||
      meaning.topic == Topic::glibc_of_build)
    return tell_systems(meaning, statement);
  // A companion: its release for the builds that are left, or the Pythons of its wheels.
  const std::string& package = m_model.packages[meaning.item]->name;
  const matrix::Companion* companion = nullptr;
  m_domains[m_model.companion[meaning.item]].for_each([&](std::size_t value) {
    if (!companion) companion = m_model.companions[meaning.item]->rows[value];
  });
  if (meaning.topic == Topic::python_of_package && companion) {
    statement.statement = fmt::format("{} {} has wheels for Python {}", package, companion->release.to_string(),
                                      pythons_in_words(companion->python));
    cite(statement, companion->from);
    return;
  }
  const auto* row = find_companion(matrix(), package, m_builds.front()->pytorch);
  statement.statement = row ? fmt::format("{} {} goes with PyTorch {}", package, row->release.to_string(),
                                          m_builds.front()->pytorch.to_string())
                            : fmt::format("no {} goes with {}", package, releases());
  if (row) cite(statement, row->from);
}

void Teller::tell_systems(const Meaning& meaning, Statement& statement) const {
  std::vector<std::string> systems;
  const matrix::OperatingSystem* first = nullptr;
  for (std::size_t value = 0; value < m_model.catalogue->systems.size(); ++value) {
    const matrix::OperatingSystem* system = m_model.catalogue->systems[value];
    const bool unasked = meaning.topic == Topic::systems_unasked;
    if (unasked ? system->choice == matrix::Choice::on_request : !m_domains[m_model.os].contains(value)) continue;
    if (!first) first = system;
    systems.push_back(meaning.topic == Topic::python_of_system ? system->id + " has Python " + system->python
                      : meaning.topic == Topic::glibc_of_build
                          ? system->id + " has glibc " + system->glibc.to_string()
                          : system->id);
  }
  if (first) cite(statement, first->from);
  statement.statement = enumerated(systems);
  if (meaning.topic == Topic::systems_unasked)
    statement.statement = "unless another is named, the image is made of " + statement.statement;
  if (meaning.topic == Topic::glibc_of_build)
    statement.statement = fmt::format("{} needs glibc {} or newer; {}", releases(),
                                      m_builds.front()->glibc.to_string(), statement.statement);
}

void Teller::tell_fact(const Meaning& meaning, Statement& statement) const {
  // The row of the best build that the others leave, unless the fact is about another kind of row.
  cite(statement, m_builds.front()->from);
  switch (meaning.topic) {
    case Topic::index:
      return tell_index(statement);
    case Topic::cuda_of_build:
    case Topic::cudnn_of_build:
    case Topic::nccl_of_build:
      return tell_libraries(meaning, statement);
    case Topic::kernels_of_build:
      return tell_kernels(meaning, statement);
    case Topic::gpus_of_cudnn:
      return tell_cudnn(meaning, statement);
    case Topic::driver_of_cuda:
    case Topic::driver_of_ptx:
    case Topic::compat_of_gpu:
      return tell_driver(meaning, statement);
    case Topic::driver_of_gpu:
      return tell_driver_of_gpu(meaning, statement);
    case Topic::broken:
      statement.statement = matrix().broken[meaning.item].what;
      return cite(statement, matrix().broken[meaning.item].from);
    default:
      return tell_python(meaning, statement);
  }
}

}  // namespace torchkiln::solver
