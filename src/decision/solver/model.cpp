#include "decision/solver/model.hpp"

#include "decision/solver/rules.hpp"

#include <algorithm>
#include <numeric>

namespace torchkiln::solver {

namespace {

/// Builds a Model step by step: first the variables, then wishes and facts in the order of Topic.
class Modeller {
 public:
  Modeller(const Request& request, const Catalogue& catalogue) : m_request(request), m_catalogue(catalogue) {
    m_model.request = &request;
    m_model.catalogue = &catalogue;
  }

  Model run() {
    variables();
    wishes();
    facts_of_builds();
    facts_of_drivers();
    facts_of_python();
    for (std::size_t row = 0; row < matrix().broken.size(); ++row) broken(row);
    proven();
    return std::move(m_model);
  }

 private:
  void variables();
  void wishes();
  void facts_of_builds();
  void facts_of_drivers();
  void facts_of_python();
  void broken(std::size_t row);
  void proven();
  void forbid(std::size_t row, std::vector<std::pair<std::size_t, ValueSet>> together);

  const matrix::Matrix& matrix() const { return *m_catalogue.matrix; }
  std::size_t size(std::size_t variable) const { return m_model.problem.sizes[variable]; }
  std::size_t add_variable(std::size_t values) {
    m_model.problem.sizes.push_back(values);
    return m_model.problem.sizes.size() - 1;
  }
  void add(Meaning meaning, Constraint constraint) {
    m_model.problem.constraints.push_back(std::move(constraint));
    m_model.meanings.push_back(meaning);
  }
  /// A constraint on one variable: the values for which `holds` is true.
  template <class Holds>
  void only(Meaning meaning, std::size_t variable, Holds holds) {
    add(meaning, {variable, std::nullopt,
                  make_table(1, size(variable), [&](std::size_t, std::size_t value) { return holds(value); })});
  }
  /// A constraint on two variables that depends on the request.
  template <class Holds>
  void pairs(Meaning meaning, std::size_t first, std::size_t second, Holds holds) {
    add(meaning, {first, second, make_table(size(first), size(second), holds)});
  }

  const Request& m_request;
  const Catalogue& m_catalogue;
  Model m_model;
};

void Modeller::variables() {
  const spec::Requirements& require = m_request.require;
  for (const auto& wish : require.gpus) {
    auto gpu = find_gpu(matrix(), wish.value);
    TK_ASSERT(gpu, "request_of refuses GPUs that the matrix does not know");
    m_model.gpus.push_back(std::move(*gpu));
  }
  if (m_request.prefer == spec::Prefer::proven) {
    m_model.proven = proven_combinations(m_request, m_catalogue, m_model.gpus);
    m_model.proof = add_variable(m_model.proven.size() + 1);
  }
  m_model.build = add_variable(m_catalogue.builds.size());
  m_model.os = add_variable(m_catalogue.systems.size());
  m_model.python = add_variable(m_catalogue.pythons.size());
  if (require.driver) m_model.driver = add_variable(k_driver_values);
  for (std::size_t i = 0; i < m_model.gpus.size(); ++i) m_model.gpu.push_back(add_variable(k_gpu_values));
  for (const auto& package : m_request.packages) {
    const auto* companions = m_catalogue.find_companions(package.name);
    if (!companions) continue;
    m_model.companions.push_back(companions);
    m_model.packages.push_back(&package);
    m_model.companion.push_back(add_variable(companions->rows.size()));
  }
  if (require.cuda || require.driver) m_model.cuda = add_variable(m_catalogue.cudas.size());
  if (require.cudnn) m_model.cudnn = add_variable(m_catalogue.cudnns.size());
  if (require.nccl) m_model.nccl = add_variable(m_catalogue.nccls.size());
}

void Modeller::wishes() {
  const spec::Requirements& require = m_request.require;
  if (require.pytorch) {
    const auto& wanted = require.pytorch->value;
    const bool by_build = wanted.names_local();
    only({Topic::pytorch}, m_model.build, [&](std::size_t value) {
      return wanted.contains(by_build ? m_catalogue.full_versions[value] : m_catalogue.builds[value]->pytorch);
    });
  }
  for (std::size_t i = 0; i < m_model.gpus.size(); ++i)
    only({Topic::gpu, i}, m_model.gpu[i], [](std::size_t value) { return value != k_no_gpu; });
  if (require.driver)
    only({Topic::driver}, *m_model.driver, [](std::size_t value) { return value != k_any_driver; });
  if (require.cuda)
    only({Topic::cuda}, *m_model.cuda,
         [&](std::size_t value) { return require.cuda->value.contains(m_catalogue.cudas[value].as_version()); });
  const auto library = [&](Topic topic, const auto& wish, const auto& variable, const auto& known) {
    if (wish)
      only({topic}, *variable,
           [&](std::size_t value) { return known[value] && wish->value.contains(*known[value]); });
  };
  library(Topic::cudnn, require.cudnn, m_model.cudnn, m_catalogue.cudnns);
  library(Topic::nccl, require.nccl, m_model.nccl, m_catalogue.nccls);
  if (require.python)
    only({Topic::python}, m_model.python,
         [&](std::size_t value) { return require.python->value.contains(m_catalogue.python_versions[value]); });
  if (require.os)
    only({Topic::os}, m_model.os,
         [&](std::size_t value) { return m_catalogue.systems[value]->id == require.os->value; });
  for (std::size_t i = 0; i < m_model.packages.size(); ++i)
    only({Topic::package, i}, m_model.companion[i], [&](std::size_t value) {
      const auto* row = m_model.companions[i]->rows[value];
      return row && m_model.packages[i]->versions.contains(row->release);
    });
  if (m_request.indexes == Indexes::default_only)
    only({Topic::index}, m_model.build,
         [&](std::size_t value) { return m_catalogue.builds[value]->index == "default"; });
}

void Modeller::facts_of_builds() {
  if (m_model.cuda) add({Topic::cuda_of_build}, {m_model.build, m_model.cuda, m_catalogue.cuda_of_build});
  if (m_model.cudnn) add({Topic::cudnn_of_build}, {m_model.build, m_model.cudnn, m_catalogue.cudnn_of_build});
  if (m_model.nccl) add({Topic::nccl_of_build}, {m_model.build, m_model.nccl, m_catalogue.nccl_of_build});
  for (std::size_t i = 0; i < m_model.gpus.size(); ++i)
    pairs({Topic::kernels_of_build, i}, m_model.build, m_model.gpu[i], [&](std::size_t build, std::size_t mode) {
      const auto compute = m_model.gpus[i].compute;
      if (mode == k_sass) return has_sass(*m_catalogue.builds[build], compute);
      if (mode == k_ptx_jit) return has_ptx(*m_catalogue.builds[build], compute);
      return true;
    });
  for (std::size_t i = 0; i < m_model.gpus.size(); ++i)
    pairs({Topic::gpus_of_cudnn, i}, m_model.build, m_model.gpu[i], [&](std::size_t build, std::size_t mode) {
      const auto* row = m_catalogue.cudnn_rows[build];
      return mode == k_no_gpu || !row || cudnn_serves(*row, m_model.gpus[i].compute);
    });
}

void Modeller::facts_of_drivers() {
  if (!m_model.driver) return;
  const version::DriverVersion& driver = m_request.require.driver->value;
  const bool compat = m_request.forward_compat == ForwardCompat::allowed;
  pairs({Topic::driver_of_cuda}, *m_model.cuda, *m_model.driver, [&](std::size_t cuda, std::size_t value) {
    if (value == k_any_driver) return true;
    if (value == k_forward_compat) return compat && compat_package(matrix(), m_catalogue.cudas[cuda], driver);
    const auto mode = driver_mode(matrix(), m_catalogue.cudas[cuda], driver);
    return mode && value == static_cast<std::size_t>(*mode);
  });
  for (std::size_t i = 0; i < m_model.gpus.size(); ++i) {
    if (!drives(matrix(), driver, m_model.gpus[i]))
      pairs({Topic::driver_of_gpu, i}, m_model.gpu[i], *m_model.driver,
            [](std::size_t mode, std::size_t value) { return mode == k_no_gpu || value == k_any_driver; });
    pairs({Topic::driver_of_ptx, i}, m_model.gpu[i], *m_model.driver,
          [](std::size_t mode, std::size_t value) { return mode != k_ptx_jit || value != k_minor_version; });
    if (compat && !may_use_compat_package(m_model.gpus[i]))
      pairs({Topic::compat_of_gpu, i}, m_model.gpu[i], *m_model.driver,
            [](std::size_t mode, std::size_t value) { return mode == k_no_gpu || value != k_forward_compat; });
  }
}

void Modeller::facts_of_python() {
  add({Topic::python_of_build}, {m_model.build, m_model.python, m_catalogue.python_of_build});
  for (std::size_t i = 0; i < m_model.packages.size(); ++i) {
    add({Topic::package_of_build, i}, {m_model.build, m_model.companion[i], m_model.companions[i]->of_build});
    add({Topic::python_of_package, i}, {m_model.companion[i], m_model.python, m_model.companions[i]->python});
  }
  add({Topic::glibc_of_build}, {m_model.build, m_model.os, m_catalogue.glibc_of_build});
  // Says nothing beside a wish for one system; it counts where that wish is taken away to see what would help.
  only({Topic::systems_unasked}, m_model.os, [&](std::size_t value) {
    const auto& system = *m_catalogue.systems[value];
    const auto& wish = m_request.require.os;
    return system.choice != matrix::Choice::on_request || (wish && system.id == wish->value);
  });
  add({Topic::python_of_system}, {m_model.os, m_model.python, m_catalogue.python_of_system});
}

/// Forbids what a broken row says, once for each GPU and package of the request that it is about.
void Modeller::broken(std::size_t row) {
  const matrix::Broken& broken = matrix().broken[row];
  const auto values_where = [&](std::size_t variable, auto holds) {
    ValueSet set;
    for (std::size_t value = 0; value < size(variable); ++value)
      if (holds(value)) set.add(value);
    return std::pair(variable, set);
  };
  using Parts = std::vector<std::pair<std::size_t, ValueSet>>;
  const Parts about_build = {
      values_where(m_model.build, [&](std::size_t value) { return broken.is_about(*m_catalogue.builds[value]); })};
  std::vector<Parts> cases = {about_build};
  // Each further condition multiplies the cases by what of the request it is about.
  const auto extend = [&](const Parts& choices) {
    std::vector<Parts> extended;
    for (const auto& so_far : cases)
      for (const auto& choice : choices) {
        extended.push_back(so_far);
        extended.back().push_back(choice);
      }
    cases = std::move(extended);
  };
  if (!broken.python.is_empty())
    extend({values_where(m_model.python, [&](std::size_t value) {
      return broken.python.contains(m_catalogue.python_versions[value]);
    })});
  if (broken.compute) {
    Parts gpus;
    for (std::size_t i = 0; i < m_model.gpus.size(); ++i)
      if (const auto compute = m_model.gpus[i].compute;
          broken.compute->contains(version::Version::of({compute.major, compute.minor})))
        gpus.push_back(values_where(m_model.gpu[i], [](std::size_t value) { return value != k_no_gpu; }));
    extend(gpus);
  }
  if (!broken.package.empty()) {
    Parts packages;
    for (std::size_t i = 0; i < m_model.companions.size(); ++i)
      if (m_model.companions[i]->package == broken.package)
        packages.push_back(values_where(m_model.companion[i], [&](std::size_t value) {
          const auto* companion = m_model.companions[i]->rows[value];
          return companion && broken.versions.contains(companion->release);
        }));
    extend(packages);
  }
  for (auto& together : cases) forbid(row, std::move(together));
}

/// Ties each proven combination to its build, system and Python. The last value leaves them all open.
void Modeller::proven() {
  if (!m_model.proof) return;
  const auto tie = [&](std::size_t variable, std::size_t ProvenCombination::*part) {
    pairs({Topic::proven}, *m_model.proof, variable, [&](std::size_t which, std::size_t value) {
      return which == m_model.proven.size() || m_model.proven[which].*part == value;
    });
  };
  tie(m_model.build, &ProvenCombination::build);
  tie(m_model.os, &ProvenCombination::os);
  tie(m_model.python, &ProvenCombination::python);
}

/// At least one of the variables has a value outside its set. Beyond two variables a helper says which: its value k
/// means that variable k has.
void Modeller::forbid(std::size_t row, std::vector<std::pair<std::size_t, ValueSet>> together) {
  if (std::any_of(together.begin(), together.end(), [](const auto& part) { return part.second.is_empty(); }))
    return;
  const Meaning meaning{Topic::broken, row};
  if (together.size() == 1)
    return only(meaning, together[0].first, [&](std::size_t value) { return !together[0].second.contains(value); });
  if (together.size() == 2)
    return pairs(meaning, together[0].first, together[1].first, [&](std::size_t first, std::size_t second) {
      return !together[0].second.contains(first) || !together[1].second.contains(second);
    });
  const std::size_t which = add_variable(together.size());
  for (std::size_t k = 0; k < together.size(); ++k)
    pairs(meaning, which, together[k].first,
          [&](std::size_t said, std::size_t value) { return said != k || !together[k].second.contains(value); });
}

}  // namespace

Active Model::all() const {
  Active active(problem.constraints.size());
  std::iota(active.begin(), active.end(), 0);
  return active;
}

Model make_model(const Request& request, const Catalogue& catalogue) {
  TK_ASSERT(request.architecture == catalogue.architecture, "a catalogue is of one architecture");
  return Modeller(request, catalogue).run();
}

}  // namespace torchkiln::solver
