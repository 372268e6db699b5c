#include "decision/solver/explain.hpp"

#include "decision/solver/rules.hpp"
#include "decision/solver/words.hpp"

#include <algorithm>
#include <set>

#include <fmt/format.h>

namespace torchkiln::solver {

namespace {

/// More builds than this are counted, not listed.
constexpr std::size_t k_builds_listed = 2;

/// Tells the statements of one core.
class Teller {
 public:
  Teller(const Model& model, const Active& core) : m_model(model), m_core(core) {}

  Statement tell(std::size_t constraint) {
    // What the other statements leave open is what this one is about. It has a solution, since the core is minimal.
    Active others = m_core;
    std::erase(others, constraint);
    auto domains = propagate(m_model.problem, others);
    TK_ASSERT(domains, "a core that is minimal has solutions without any one of its constraints");
    m_domains = std::move(*domains);
    m_builds.clear();
    m_domains[m_model.build].for_each(
        [&](std::size_t value) { m_builds.push_back(m_model.catalogue->builds[value]); });
    const Meaning& meaning = m_model.meanings[constraint];
    Statement statement;
    statement.kind = is_wish(meaning.topic) ? Statement::Kind::wish : Statement::Kind::fact;
    if (is_wish(meaning.topic))
      tell_wish(meaning, statement);
    else
      tell_fact(meaning, statement);
    return statement;
  }

 private:
  const spec::Requirements& require() const { return m_model.request->require; }
  const matrix::Matrix& matrix() const { return m_model.matrix(); }
  bool in_core(Topic topic) const {
    return std::any_of(m_core.begin(), m_core.end(),
                       [&](std::size_t index) { return m_model.meanings[index].topic == topic; });
  }
  /// "PyTorch 2.8.0", and of which index where that is one of the reasons.
  std::string releases() const {
    return releases_of(m_builds) + (in_core(Topic::index) ? " of the default index" : "");
  }

  void tell_wish(const Meaning& meaning, Statement& statement) const;
  std::string unknown_pytorch() const;
  void tell_fact(const Meaning& meaning, Statement& statement) const;
  void tell_index(Statement& statement) const;
  void tell_libraries(const Meaning& meaning, Statement& statement) const;
  void tell_kernels(const Meaning& meaning, Statement& statement) const;
  void tell_cudnn(const Meaning& meaning, Statement& statement) const;
  void tell_driver(const Meaning& meaning, Statement& statement) const;
  void tell_driver_of_gpu(const Meaning& meaning, Statement& statement) const;
  void tell_python(const Meaning& meaning, Statement& statement) const;

  const Model& m_model;
  const Active& m_core;
  std::vector<ValueSet> m_domains;
  std::vector<const matrix::Build*> m_builds;  ///< those that the other statements leave
};

/// A requirement on versions as the user wrote it.
template <class T>
std::string said(std::string_view what, const spec::Placed<T>& wish) {
  return fmt::format("{} {}", what, wish.value.text());
}

std::string phrase(const Model& model, const Meaning& meaning) {
  const spec::Requirements& require = model.request->require;
  switch (meaning.topic) {
    case Topic::pytorch:
      return said("PyTorch", *require.pytorch);
    case Topic::cuda:
      return said("CUDA", *require.cuda);
    case Topic::cudnn:
      return said("cuDNN", *require.cudnn);
    case Topic::nccl:
      return said("NCCL", *require.nccl);
    case Topic::python:
      return said("Python", *require.python);
    case Topic::os:
      return require.os->value;
    case Topic::driver:
      return "driver " + require.driver->value.to_string();
    case Topic::gpu:
      return model.gpus[meaning.item].row ? "GPU " + model.gpus[meaning.item].name
                                          : "a GPU of " + gpu_in_words(model.gpus[meaning.item]);
    default:
      return model.packages[meaning.item]->text;
  }
}

std::string Teller::unknown_pytorch() const {
  std::vector<const matrix::Build*> same_release;
  for (const auto* build : m_model.catalogue->builds)
    if (require().pytorch->value.names_local() && require().pytorch->value.anchor() &&
        build->pytorch == require().pytorch->value.anchor()->without_local())
      same_release.push_back(build);
  if (same_release.empty())
    return fmt::format("the manifests know {} for {}", releases_of(m_model.catalogue->builds),
                       name(m_model.request->architecture));
  std::vector<std::string> variants;
  for (const auto* build : same_release) variants.push_back(build->variant);
  return fmt::format("{} comes as {}", releases_of(same_release), enumerated(variants));
}

void Teller::tell_wish(const Meaning& meaning, Statement& statement) const {
  const std::string wish = phrase(m_model, meaning);
  const auto say = [&](std::string text, const base::Place& place) {
    statement.statement = std::move(text);
    statement.source = place.to_string();
  };
  const bool alone = m_core.size() == 1;
  switch (meaning.topic) {
    case Topic::pytorch:
      return say(alone ? fmt::format("{} is required; {}", wish, unknown_pytorch()) : wish + " is required",
                 require().pytorch->place);
    case Topic::gpu:
      return say(gpu_in_words(m_model.gpus[meaning.item]) + " must be served", require().gpus[meaning.item].place);
    case Topic::driver:
      return say(wish + " must be enough", require().driver->place);
    case Topic::cuda: {
      std::vector<std::string> known;
      for (auto cuda = m_model.catalogue->cudas.rbegin(); cuda != m_model.catalogue->cudas.rend(); ++cuda)
        known.push_back(cuda->to_string());
      return say(alone ? fmt::format("{} is required; PyTorch is built for {}", wish, enumerated(known))
                       : wish + " is required",
                 require().cuda->place);
    }
    case Topic::cudnn:
      return say(wish + " is required" + (alone ? "; no build has it" : ""), require().cudnn->place);
    case Topic::nccl:
      return say(wish + " is required" + (alone ? "; no build has it" : ""), require().nccl->place);
    case Topic::python:
      return say(alone ? fmt::format("{} is required; the manifests know {}", wish,
                                     pythons_in_words(m_model.catalogue->pythons))
                       : wish + " is required",
                 require().python->place);
    case Topic::os:
      return say(wish + " is required", require().os->place);
    default:
      return say(wish + " must be installed" + (alone ? "; there is no such release" : ""),
                 m_model.packages[meaning.item]->place);
  }
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
    statement.source = source_of(row->from);
    return;
  }
}

void Teller::tell_driver(const Meaning& meaning, Statement& statement) const {
  if (meaning.topic == Topic::driver_of_ptx) {
    const auto* toolkit = find_toolkit(matrix(), *m_builds.front()->cuda);
    statement.statement =
        fmt::format("{} has only PTX for {}, which driver {} or newer compiles", releases(),
                    m_model.gpus[meaning.item].compute.to_string(), toolkit ? toolkit->driver.to_string() : "?");
    statement.source = toolkit ? source_of(toolkit->from) : source_of(m_builds.front()->from);
    return;
  }
  if (meaning.topic == Topic::compat_of_gpu) {
    statement.statement =
        fmt::format("forward compatibility is not offered for {}", gpu_in_words(m_model.gpus[meaning.item]));
    if (!matrix().forward_compat.empty()) statement.source = source_of(matrix().forward_compat.front().from);
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
    if (statement.source.empty() || statement.source == source_of(m_builds.front()->from))
      statement.source = source_of(family->from);
  }
  statement.statement = enumerated(floors);
}

void Teller::tell_driver_of_gpu(const Meaning& meaning, Statement& statement) const {
  const matrix::NamedGpu& gpu = m_model.gpus[meaning.item];
  const version::DriverVersion& driver = require().driver->value;
  if (const auto* branch = branch_that_dropped(matrix(), driver, gpu.compute)) {
    const auto* last = last_branch_for(matrix(), branch->branch, gpu.compute);
    statement.statement = fmt::format("driver branch R{} drives no GPU below compute capability {}", branch->branch,
                                      branch->oldest_gpu->to_string());
    if (last)
      statement.statement += fmt::format("; R{} was the last for {}", last->branch, gpu.compute.to_string());
    statement.source = source_of(branch->from);
    return;
  }
  const auto first = first_driver(matrix(), gpu);
  statement.statement =
      fmt::format("{} needs driver {} or newer", gpu_in_words(gpu), first ? first->to_string() : "?");
  const auto* row = find_first_driver(matrix(), gpu.compute);
  const bool by_board = gpu.row && gpu.row->driver && first == gpu.row->driver;
  if (by_board)
    statement.source = source_of(gpu.row->from);
  else if (row)
    statement.source = source_of(row->from);
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
      meaning.topic == Topic::glibc_of_build) {
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
    if (first) statement.source = source_of(first->from);
    statement.statement = enumerated(systems);
    if (meaning.topic == Topic::systems_unasked)
      statement.statement = "unless another is named, the image is made of " + statement.statement;
    if (meaning.topic == Topic::glibc_of_build)
      statement.statement = fmt::format("{} needs glibc {} or newer; {}", releases(),
                                        m_builds.front()->glibc.to_string(), statement.statement);
    return;
  }
  // A companion: its release for the builds that are left, or the Pythons of its wheels.
  const std::string& package = m_model.packages[meaning.item]->name;
  const matrix::Companion* companion = nullptr;
  m_domains[m_model.companion[meaning.item]].for_each([&](std::size_t value) {
    if (!companion) companion = m_model.companions[meaning.item]->rows[value];
  });
  if (meaning.topic == Topic::python_of_package && companion) {
    statement.statement = fmt::format("{} {} has wheels for Python {}", package, companion->release.to_string(),
                                      pythons_in_words(companion->python));
    statement.source = source_of(companion->from);
    return;
  }
  const auto* row = find_companion(matrix(), package, m_builds.front()->pytorch);
  statement.statement = row ? fmt::format("{} {} goes with PyTorch {}", package, row->release.to_string(),
                                          m_builds.front()->pytorch.to_string())
                            : fmt::format("no {} goes with {}", package, releases());
  if (row) statement.source = source_of(row->from);
}

void Teller::tell_fact(const Meaning& meaning, Statement& statement) const {
  // The row of the best build that the others leave, unless the fact is about another kind of row.
  statement.source = source_of(m_builds.front()->from);
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
    default:
      return tell_python(meaning, statement);
  }
}

}  // namespace

Active core_of(const Model& model) {
  Active core = minimal_core(model.problem, model.all());
  std::sort(core.begin(), core.end());
  return core;
}

std::vector<Statement> statements_of(const Model& model, const Active& core) {
  std::vector<Statement> statements;
  Teller teller(model, core);
  for (const std::size_t index : core) statements.push_back(teller.tell(index));
  return statements;
}

std::string summary_of(const Model& model, const Active& core) {
  std::vector<std::string> wishes;
  for (const std::size_t index : core)
    if (is_wish(model.meanings[index].topic)) wishes.push_back(phrase(model, model.meanings[index]));
  if (wishes.empty()) return "the manifests hold no combination at all";
  if (wishes.size() == 1) return wishes.front() + " cannot be had";
  return enumerated(wishes) + " do not go together";
}

}  // namespace torchkiln::solver
