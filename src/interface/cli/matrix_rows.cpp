#include "interface/cli/matrix_rows.hpp"

#include "decision/solver/rules.hpp"
#include "foundation/base/text.hpp"

#include <algorithm>
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

/// How a build runs where the query asks: "machine code, direct"; nothing when it does not.
std::optional<std::string> way_to_run(const Matrix& matrix, const matrix::Build& build,
                                      const RowConditions& asked) {
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

bool fits(const matrix::Build& build, const RowConditions& asked) {
  const bool cuda_fits = asked.cuda.is_empty() || (build.cuda && asked.cuda.contains(build.cuda->as_version()));
  return cuda_fits && (asked.pytorch.is_empty() || asked.pytorch.contains(build.pytorch)) &&
         (asked.python.empty() || build.has_python(asked.python)) &&
         (!asked.architecture || *asked.architecture == build.architecture);
}

MatrixList releases(const Matrix& matrix, const RowConditions& asked) {
  MatrixList list{"releases", {}, {}};
  for (const auto& release : matrix.releases) {
    if (!asked.pytorch.is_empty() && !asked.pytorch.contains(release.pytorch)) continue;
    list.rows.push_back({{{"pytorch", release.pytorch.to_string()}, {"released", release.released}}, release.from});
  }
  return list;
}

MatrixList gpus(const Matrix& matrix, const RowConditions& asked) {
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

MatrixList drivers(const Matrix& matrix, const RowConditions& asked) {
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

MatrixList cudnns(const Matrix& matrix, const RowConditions& asked) {
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

MatrixList nccls(const Matrix& matrix, const RowConditions&) {
  MatrixList list{"nccl", {}, {}};
  for (const auto& row : matrix.nccls)
    list.rows.push_back({{{"first", row.first.to_string()},
                          {"last", row.last.to_string()},
                          {"cuda", row.cuda_major},
                          {"compute", row.compute.empty() ? Json() : texts_of(row.compute)},
                          {"ptx", row.compute.empty() ? Json() : texts_of(row.ptx)}},
                         row.from});
  return list;
}

/// cuda-compat packages.
MatrixList compats(const Matrix& matrix, const RowConditions& asked) {
  MatrixList list{"compat", {}, {}};
  for (const auto& row : matrix.forward_compat) {
    if (!asked.cuda.is_empty() && !asked.cuda.contains(row.cuda.as_version())) continue;
    if (asked.driver && !solver::is_offered(matrix, row.cuda, *asked.driver)) continue;
    if (!std::all_of(asked.gpus.begin(), asked.gpus.end(), solver::may_use_compat_package)) continue;
    std::vector<std::string> branches;
    for (const auto branch : row.branches) branches.push_back(fmt::format("R{}", branch));
    list.rows.push_back({{{"package", fmt::format("cuda-compat-{}-{}", row.cuda.major, row.cuda.minor)},
                          {"over_branches", branches}},
                         row.from});
  }
  return list;
}

MatrixList broken(const Matrix& matrix, const RowConditions& asked) {
  MatrixList list{"broken", {}, {}};
  for (const auto& row : matrix.broken) {
    const bool is_asked = std::any_of(matrix.builds.begin(), matrix.builds.end(), [&](const matrix::Build& build) {
      return row.is_about(build) && fits(build, asked);
    });
    if (is_asked) list.rows.push_back({{{"what", row.what}}, row.from});
  }
  return list;
}

/// Base images that are gone.
MatrixList tombstones(const Matrix& matrix, const RowConditions&) {
  MatrixList list{"tombstones", {}, {}};
  for (const auto& row : matrix.tombstones)
    list.rows.push_back(
        {{{"image", row.image + ":" + row.tag}, {"gone", row.gone}, {"instead", row.instead}}, row.from});
  return list;
}

MatrixList systems(const Matrix& matrix, const RowConditions& asked) {
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

}  // namespace

Result<RowConditions> understand(const Matrix& matrix, const MatrixQuery& query) {
  RowConditions conditions;
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

MatrixList list_builds(const Matrix& matrix, const RowConditions& asked) {
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

MatrixList list_companions(const Matrix& matrix, const RowConditions& asked) {
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

MatrixList list_proofs(const Matrix& matrix, const RowConditions& asked) {
  MatrixList list{"proofs", {}, {}};
  for (const auto& row : matrix.proofs) {
    const bool is_on_gpu =
        asked.gpus.empty() || std::any_of(asked.gpus.begin(), asked.gpus.end(), [&](const matrix::NamedGpu& gpu) {
          return solver::is_on(matrix, row, gpu);
        });
    const auto cuda = version::CudaVersion::from_build_name(row.variant);
    if (!is_on_gpu || (asked.driver && row.driver > *asked.driver) ||
        (!asked.cuda.is_empty() && !(cuda && asked.cuda.contains(cuda->as_version()))) ||
        (!asked.pytorch.is_empty() && !asked.pytorch.contains(row.pytorch)) ||
        (!asked.python.empty() && asked.python != row.python) ||
        (asked.architecture && *asked.architecture != row.architecture))
      continue;
    list.rows.push_back({{{"build", row.build()},
                          {"arch", matrix::name(row.architecture)},
                          {"python", row.python},
                          {"system", row.system},
                          {"gpu", row.gpu},
                          {"compute", row.compute.to_string()},
                          {"driver", row.driver.to_string()},
                          {"level", matrix::name(row.level)},
                          {"image", row.image.to_string()}},
                         row.from});
  }
  return list;
}

MatrixList list_toolkits(const Matrix& matrix, const RowConditions& asked) {
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

namespace {

struct Kind {
  const char* name;
  MatrixList (*list)(const Matrix&, const RowConditions&);
  std::set<std::string> conditions;  ///< that say something about its rows
};
const std::vector<Kind>& kinds() {
  static const std::vector<Kind> k_kinds = {
      {"builds", list_builds, {"gpu", "driver", "cuda", "pytorch", "python", "arch"}},
      {"releases", releases, {"pytorch"}},
      {"companions", list_companions, {"pytorch", "python"}},
      {"gpus", gpus, {"gpu", "driver"}},
      {"drivers", drivers, {"gpu", "driver"}},
      {"cuda", list_toolkits, {"cuda", "driver"}},
      {"cudnn", cudnns, {"gpu"}},
      {"nccl", nccls, {}},
      {"compat", compats, {"gpu", "driver", "cuda"}},
      {"systems", systems, {"python"}},
      {"broken", broken, {"cuda", "pytorch", "arch"}},
      {"tombstones", tombstones, {}},
      {"proofs", list_proofs, {"gpu", "driver", "cuda", "pytorch", "python", "arch"}},
  };
  return k_kinds;
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
  auto list = kind->list(matrix, conditions);
  if (conditions.driver && what != "drivers" && query.driver.find('.') == std::string::npos)
    list.remarks.push_back(
        fmt::format("{} is taken as the oldest driver of its branch; on a newer one more may run", query.driver));
  return list;
}

}  // namespace torchkiln::cli
