#include "decision/solver/model.hpp"

#include "decision/solver/rules.hpp"

#include <algorithm>
#include <numeric>

namespace torchkiln::solver {

namespace {

/// Builds a Model step by step: first the variables, then wishes and facts in the order of Topic.
class Modeller {
 public:
  Modeller(const Request& request, const matrix::Matrix& matrix) {
    m_model.request = &request;
    m_model.matrix = &matrix;
  }

  Model run() {
    values();
    variables();
    wishes();
    facts_of_builds();
    facts_of_drivers();
    facts_of_python();
    return std::move(m_model);
  }

 private:
  const Request& request() const { return *m_model.request; }
  const matrix::Matrix& matrix() const { return *m_model.matrix; }

  void values();
  void companion_values();
  void variables();
  void wishes();
  void facts_of_builds();
  void facts_of_drivers();
  void facts_of_python();

  std::size_t add_variable(std::size_t size) {
    m_model.problem.sizes.push_back(size);
    return m_model.problem.sizes.size() - 1;
  }
  /// A constraint on one variable: the values for which `holds` is true.
  template <class Holds>
  void add(Meaning meaning, std::size_t variable, Holds holds) {
    Constraint constraint;
    constraint.first = variable;
    constraint.allowed.emplace_back();
    for (std::size_t value = 0; value < m_model.problem.sizes[variable]; ++value)
      if (holds(value)) constraint.allowed.front().add(value);
    m_model.problem.constraints.push_back(std::move(constraint));
    m_model.meanings.push_back(meaning);
  }
  /// A constraint on two variables.
  template <class Holds>
  void add(Meaning meaning, std::size_t first, std::size_t second, Holds holds) {
    Constraint constraint;
    constraint.first = first;
    constraint.second = second;
    constraint.allowed.resize(m_model.problem.sizes[first]);
    for (std::size_t a = 0; a < constraint.allowed.size(); ++a)
      for (std::size_t b = 0; b < m_model.problem.sizes[second]; ++b)
        if (holds(a, b)) constraint.allowed[a].add(b);
    m_model.problem.constraints.push_back(std::move(constraint));
    m_model.meanings.push_back(meaning);
  }

  Model m_model;
};

template <class T>
void sort_unique(std::vector<T>& values) {
  std::sort(values.begin(), values.end(), std::greater<>());
  values.erase(std::unique(values.begin(), values.end()), values.end());
}

bool python_newer(const std::string& a, const std::string& b) {
  const auto version_a = version::Version::parse(a);
  const auto version_b = version::Version::parse(b);
  return version_a && version_b && *version_a > *version_b;
}

void Modeller::values() {
  for (const auto& build : matrix().builds) {
    if (!build.cuda || build.architecture != request().architecture) continue;
    m_model.builds.push_back(&build);
    m_model.cudas.push_back(*build.cuda);
    m_model.cudnns.push_back(build.cudnn);
    m_model.nccls.push_back(build.nccl);
    for (const auto& tag : build.python)
      if (!tag.ends_with('t')) m_model.pythons.push_back(tag);
  }
  // The matrix has them newest first, the default index and stable builds first within a release.
  std::stable_sort(m_model.builds.begin(), m_model.builds.end(),
                   [](const matrix::Build* a, const matrix::Build* b) { return tier(*a) < tier(*b); });
  sort_unique(m_model.cudas);
  sort_unique(m_model.cudnns);
  sort_unique(m_model.nccls);
  for (const auto& system : matrix().systems) {
    m_model.systems.push_back(&system);
    m_model.pythons.push_back(system.python);
  }
  std::sort(m_model.pythons.begin(), m_model.pythons.end(), python_newer);
  m_model.pythons.erase(std::unique(m_model.pythons.begin(), m_model.pythons.end()), m_model.pythons.end());
  for (const auto& wish : request().require.gpus) {
    auto gpu = find_gpu(matrix(), wish.value);
    TK_ASSERT(gpu, "request_of refuses GPUs that the matrix does not know");
    m_model.gpus.push_back(std::move(*gpu));
  }
  companion_values();
}

void Modeller::companion_values() {
  for (const auto& package : request().packages) {
    if (package.name != "torchvision" && package.name != "torchaudio") continue;
    std::vector<const matrix::Companion*> rows;
    for (const auto& companion : matrix().companions)
      if (companion.package == package.name) rows.push_back(&companion);
    std::stable_sort(rows.begin(), rows.end(), [](const matrix::Companion* a, const matrix::Companion* b) {
      return a->release > b->release;
    });
    rows.push_back(nullptr);
    m_model.companions.push_back(std::move(rows));
    m_model.packages.push_back(&package);
  }
}

void Modeller::variables() {
  const spec::Requirements& require = request().require;
  m_model.build = add_variable(m_model.builds.size());
  m_model.os = add_variable(m_model.systems.size());
  m_model.python = add_variable(m_model.pythons.size());
  if (require.driver) m_model.driver = add_variable(k_driver_values);
  for (std::size_t i = 0; i < m_model.gpus.size(); ++i) m_model.gpu.push_back(add_variable(k_gpu_values));
  for (const auto& rows : m_model.companions) m_model.companion.push_back(add_variable(rows.size()));
  if (require.cuda || require.driver) m_model.cuda = add_variable(m_model.cudas.size());
  if (require.cudnn) m_model.cudnn = add_variable(m_model.cudnns.size());
  if (require.nccl) m_model.nccl = add_variable(m_model.nccls.size());
}

void Modeller::wishes() {
  const spec::Requirements& require = request().require;
  const auto& model = m_model;
  if (require.pytorch)
    add({Topic::pytorch}, model.build,
        [&](std::size_t value) { return require.pytorch->value.contains(model.builds[value]->full_version()); });
  for (std::size_t i = 0; i < model.gpus.size(); ++i)
    add({Topic::gpu, i}, model.gpu[i], [](std::size_t value) { return value != k_no_gpu; });
  if (require.driver) add({Topic::driver}, *model.driver, [](std::size_t value) { return value != k_any_driver; });
  if (require.cuda)
    add({Topic::cuda}, *model.cuda,
        [&](std::size_t value) { return require.cuda->value.contains(model.cudas[value].as_version()); });
  const auto library = [&](Topic topic, const auto& wish, const std::optional<std::size_t>& variable,
                           const auto& known) {
    if (!wish) return;
    add({topic}, *variable, [&](std::size_t value) { return known[value] && wish->value.contains(*known[value]); });
  };
  library(Topic::cudnn, require.cudnn, model.cudnn, model.cudnns);
  library(Topic::nccl, require.nccl, model.nccl, model.nccls);
  if (require.python)
    add({Topic::python}, model.python, [&](std::size_t value) {
      const auto tag = version::Version::parse(model.pythons[value]);
      return tag && require.python->value.contains(*tag);
    });
  if (require.os)
    add({Topic::os}, model.os, [&](std::size_t value) { return model.systems[value]->id == require.os->value; });
  for (std::size_t i = 0; i < model.packages.size(); ++i)
    add({Topic::package, i}, model.companion[i], [&](std::size_t value) {
      const auto* row = model.companions[i][value];
      return row && model.packages[i]->versions.contains(row->release);
    });
  if (request().indexes == Indexes::default_only)
    add({Topic::index}, model.build, [&](std::size_t value) { return model.builds[value]->index == "default"; });
}

void Modeller::facts_of_builds() {
  const auto& model = m_model;
  if (model.cuda)
    add({Topic::cuda_of_build}, model.build, *model.cuda,
        [&](std::size_t build, std::size_t cuda) { return model.builds[build]->cuda == model.cudas[cuda]; });
  if (model.cudnn)
    add({Topic::cudnn_of_build}, model.build, *model.cudnn,
        [&](std::size_t build, std::size_t cudnn) { return model.builds[build]->cudnn == model.cudnns[cudnn]; });
  if (model.nccl)
    add({Topic::nccl_of_build}, model.build, *model.nccl,
        [&](std::size_t build, std::size_t nccl) { return model.builds[build]->nccl == model.nccls[nccl]; });
  for (std::size_t i = 0; i < model.gpus.size(); ++i)
    add({Topic::kernels_of_build, i}, model.build, model.gpu[i], [&](std::size_t build, std::size_t mode) {
      const auto compute = model.gpus[i].compute;
      if (mode == k_sass) return has_sass(*model.builds[build], compute);
      if (mode == k_ptx_jit) return has_ptx(*model.builds[build], compute);
      return true;
    });
  for (std::size_t i = 0; i < model.gpus.size(); ++i)
    add({Topic::gpus_of_cudnn, i}, model.build, model.gpu[i], [&](std::size_t build, std::size_t mode) {
      if (mode == k_no_gpu) return true;
      const auto* row = cudnn_row(matrix(), *model.builds[build]);
      return !row || cudnn_serves(*row, model.gpus[i].compute);
    });
}

void Modeller::facts_of_drivers() {
  const auto& model = m_model;
  if (!model.driver) return;
  const version::DriverVersion& driver = request().require.driver->value;
  const bool compat = request().forward_compat == ForwardCompat::allowed;
  add({Topic::driver_of_cuda}, *model.cuda, *model.driver, [&](std::size_t cuda, std::size_t value) {
    if (value == k_any_driver) return true;
    if (value == k_forward_compat) return compat && compat_package(matrix(), model.cudas[cuda], driver) != nullptr;
    const auto mode = driver_mode(matrix(), model.cudas[cuda], driver);
    return mode && value == static_cast<std::size_t>(*mode);
  });
  for (std::size_t i = 0; i < model.gpus.size(); ++i) {
    if (!drives(matrix(), driver, model.gpus[i]))
      add({Topic::driver_of_gpu, i}, model.gpu[i], *model.driver,
          [](std::size_t mode, std::size_t value) { return mode == k_no_gpu || value == k_any_driver; });
    add({Topic::driver_of_ptx, i}, model.gpu[i], *model.driver,
        [](std::size_t mode, std::size_t value) { return mode != k_ptx_jit || value != k_minor_version; });
    if (compat && !may_use_compat_package(model.gpus[i]))
      add({Topic::compat_of_gpu, i}, model.gpu[i], *model.driver,
          [](std::size_t mode, std::size_t value) { return mode == k_no_gpu || value != k_forward_compat; });
  }
}

void Modeller::facts_of_python() {
  const auto& model = m_model;
  add({Topic::python_of_build}, model.build, model.python, [&](std::size_t build, std::size_t python) {
    return model.builds[build]->has_python(model.pythons[python]);
  });
  const auto has = [](const auto& list, const auto& value) {
    return std::find(list.begin(), list.end(), value) != list.end();
  };
  for (std::size_t i = 0; i < model.packages.size(); ++i) {
    add({Topic::package_of_build, i}, model.build, model.companion[i], [&](std::size_t build, std::size_t value) {
      const auto* row = model.companions[i][value];
      return !row || has(row->pytorch, model.builds[build]->pytorch);
    });
    add({Topic::python_of_package, i}, model.companion[i], model.python,
        [&](std::size_t value, std::size_t python) {
          const auto* row = model.companions[i][value];
          return !row || has(row->python, model.pythons[python]);
        });
  }
  add({Topic::glibc_of_build}, model.build, model.os,
      [&](std::size_t build, std::size_t os) { return model.systems[os]->glibc >= model.builds[build]->glibc; });
  if (!request().require.os)
    add({Topic::systems_unasked}, model.os,
        [&](std::size_t value) { return model.systems[value]->choice != matrix::Choice::on_request; });
  add({Topic::python_of_system}, model.os, model.python,
      [&](std::size_t os, std::size_t python) { return model.systems[os]->python == model.pythons[python]; });
}

}  // namespace

Active Model::all() const {
  Active active(problem.constraints.size());
  std::iota(active.begin(), active.end(), 0);
  return active;
}

Model make_model(const Request& request, const matrix::Matrix& matrix) {
  return Modeller(request, matrix).run();
}

}  // namespace torchkiln::solver
