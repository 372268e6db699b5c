#include "interface/cli/matrix_query.hpp"

#include "decision/solver/rules.hpp"
#include "foundation/base/text.hpp"
#include "knowledge/matrix/query.hpp"

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
using document::Json;
using matrix::Matrix;

namespace {

template <class Values>
Json texts_of(const Values& values) {
  Json list = Json::array();
  for (const auto& value : values) list.push_back(value.to_string());
  return list;
}
template <class Value>
Json text_or_null(const std::optional<Value>& value) {
  return value ? Json(value->to_string()) : Json();
}
Json text_or_null(const std::string& text) {
  return text.empty() ? Json() : Json(text);
}

/// The query with its values understood.
struct Conditions {
  std::vector<matrix::NamedGpu> gpus;
  std::optional<version::DriverVersion> driver;
  version::SpecifierSet cuda, pytorch;
  std::string python;
  std::optional<matrix::Architecture> architecture;
};

Result<Conditions> understand(const Matrix& matrix, const MatrixQuery& query) {
  Conditions conditions;
  for (const auto& text : query.gpus) {
    const auto gpu = matrix::find_gpu(matrix, text);
    if (!gpu) {
      const auto nearest = matrix::nearest_gpu(matrix, text);
      return fail(ErrorCode::usage, "no GPU is called '" + text + "'",
                  {nearest ? "did you mean '" + *nearest + "'?" : "'torchkiln matrix list gpus' names them all"});
    }
    conditions.gpus.push_back(*gpu);
  }
  if (!query.driver.empty()) {
    TK_TRY(conditions.driver, version::DriverVersion::parse(query.driver));
  }
  if (!query.cuda.empty()) {
    TK_TRY(conditions.cuda, version::SpecifierSet::parse(query.cuda));
  }
  if (!query.pytorch.empty()) {
    TK_TRY(conditions.pytorch, version::SpecifierSet::parse(query.pytorch));
  }
  conditions.python = query.python;
  if (!query.architecture.empty()) {
    TK_TRY(conditions.architecture, matrix::parse_architecture(query.architecture));
  }
  return conditions;
}

/// How a build runs where the query asks: "machine code, direct"; nothing when it does not.
std::optional<std::string> way_to_run(const Matrix& matrix, const matrix::Build& build, const Conditions& asked) {
  if (asked.gpus.empty() && !asked.driver) return "";
  if (!build.cuda) return std::nullopt;
  std::vector<std::string> ways;
  std::optional<solver::DriverMode> mode;
  if (asked.driver) {
    mode = solver::driver_mode(matrix, *build.cuda, *asked.driver);
    if (!mode) return std::nullopt;
  }
  const auto* cudnn = solver::cudnn_row(matrix, build);
  std::vector<version::ComputeCapability> computes;
  bool needs_ptx = false;
  for (const auto& gpu : asked.gpus) {
    if (cudnn && !solver::cudnn_serves(*cudnn, gpu.compute)) return std::nullopt;
    if (asked.driver && !solver::drives(matrix, *asked.driver, gpu)) return std::nullopt;
    if (!solver::has_sass(build, gpu.compute)) {
      // PTX is compiled by the driver, which must be as new as the CUDA that made it.
      if (!solver::has_ptx(build, gpu.compute) || (mode && *mode != solver::DriverMode::direct))
        return std::nullopt;
      needs_ptx = true;
    }
    computes.push_back(gpu.compute);
  }
  if (solver::find_broken(matrix, {build, asked.python, computes, {}})) return std::nullopt;
  if (!asked.gpus.empty()) ways.emplace_back(needs_ptx ? "ptx" : "sass");
  if (mode) ways.emplace_back(solver::name(*mode));
  return base::join(ways, ", ");
}

bool fits(const matrix::Build& build, const Conditions& asked) {
  const bool cuda_fits = asked.cuda.is_empty() || (build.cuda && asked.cuda.contains(build.cuda->as_version()));
  return cuda_fits && (asked.pytorch.is_empty() || asked.pytorch.contains(build.pytorch)) &&
         (asked.python.empty() || build.has_python(asked.python)) &&
         (!asked.architecture || *asked.architecture == build.architecture);
}

MatrixList builds(const Matrix& matrix, const Conditions& asked) {
  MatrixList list{"builds", {}, {}};
  std::size_t unknown = 0;
  for (const auto& build : matrix.builds) {
    if (!fits(build, asked)) continue;
    if (!asked.gpus.empty() && build.cuda && !build.sass) ++unknown;
    const auto way = way_to_run(matrix, build, asked);
    if (!way) continue;
    const auto* family = build.cuda ? matrix::find_family(matrix, build.cuda->major) : nullptr;
    MatrixRow row;
    row.cells = {{"build", build.full_version().to_string()},
                 {"arch", matrix::name(build.architecture)},
                 {"index", build.index},
                 {"status", matrix::name(build.status)},
                 {"python", build.python},
                 {"driver_from", family ? Json(family->driver.to_string()) : Json()},
                 {"cudnn", text_or_null(build.cudnn)},
                 {"nccl", text_or_null(build.nccl)},
                 {"sass", build.sass ? texts_of(*build.sass) : Json()},
                 {"ptx", build.sass ? texts_of(build.ptx) : Json()}};
    if (!way->empty()) row.cells.push_back({"runs_by", *way});
    row.from = build.from;
    list.rows.push_back(std::move(row));
  }
  if (unknown != 0)
    list.remarks.push_back(fmt::format("not counted, because nobody knows their architectures: {} more", unknown));
  return list;
}

MatrixList releases(const Matrix& matrix, const Conditions& asked) {
  MatrixList list{"releases", {}, {}};
  for (const auto& release : matrix.releases) {
    if (!asked.pytorch.is_empty() && !asked.pytorch.contains(release.pytorch)) continue;
    list.rows.push_back({{{"pytorch", release.pytorch.to_string()}, {"released", release.released}}, release.from});
  }
  return list;
}

MatrixList companions(const Matrix& matrix, const Conditions& asked) {
  MatrixList list{"companions", {}, {}};
  for (const auto& row : matrix.companions) {
    const bool is_paired = asked.pytorch.is_empty() || std::any_of(row.pytorch.begin(), row.pytorch.end(),
                                                                   [&](const version::Version& release) {
                                                                     return asked.pytorch.contains(release);
                                                                   });
    const bool has_python =
        asked.python.empty() || std::count(row.python.begin(), row.python.end(), asked.python) != 0;
    if (!is_paired || !has_python) continue;
    list.rows.push_back({{{"package", row.package},
                          {"release", row.release.to_string()},
                          {"pytorch", texts_of(row.pytorch)},
                          {"torch", row.torch ? Json(row.torch->text()) : Json()},
                          {"python", row.python}},
                         row.from});
  }
  return list;
}

MatrixList gpus(const Matrix& matrix, const Conditions& asked) {
  MatrixList list{"gpus", {}, {}};
  for (const auto& gpu : matrix.gpus) {
    const matrix::NamedGpu named{gpu.model, gpu.compute, &gpu};
    const bool is_asked =
        asked.gpus.empty() || std::any_of(asked.gpus.begin(), asked.gpus.end(), [&](const auto& one) {
          return one.row ? one.row == &gpu : one.compute == gpu.compute;
        });
    if (!is_asked || (asked.driver && !solver::drives(matrix, *asked.driver, named))) continue;
    const auto first = solver::first_driver(matrix, named);
    list.rows.push_back({{{"gpu", gpu.model},
                          {"compute", gpu.compute.to_string()},
                          {"class", matrix::name(gpu.gpu_class)},
                          {"driver_from", text_or_null(first)}},
                         gpu.from});
  }
  return list;
}

MatrixList drivers(const Matrix& matrix, const Conditions& asked) {
  MatrixList list{"drivers", {}, {}};
  for (const auto& branch : matrix.branches) {
    if (asked.driver && asked.driver->branch() != branch.branch) continue;
    const bool drives_all = std::all_of(asked.gpus.begin(), asked.gpus.end(), [&](const matrix::NamedGpu& gpu) {
      const auto first = solver::first_driver(matrix, gpu);
      return (!branch.oldest_gpu || *branch.oldest_gpu <= gpu.compute) &&
             (!first || first->branch() <= branch.branch);
    });
    if (!drives_all) continue;
    list.rows.push_back({{{"branch", fmt::format("R{}", branch.branch)},
                          {"kind", matrix::name(branch.kind)},
                          {"released", text_or_null(branch.released)},
                          {"end_of_life", text_or_null(branch.end_of_life)},
                          {"oldest_gpu", text_or_null(branch.oldest_gpu)}},
                         branch.from});
  }
  return list;
}

MatrixList toolkits(const Matrix& matrix, const Conditions& asked) {
  MatrixList list{"cuda", {}, {}};
  for (const auto& toolkit : matrix.toolkits) {
    if (!asked.cuda.is_empty() && !asked.cuda.contains(toolkit.cuda.as_version())) continue;
    std::optional<solver::DriverMode> mode;
    if (asked.driver && !(mode = solver::driver_mode(matrix, toolkit.cuda, *asked.driver))) continue;
    const auto* family = matrix::find_family(matrix, toolkit.cuda.major);
    MatrixRow row{{{"cuda", toolkit.cuda.to_string()},
                   {"driver_made_with", toolkit.driver.to_string()},
                   {"driver_from", family ? Json(family->driver.to_string()) : Json()}},
                  toolkit.from};
    if (mode) row.cells.push_back({"runs_by", solver::name(*mode)});
    list.rows.push_back(std::move(row));
  }
  return list;
}

MatrixList cudnns(const Matrix& matrix, const Conditions& asked) {
  MatrixList list{"cudnn", {}, {}};
  for (const auto& row : matrix.cudnns) {
    const bool serves = std::all_of(asked.gpus.begin(), asked.gpus.end(), [&](const matrix::NamedGpu& gpu) {
      return solver::cudnn_serves(row, gpu.compute);
    });
    if (!serves) continue;
    list.rows.push_back({{{"first", row.first.to_string()},
                          {"last", text_or_null(row.last)},
                          {"cuda", row.cuda_major},
                          {"compute", texts_of(row.compute)},
                          {"ptx", texts_of(row.ptx)}},
                         row.from});
  }
  return list;
}

MatrixList systems(const Matrix& matrix, const Conditions& asked) {
  MatrixList list{"systems", {}, {}};
  for (const auto& system : matrix.systems) {
    if (!asked.python.empty() && system.python != asked.python) continue;
    list.rows.push_back({{{"system", system.id},
                          {"python", system.python},
                          {"glibc", system.glibc.to_string()},
                          {"choice", matrix::name(system.choice)}},
                         system.from});
  }
  return list;
}

struct Kind {
  const char* name;
  MatrixList (*list)(const Matrix&, const Conditions&);
  std::set<std::string> conditions;  ///< that say something about its rows
};
const std::vector<Kind>& kinds() {
  static const std::vector<Kind> k_kinds = {
      {"builds", builds, {"gpu", "driver", "cuda", "pytorch", "python", "arch"}},
      {"releases", releases, {"pytorch"}},
      {"companions", companions, {"pytorch", "python"}},
      {"gpus", gpus, {"gpu", "driver"}},
      {"drivers", drivers, {"gpu", "driver"}},
      {"cuda", toolkits, {"cuda", "driver"}},
      {"cudnn", cudnns, {"gpu"}},
      {"systems", systems, {"python"}},
  };
  return k_kinds;
}

/// Facts and lists about one thing each.
class Describer {
 public:
  Describer(const Matrix& matrix, const Conditions& conditions) : m_matrix(matrix), m_conditions(conditions) {}

  std::vector<console::MatrixEntry> entries(const std::string& what) {
    variant(what);
    if (const auto version = version::Version::parse(what)) {
      release(*version);
      cuda(*version);
    }
    driver(what);
    gpu(what);
    if (const auto* system = matrix::find_system(m_matrix, what)) this->system(*system);
    companion(what);
    return std::move(m_entries);
  }

 private:
  console::MatrixEntry& begin(std::string kind, std::string title) {
    m_entries.push_back({std::move(kind), std::move(title), {}, {}});
    return m_entries.back();
  }
  /// The builds that fit, and how they run on a GPU when one is named.
  MatrixList builds_where(const std::function<bool(const matrix::Build&)>& wanted, Conditions conditions) const {
    Matrix part = m_matrix;
    std::erase_if(part.builds, [&](const matrix::Build& build) { return !wanted(build); });
    conditions.pytorch = m_conditions.pytorch;
    return builds(part, conditions);
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
      for (const auto* package : {"torchvision", "torchaudio"})
        if (const auto* companion = matrix::find_companion(m_matrix, package, release.pytorch))
          entry.facts.push_back({fmt::format("{} goes with {} {}", release.pytorch.to_string(), package,
                                             companion->release.to_string()),
                                 companion->from});
    }
    for (const auto& build : m_matrix.builds) {
      if (!is_asked(build)) continue;
      if (build.cuda) cudas.insert(*build.cuda);
      if (asked.local().empty()) continue;
      for (const auto& requirement : build.requirements)
        entry.facts.push_back(
            {fmt::format("on {} it requires {}", matrix::name(build.architecture), requirement), build.from});
      if (!build.from.note.empty() && build.requirements.empty())
        entry.facts.push_back({fmt::format("on {}, with a note", matrix::name(build.architecture)), build.from});
    }
    if (!asked.local().empty())
      for (const auto cuda : cudas) add_driver_floor(entry, cuda);
    entry.lists.push_back(builds_where(is_asked, {}));
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
    MatrixList list = toolkits(m_matrix, {});
    std::erase_if(list.rows, [&](const MatrixRow& row) {
      const auto cuda = version::CudaVersion::parse(row.cells.front().second.get<std::string>());
      return !cuda || !is_asked(*cuda);
    });
    entry.lists.push_back(std::move(list));
    entry.lists.push_back(
        builds_where([&](const matrix::Build& build) { return build.cuda && is_asked(*build.cuda); }, {}));
  }

  void driver(const std::string& what) {
    const auto driver = version::DriverVersion::parse(what.starts_with('R') ? what.substr(1) : what);
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
    Conditions conditions;
    conditions.driver = *driver;
    auto list = toolkits(m_matrix, conditions);
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
    Conditions conditions;
    conditions.gpus = {*gpu};
    auto list = builds_where([](const matrix::Build&) { return true; }, conditions);
    entry.lists.push_back(std::move(list));
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
    MatrixList list = companions(m_matrix, m_conditions);
    std::erase_if(list.rows, [&](const MatrixRow& row) { return row.cells.front().second != what; });
    if (list.rows.empty()) return;
    begin("package", what).lists.push_back(std::move(list));
  }

  const Matrix& m_matrix;
  const Conditions& m_conditions;
  std::vector<console::MatrixEntry> m_entries;
};

std::optional<std::string> nearest_name(const Matrix& matrix, const std::string& what) {
  std::set<std::string> names = {"torchvision", "torchaudio"};
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

std::vector<std::string> listable() {
  std::vector<std::string> names;
  for (const auto& kind : kinds()) names.emplace_back(kind.name);
  return names;
}

Result<MatrixList> list_rows(const Matrix& matrix, const MatrixQuery& query) {
  const auto what = query.what.empty() ? std::string("builds") : query.what;
  const auto kind = std::find_if(kinds().begin(), kinds().end(), [&](const Kind& one) { return one.name == what; });
  TK_ASSERT(kind != kinds().end(), "the command line takes only what listable() names");
  const std::pair<const char*, bool> given[] = {
      {"gpu", !query.gpus.empty()},      {"driver", !query.driver.empty()},
      {"cuda", !query.cuda.empty()},     {"pytorch", !query.pytorch.empty()},
      {"python", !query.python.empty()}, {"arch", !query.architecture.empty()}};
  for (const auto& [condition, is_given] : given)
    if (is_given && kind->conditions.count(condition) == 0)
      return fail(ErrorCode::usage, fmt::format("--{} says nothing about {}", condition, what));
  TK_TRY(const auto conditions, understand(matrix, query));
  return kind->list(matrix, conditions);
}

Result<std::vector<console::MatrixEntry>> show_entries(const Matrix& matrix, const MatrixQuery& query) {
  TK_TRY(const auto conditions, understand(matrix, query));
  auto entries = Describer(matrix, conditions).entries(query.what);
  if (!entries.empty()) return entries;
  const auto near = nearest_name(matrix, query.what);
  return fail(
      ErrorCode::usage, "the matrix has nothing called '" + query.what + "'",
      {near ? "did you mean '" + *near + "'?"
            : "name a release, a build, a variant, a GPU, a driver, a CUDA version, a system or a package"});
}

}  // namespace torchkiln::cli
