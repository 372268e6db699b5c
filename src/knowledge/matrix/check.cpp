#include "foundation/base/text.hpp"
#include "knowledge/matrix/load.hpp"
#include "knowledge/matrix/query.hpp"
#include "knowledge/matrix/requirement.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <tuple>

#include <fmt/format.h>

namespace torchkiln::matrix {

namespace {

class Checker {
 public:
  explicit Checker(const Matrix& matrix) : m_matrix(matrix) {}

  std::vector<Finding> run() {
    sources();
    releases();
    for (const auto& build : m_matrix.builds) this->build(build);
    unknown();
    default_builds();
    companions();
    broken();
    tombstones();
    cuda();
    libraries();
    drivers();
    gpus();
    systems();
    proofs();
    std::stable_sort(m_findings.begin(), m_findings.end(), [](const Finding& a, const Finding& b) {
      return std::tie(a.place.file, a.place.line) < std::tie(b.place.file, b.place.line);
    });
    return std::move(m_findings);
  }

 private:
  void error(const base::Place& place, std::string text) {
    m_findings.push_back({Finding::Kind::error, place, std::move(text)});
  }
  void gap(const base::Place& place, std::string text) {
    m_findings.push_back({Finding::Kind::gap, place, std::move(text)});
  }
  /// An error for a key that was seen before in the same table.
  void once(std::string_view table, const std::string& key, const base::Place& place) {
    const auto [at, is_new] = m_seen.emplace(std::pair(std::string(table), key), place);
    if (!is_new) error(place, fmt::format("{} {} is already at {}", table, key, at->second.to_string()));
  }
  template <class Rows>
  void known_sources(const Rows& rows) {
    for (const auto& row : rows)
      if (!find_source(m_matrix, row.from.source))
        error(row.from.place, fmt::format("source \"{}\" is not in the table of sources", row.from.source));
  }

  void sources();
  void releases();
  void build(const Build& build);
  void unknown();
  void architectures(const Build& build, const std::string& label);
  void requirements(const Build& build, const std::string& label);
  void default_builds();
  void companions();
  void broken();
  void tombstones();
  void cuda();
  void libraries();
  void drivers();
  void gpus();
  void systems();
  void proofs();

  const Matrix& m_matrix;
  std::vector<Finding> m_findings;
  std::map<std::pair<std::string, std::string>, base::Place> m_seen;
  /// By file, line and what is not known.
  std::map<std::tuple<std::string, int, std::string>, std::vector<const Build*>> m_unknown;
};

void Checker::sources() {
  for (const auto& source : m_matrix.sources) once("source", source.id, source.place);
  known_sources(m_matrix.releases);
  known_sources(m_matrix.builds);
  known_sources(m_matrix.companions);
  known_sources(m_matrix.metapackages);
  known_sources(m_matrix.broken);
  known_sources(m_matrix.tombstones);
  known_sources(m_matrix.nccls);
  known_sources(m_matrix.families);
  known_sources(m_matrix.toolkits);
  known_sources(m_matrix.targets);
  known_sources(m_matrix.cudnns);
  known_sources(m_matrix.branches);
  known_sources(m_matrix.forward_compat);
  known_sources(m_matrix.gpus);
  known_sources(m_matrix.first_drivers);
  known_sources(m_matrix.systems);
}

void Checker::releases() {
  for (const auto& release : m_matrix.releases) {
    once("release", release.pytorch.to_string(), release.from.place);
    if (release.released > release.from.date)
      error(release.from.place,
            fmt::format("PyTorch {} was released after this row was written", release.pytorch.to_string()));
  }
}

void Checker::build(const Build& build) {
  const std::string label = fmt::format("{} for {}", build.full_version().to_string(), name(build.architecture));
  const base::Place& place = build.from.place;
  once("build", fmt::format("{} on index {}", label, build.index), place);
  if (!find_release(m_matrix, build.pytorch)) error(place, fmt::format("{}: no such release", label));
  if (build.python.empty()) error(place, fmt::format("{}: no Python version", label));
  if (!build.cuda) {
    if (build.variant != "cpu") error(place, fmt::format("{}: no CUDA version", label));
    return;
  }
  if (build.variant != build.cuda->build_name())
    error(place, fmt::format("{}: CUDA {} is called {}", label, build.cuda->to_string(), build.cuda->build_name()));
  if (!find_family(m_matrix, build.cuda->major))
    error(place, fmt::format("{}: no driver floor for its CUDA", label));
  if (!find_toolkit(m_matrix, *build.cuda)) error(place, fmt::format("{}: no toolkit row for its CUDA", label));
  architectures(build, label);
  requirements(build, label);
  std::vector<std::string> unknown;
  if (!build.sass) unknown.emplace_back("architectures");
  if (!build.cudnn) unknown.emplace_back("cuDNN");
  // PyTorch 1.13 linked NCCL into its own libraries and names no version.
  if (!build.nccl && build.pytorch.part(0) >= 2) unknown.emplace_back("NCCL");
  if (!build.has_all_requirements) unknown.emplace_back("pins");
  if (!build.cxx11_abi) unknown.emplace_back("C++ ABI");
  if (!build.download_bytes) unknown.emplace_back("download");
  if (!unknown.empty()) m_unknown[{place.file, place.line, base::join(unknown, ", ")}].push_back(&build);
}

/// A row of several releases has one gap, not one for each of them.
void Checker::unknown() {
  for (const auto& [key, builds] : m_unknown) {
    std::vector<std::string> names;
    for (const auto* build : builds) names.push_back(build->full_version().to_string());
    const auto& first = *builds.front();
    gap(first.from.place, fmt::format("{} for {}: not known: {}", base::join(names, ", "), name(first.architecture),
                                      std::get<2>(key)));
  }
}

void Checker::architectures(const Build& build, const std::string& label) {
  if (!build.sass) return;
  const base::Place& place = build.from.place;
  if (!std::is_sorted(build.sass->begin(), build.sass->end()) ||
      std::adjacent_find(build.sass->begin(), build.sass->end()) != build.sass->end())
    error(place, fmt::format("{}: architectures must be sorted and named once", label));
  for (const auto& targets : m_matrix.targets) {
    if (*build.cuda < targets.first || *build.cuda > targets.last) continue;
    const auto known = [&](version::ComputeCapability compute) {
      return std::find(targets.compute.begin(), targets.compute.end(), compute) != targets.compute.end();
    };
    for (const auto compute : *build.sass)
      if (!known(compute))
        error(place,
              fmt::format("{}: CUDA {} makes no code for {}", label, build.cuda->to_string(), compute.to_string()));
    return;
  }
  gap(place, fmt::format("{}: no targets row for CUDA {}", label, build.cuda->to_string()));
}

void Checker::requirements(const Build& build, const std::string& label) {
  for (const auto& text : build.requirements) {
    const auto requirement = parse_requirement(text);
    if (!requirement) {
      error(build.from.place, fmt::format("{}: {}", label, requirement.error().message));
      continue;
    }
    const auto pinned = requirement->versions.lone_equal();
    const auto agrees = [&](std::string_view prefix, const std::optional<version::Version>& field) {
      if (requirement->name.starts_with(prefix) && pinned && pinned != field)
        error(build.from.place, fmt::format("{}: {} contradicts the row's own version", label, text));
    };
    agrees("nvidia-cudnn-", build.cudnn);
    agrees("nvidia-nccl-", build.nccl);
    if (requirement->extras.empty()) continue;
    const auto metapackage = std::find_if(
        m_matrix.metapackages.begin(), m_matrix.metapackages.end(),
        [&](const Metapackage& row) { return row.package == requirement->name && pinned == row.release; });
    if (metapackage == m_matrix.metapackages.end()) {
      error(build.from.place, fmt::format("{}: {} is not in the table of metapackages", label, text));
      continue;
    }
    for (const auto& extra : requirement->extras)
      if (std::none_of(metapackage->extras.begin(), metapackage->extras.end(),
                       [&](const auto& entry) { return entry.first == extra; }))
        error(metapackage->from.place,
              fmt::format("{} {} has no extra \"{}\", which {} needs", metapackage->package,
                          metapackage->release.to_string(), extra, label));
  }
}

void Checker::default_builds() {
  for (const auto& release : m_matrix.releases) {
    const bool has_default = std::any_of(m_matrix.builds.begin(), m_matrix.builds.end(), [&](const Build& build) {
      return build.pytorch == release.pytorch && build.index == "default" &&
             build.architecture == Architecture::x86_64;
    });
    if (!has_default)
      error(release.from.place,
            fmt::format("PyTorch {} has no x86_64 build on the default index", release.pytorch.to_string()));
  }
  for (const auto& build : m_matrix.builds)
    if (build.index == "default")
      once("default build", fmt::format("of {} for {}", build.pytorch.to_string(), name(build.architecture)),
           build.from.place);
}

void Checker::companions() {
  for (const auto& companion : m_matrix.companions) {
    if (!is_companion(companion.package))
      error(companion.from.place, fmt::format("\"{}\" is no companion of PyTorch", companion.package));
    for (const auto& pytorch : companion.pytorch) {
      once("companion", fmt::format("{} of PyTorch {}", companion.package, pytorch.to_string()),
           companion.from.place);
      if (!find_release(m_matrix, pytorch))
        error(companion.from.place, fmt::format("{} {}: there is no PyTorch {}", companion.package,
                                                companion.release.to_string(), pytorch.to_string()));
    }
  }
  for (const auto& companion : m_matrix.companions)
    for (const auto& pytorch : companion.pytorch)
      if (companion.torch && !companion.torch->contains(pytorch))
        error(companion.from.place,
              fmt::format("{} {} is paired with PyTorch {}, which its own metadata refuses", companion.package,
                          companion.release.to_string(), pytorch.to_string()));
  for (const auto& row : m_matrix.metapackages) {
    once("metapackage", row.package + " " + row.release.to_string(), row.from.place);
    for (const auto& extra : row.extras)
      if (const auto requirement = parse_requirement(extra.second); !requirement)
        error(row.from.place, requirement.error().message);
  }
}

void Checker::cuda() {
  for (const auto& family : m_matrix.families) once("family", std::to_string(family.major), family.from.place);
  for (const auto& toolkit : m_matrix.toolkits) {
    once("toolkit", toolkit.cuda.to_string(), toolkit.from.place);
    const auto* family = find_family(m_matrix, toolkit.cuda.major);
    if (!family) error(toolkit.from.place, fmt::format("CUDA {} has no family row", toolkit.cuda.to_string()));
    // 11.0 came out before the driver that its family's minor-version compatibility begins with.
    else if (toolkit.driver < family->driver && toolkit.cuda.minor > 0)
      error(toolkit.from.place,
            fmt::format("CUDA {}'s own driver is older than the floor of its family", toolkit.cuda.to_string()));
  }
  for (const auto& targets : m_matrix.targets)
    if (targets.last < targets.first) error(targets.from.place, "the last CUDA is older than the first");
  for (const auto& compat : m_matrix.forward_compat) {
    once("forward_compat", compat.cuda.to_string(), compat.from.place);
    for (const unsigned branch : compat.branches)
      if (!find_branch(m_matrix, branch)) error(compat.from.place, fmt::format("there is no branch R{}", branch));
  }
}

/// A row of another table that nothing can ever meet is a slip of the pen.
void Checker::broken() {
  for (const auto& row : m_matrix.broken) {
    once("broken", row.what, row.from.place);
    if (std::none_of(m_matrix.builds.begin(), m_matrix.builds.end(),
                     [&](const Build& build) { return row.is_about(build); }))
      error(row.from.place, "no build meets the conditions of this row");
    if (!row.package.empty() && !is_companion(row.package))
      error(row.from.place, fmt::format("\"{}\" is no companion of PyTorch", row.package));
    if (row.package.empty() && !row.versions.is_empty())
      error(row.from.place, "\"versions\" without a \"package\"");
  }
}

void Checker::tombstones() {
  for (const auto& row : m_matrix.tombstones) {
    once("tombstone", row.image + ":" + row.tag, row.from.place);
    const auto* of_instead = find_tombstone(m_matrix, row.instead);
    if (of_instead)
      error(row.from.place,
            fmt::format("{} is gone itself, says {}", row.instead, of_instead->from.place.to_string()));
  }
}

/// cuDNN and NCCL: ranges, and whether the versions that builds come with were ever packaged.
void Checker::libraries() {
  for (const auto& row : m_matrix.cudnns) {
    if (row.last && *row.last < row.first) error(row.from.place, "the last cuDNN is older than the first");
    for (const auto& other : m_matrix.cudnns)
      if (&other < &row && other.cuda_major == row.cuda_major && (!other.last || *other.last >= row.first) &&
          (!row.last || *row.last >= other.first))
        error(row.from.place, fmt::format("cuDNN {} for CUDA {} is in the range of {} already",
                                          row.first.to_string(), row.cuda_major, other.from.place.to_string()));
  }
  for (const auto& row : m_matrix.nccls)
    if (row.last < row.first) error(row.from.place, "the last NCCL is older than the first");
  std::set<std::pair<unsigned, std::string>> told;
  for (const auto& build : m_matrix.builds) {
    if (!build.cuda) continue;
    const auto packaged = [&](const Nccl& row) {
      return row.cuda_major == build.cuda->major && row.first <= *build.nccl && *build.nccl <= row.last;
    };
    if (build.nccl && std::none_of(m_matrix.nccls.begin(), m_matrix.nccls.end(), packaged) &&
        told.emplace(build.cuda->major, build.nccl->to_string()).second)
      error(build.from.place,
            fmt::format("there is no package of NCCL {} for CUDA {}", build.nccl->to_string(), build.cuda->major));
    const auto about = [&](const Cudnn& row) {
      return row.cuda_major == build.cuda->major && row.first <= *build.cudnn &&
             (!row.last || *build.cudnn <= *row.last);
    };
    if (build.cudnn && std::none_of(m_matrix.cudnns.begin(), m_matrix.cudnns.end(), about) &&
        told.emplace(100 + build.cuda->major, build.cudnn->to_string()).second)
      gap(build.from.place, fmt::format("which GPUs cuDNN {} for CUDA {} has code for is not known",
                                        build.cudnn->to_string(), build.cuda->major));
  }
}

void Checker::drivers() {
  for (const auto& branch : m_matrix.branches) {
    once("branch", std::to_string(branch.branch), branch.from.place);
    if (!branch.released.empty() && !branch.end_of_life.empty() && branch.released > branch.end_of_life)
      error(branch.from.place, fmt::format("R{} ended before it was released", branch.branch));
    if (branch.kind == BranchKind::unknown || branch.end_of_life.empty())
      gap(branch.from.place, fmt::format("R{}: kind or end of life not known", branch.branch));
    if (!branch.oldest_gpu) gap(branch.from.place, fmt::format("R{}: oldest GPU not known", branch.branch));
  }
  for (const auto& first : m_matrix.first_drivers)
    once("first_driver", first.compute.to_string(), first.from.place);
}

void Checker::gpus() {
  std::set<version::ComputeCapability> told;
  for (const auto& gpu : m_matrix.gpus) {
    once("gpu", gpu_key(gpu.model), gpu.from.place);
    for (const auto& alias : gpu.aliases) once("gpu", gpu_key(alias), gpu.from.place);
    // JetPack brings the driver of Jetson boards, and Kepler's first drivers are older than any CUDA here.
    const bool needs_driver = gpu.gpu_class != GpuClass::jetson && gpu.compute >= version::ComputeCapability{6, 0};
    if (needs_driver && !find_first_driver(m_matrix, gpu.compute) && told.insert(gpu.compute).second)
      gap(gpu.from.place, fmt::format("compute capability {}: first driver not known", gpu.compute.to_string()));
  }
}

void Checker::systems() {
  std::size_t preferred = 0;
  for (const auto& system : m_matrix.systems) {
    once("system", system.id, system.from.place);
    if (system.choice == Choice::preferred && ++preferred > 1)
      error(system.from.place, "only one operating system can be preferred");
  }
  if (preferred == 0 && !m_matrix.systems.empty())
    error(m_matrix.systems.front().from.place, "no operating system is preferred");
}

/// What a proof is about must be there, and its GPU be what the table of GPUs says.
void Checker::proofs() {
  for (const auto& proof : m_matrix.proofs) {
    const base::Place& place = proof.from.place;
    once("proof", fmt::format("{} on {}", proof.from.source, proof.gpu), place);
    if (proof.from.grade != Grade::measured) error(place, "a proof is measured");
    const auto build = std::find_if(m_matrix.builds.begin(), m_matrix.builds.end(), [&](const Build& row) {
      return row.pytorch == proof.pytorch && row.variant == proof.variant && row.architecture == proof.architecture;
    });
    if (build == m_matrix.builds.end())
      error(place, fmt::format("there is no build {} for {}", proof.build(), name(proof.architecture)));
    else if (!build->has_python(proof.python))
      error(place, fmt::format("{} has no wheel for Python {}", proof.build(), proof.python));
    if (!find_system(m_matrix, proof.system)) error(place, fmt::format("there is no system {}", proof.system));
    const auto gpu = find_gpu(m_matrix, proof.gpu);
    if (!gpu)
      gap(place, fmt::format("{} is not in the table of GPUs", proof.gpu));
    else if (gpu->compute != proof.compute)
      error(place, fmt::format("{} has compute capability {}, not {}", gpu->name, gpu->compute.to_string(),
                               proof.compute.to_string()));
  }
}

}  // namespace

std::vector<Finding> check(const Matrix& matrix) {
  return Checker(matrix).run();
}

}  // namespace torchkiln::matrix
