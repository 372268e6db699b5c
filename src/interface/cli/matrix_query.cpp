#include "interface/cli/matrix_query.hpp"

#include "decision/solver/rules.hpp"
#include "foundation/base/text.hpp"
#include "interface/cli/matrix_rows.hpp"

#include <algorithm>
#include <functional>
#include <set>

#include <fmt/format.h>

namespace torchkiln::cli {

using base::ErrorCode;
using base::fail;
using base::Result;
using console::MatrixList;
using console::MatrixRow;
using matrix::Matrix;

namespace {

/// Facts and lists about one thing each.
class Describer {
 public:
  Describer(const Matrix& matrix, const RowConditions& conditions) : m_matrix(matrix), m_conditions(conditions) {}

  std::vector<console::MatrixEntry> entries(const std::string& what) {
    variant(what);
    if (const auto version = version::Version::parse(what)) {
      release(*version);
      cuda(*version);
      library(*version);
    }
    driver(what);
    gpu(what);
    if (const auto* system = matrix::find_system(m_matrix, what)) this->system(*system);
    companion(what);
    base_image(what);
    table(what);
    return std::move(m_entries);
  }

 private:
  console::MatrixEntry& begin(std::string kind, std::string title) {
    m_entries.push_back({std::move(kind), std::move(title), {}, {}});
    return m_entries.back();
  }
  /// The builds that fit, and how they run on a GPU when one is named.
  MatrixList builds_where(const std::function<bool(const matrix::Build&)>& wanted, RowConditions conditions) const {
    Matrix part = m_matrix;
    std::erase_if(part.builds, [&](const matrix::Build& build) { return !wanted(build); });
    conditions.pytorch = m_conditions.pytorch;
    return list_builds(part, conditions);
  }
  /// What was proven, where anything was.
  void add_proofs(console::MatrixEntry& entry, const RowConditions& conditions,
                  const std::function<bool(const matrix::Proof&)>& wanted) const {
    Matrix part = m_matrix;
    std::erase_if(part.proofs, [&](const matrix::Proof& proof) { return !wanted(proof); });
    auto list = list_proofs(part, conditions);
    if (!list.rows.empty()) entry.lists.push_back(std::move(list));
  }
  void add_driver_floor(console::MatrixEntry& entry, version::CudaVersion cuda) const {
    if (const auto* family = matrix::find_family(m_matrix, cuda.major))
      entry.facts.push_back({fmt::format("CUDA {}.x runs on driver {} or newer by minor-version compatibility",
                                         family->major, family->driver.to_string()),
                             family->from});
    if (const auto* toolkit = matrix::find_toolkit(m_matrix, cuda))
      entry.facts.push_back({fmt::format("CUDA {} was made with driver {}: from there on it runs in full",
                                         toolkit->cuda.to_string(), toolkit->driver.to_string()),
                             toolkit->from});
    for (const auto& targets : m_matrix.targets)
      if (targets.first <= cuda && cuda <= targets.last) {
        std::vector<std::string> computes;
        for (const auto compute : targets.compute) computes.push_back(compute.to_string());
        entry.facts.push_back({"its compiler makes code for " + base::join(computes, " "), targets.from});
        break;
      }
    for (const auto& compat : m_matrix.forward_compat) {
      if (compat.cuda != cuda) continue;
      std::vector<std::string> branches;
      for (const auto branch : compat.branches) branches.push_back(fmt::format("R{}", branch));
      entry.facts.push_back({fmt::format("cuda-compat-{}-{} goes over {}, on data-center GPUs and Jetson boards",
                                         cuda.major, cuda.minor, base::join(branches, " ")),
                             compat.from});
    }
  }

  void release(const version::Version& asked) {
    const auto is_asked = [&](const matrix::Build& build) {
      if (!asked.local().empty()) return build.full_version() == asked;
      return build.pytorch.starts_with(asked);
    };
    if (std::none_of(m_matrix.builds.begin(), m_matrix.builds.end(), is_asked)) return;
    auto& entry = begin(asked.local().empty() ? "release" : "build", "PyTorch " + asked.to_string());
    std::set<version::CudaVersion> cudas;
    for (const auto& release : m_matrix.releases) {
      if (!release.pytorch.starts_with(asked.without_local())) continue;
      entry.facts.push_back(
          {fmt::format("{} was released on {}", release.pytorch.to_string(), release.released), release.from});
      for (const auto package : matrix::k_companions)
        if (const auto* companion = matrix::find_companion(m_matrix, package, release.pytorch))
          entry.facts.push_back({fmt::format("{} goes with {} {}", release.pytorch.to_string(), package,
                                             companion->release.to_string()),
                                 companion->from});
    }
    for (const auto& build : m_matrix.builds) {
      if (!is_asked(build)) continue;
      if (build.cuda) cudas.insert(*build.cuda);
      if (asked.local().empty()) continue;
      if (build.has_all_requirements && build.requirements.empty())
        entry.facts.push_back(
            {fmt::format("on {} CUDA's libraries are inside the wheel", matrix::name(build.architecture)),
             build.from});
      for (const auto& requirement : build.requirements)
        entry.facts.push_back(
            {fmt::format("on {} it requires {}", matrix::name(build.architecture), requirement), build.from});
      if (!build.from.note.empty() && build.requirements.empty())
        entry.facts.push_back({fmt::format("on {}, with a note", matrix::name(build.architecture)), build.from});
    }
    if (!asked.local().empty())
      for (const auto cuda : cudas) add_driver_floor(entry, cuda);
    entry.lists.push_back(builds_where(is_asked, {}));
    add_proofs(entry, {}, [&](const matrix::Proof& proof) {
      return asked.local().empty() ? proof.pytorch.starts_with(asked) : proof.build() == asked.to_string();
    });
  }

  void variant(const std::string& what) {
    const auto is_asked = [&](const matrix::Build& build) { return build.variant == what; };
    if (std::none_of(m_matrix.builds.begin(), m_matrix.builds.end(), is_asked)) return;
    const auto cuda = version::CudaVersion::from_build_name(what);
    auto& entry = begin("variant", cuda ? fmt::format("{}: PyTorch built with CUDA {}", what, cuda->to_string())
                                        : what + ": PyTorch without CUDA");
    if (cuda) add_driver_floor(entry, *cuda);
    entry.lists.push_back(builds_where(is_asked, {}));
  }

  void cuda(const version::Version& asked) {
    const auto is_asked = [&](version::CudaVersion cuda) {
      return version::Version::of({cuda.major, cuda.minor, cuda.patch}).starts_with(asked);
    };
    const auto first = std::find_if(m_matrix.toolkits.begin(), m_matrix.toolkits.end(),
                                    [&](const matrix::Toolkit& row) { return is_asked(row.cuda); });
    if (first == m_matrix.toolkits.end() || !asked.is_release_only()) return;
    auto& entry = begin("cuda", "CUDA " + asked.to_string());
    if (asked.release().size() >= 2) add_driver_floor(entry, {first->cuda.major, first->cuda.minor, 0});
    MatrixList list = list_toolkits(m_matrix, {});
    std::erase_if(list.rows, [&](const MatrixRow& row) {
      const auto cuda = version::CudaVersion::parse(row.cells.front().second.get<std::string>());
      return !cuda || !is_asked(*cuda);
    });
    entry.lists.push_back(std::move(list));
    entry.lists.push_back(
        builds_where([&](const matrix::Build& build) { return build.cuda && is_asked(*build.cuda); }, {}));
  }

  void driver(const std::string& what) {
    const auto driver = version::DriverVersion::parse(what);
    const auto* branch = driver ? matrix::find_branch(m_matrix, driver->branch()) : nullptr;
    if (!branch) return;
    auto& entry = begin("driver", "driver " + driver->to_string());
    entry.facts.push_back({fmt::format("branch R{}: {}{}{}", branch->branch, matrix::name(branch->kind),
                                       branch->released.empty() ? "" : ", released " + branch->released,
                                       branch->end_of_life.empty() ? "" : ", end of life " + branch->end_of_life),
                           branch->from});
    if (branch->oldest_gpu)
      entry.facts.push_back(
          {"it drives GPUs from compute capability " + branch->oldest_gpu->to_string() + " on", branch->from});
    for (const auto& compat : m_matrix.forward_compat)
      if (std::count(compat.branches.begin(), compat.branches.end(), branch->branch) != 0)
        entry.facts.push_back(
            {fmt::format("cuda-compat for CUDA {} goes over it, on data-center GPUs and Jetson boards",
                         compat.cuda.to_string()),
             compat.from});
    RowConditions conditions;
    conditions.driver = *driver;
    auto list = list_toolkits(m_matrix, conditions);
    if (driver->to_string().find('.') == std::string::npos)
      list.remarks.push_back(fmt::format(
          "{} is taken as the oldest driver of its branch; a newer one may run more of them directly", what));
    entry.lists.push_back(std::move(list));
  }

  void gpu(const std::string& what) {
    const auto gpu = matrix::find_gpu(m_matrix, what);
    // "9.0" is a compute capability only when it is written as one: sm_90. As it stands it may be a version.
    if (!gpu || (!gpu->row && !what.starts_with("sm_"))) return;
    auto& entry = begin("gpu", fmt::format("{}: compute capability {}{}", gpu->name, gpu->compute.to_string(),
                                           gpu->row ? fmt::format(", {}", matrix::name(gpu->row->gpu_class)) : ""));
    if (gpu->row)
      entry.facts.push_back(
          {fmt::format("{} has compute capability {}", gpu->name, gpu->compute.to_string()), gpu->row->from});
    if (const auto first = solver::first_driver(m_matrix, *gpu)) {
      const auto* row = matrix::find_first_driver(m_matrix, gpu->compute);
      entry.facts.push_back(
          {"its first driver is " + first->to_string(), gpu->row && gpu->row->driver ? gpu->row->from : row->from});
    }
    for (const auto& branch : m_matrix.branches) {
      if (!branch.oldest_gpu || gpu->compute < *branch.oldest_gpu) continue;
      const bool is_newest = &branch == &m_matrix.branches.front();
      entry.facts.push_back({is_newest ? fmt::format("the newest branch, R{}, drives it", branch.branch)
                                       : fmt::format("R{} is the last branch that drives it", branch.branch),
                             branch.from});
      break;
    }
    RowConditions conditions;
    conditions.gpus = {*gpu};
    auto list = builds_where([](const matrix::Build&) { return true; }, conditions);
    entry.lists.push_back(std::move(list));
    add_proofs(entry, conditions, [](const matrix::Proof&) { return true; });
  }

  void system(const matrix::OperatingSystem& system) {
    auto& entry = begin("system", system.id);
    entry.facts.push_back({fmt::format("Python {}, glibc {}, {}", system.python, system.glibc.to_string(),
                                       matrix::name(system.choice)),
                           system.from});
    entry.lists.push_back(builds_where(
        [&](const matrix::Build& build) { return build.has_python(system.python) && build.glibc <= system.glibc; },
        {}));
  }

  void companion(const std::string& what) {
    MatrixList list = list_companions(m_matrix, m_conditions);
    std::erase_if(list.rows, [&](const MatrixRow& row) { return row.cells.front().second != what; });
    if (list.rows.empty()) return;
    begin("package", what).lists.push_back(std::move(list));
  }

  /// A version of cuDNN or NCCL, by the builds that come with it.
  void library(const version::Version& asked) {
    if (asked.release().size() < 3) return;  // "2.8" is PyTorch's
    const std::pair<const char*, std::optional<version::Version> matrix::Build::*> libraries[] = {
        {"cuDNN", &matrix::Build::cudnn}, {"NCCL", &matrix::Build::nccl}};
    for (const auto& [name, member] : libraries) {
      auto list = builds_where(
          [member = member, &asked](const matrix::Build& build) {
            return build.*member && (build.*member)->starts_with(asked);
          },
          {});
      if (list.rows.empty()) continue;
      auto& entry = begin(base::lower(name), fmt::format("{} {}", name, asked.to_string()));
      entry.lists.push_back(std::move(list));
    }
  }

  /// All rows of a kind, by its name; torch is what the releases are of.
  void table(const std::string& what) {
    const auto kind = what == "torch" || what == "pytorch" ? "releases" : what;
    const auto known = listable();
    if (!m_entries.empty() || std::find(known.begin(), known.end(), kind) == known.end()) return;
    MatrixQuery query;
    query.what = kind;
    if (auto list = list_rows(m_matrix, query)) begin("table", what).lists.push_back(std::move(*list));
  }

  /// A base image's tag that is gone from its registry.
  void base_image(const std::string& what) {
    const auto* tombstone = matrix::find_tombstone(m_matrix, what);
    if (!tombstone) return;
    begin("image", what)
        .facts.push_back({fmt::format("{}:{} was gone in {}; instead: {}", tombstone->image, tombstone->tag,
                                      tombstone->gone, tombstone->instead),
                          tombstone->from});
  }

  const Matrix& m_matrix;
  const RowConditions& m_conditions;
  std::vector<console::MatrixEntry> m_entries;
};

std::optional<std::string> nearest_name(const Matrix& matrix, const std::string& what) {
  std::set<std::string> names(matrix::k_companions.begin(), matrix::k_companions.end());
  for (const auto& build : matrix.builds) {
    names.insert(build.variant);
    names.insert(build.full_version().to_string());
    names.insert(build.pytorch.to_string());
  }
  for (const auto& system : matrix.systems) names.insert(system.id);
  for (const auto& toolkit : matrix.toolkits) names.insert(toolkit.cuda.to_string());
  const std::vector<std::string> candidates(names.begin(), names.end());
  if (auto near = base::nearest(what, candidates)) return near;
  return matrix::nearest_gpu(matrix, what);
}

}  // namespace

Result<std::vector<console::MatrixEntry>> show_entries(const Matrix& matrix, const MatrixQuery& query) {
  TK_TRY(const auto conditions, understand(matrix, query));
  auto entries = Describer(matrix, conditions).entries(query.what);
  if (!entries.empty()) return entries;
  const auto near = nearest_name(matrix, query.what);
  return fail(ErrorCode::usage, "the matrix has nothing called '" + query.what + "'",
              {near ? "did you mean '" + *near + "'?"
                    : "name a release, a build, a variant, a GPU, a driver, a CUDA version, a system, a package or "
                      "a base image"});
}

}  // namespace torchkiln::cli
