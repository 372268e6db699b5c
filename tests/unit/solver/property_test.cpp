// Random requests to the real matrix: the answer is what trying every combination with the rules of
// docs/matrix.md gives, a core is minimal, and every fix works when its command is typed.

#include "decision/solver/explain.hpp"
#include "decision/solver/fixes.hpp"
#include "decision/solver/rules.hpp"
#include "unit/solver/real.hpp"

#include <cstdlib>
#include <random>
#include <set>
#include <tuple>

using namespace torchkiln;

namespace {

unsigned seed() {
  const char* text = std::getenv("TORCHKILN_SEED");
  return text ? static_cast<unsigned>(std::strtoul(text, nullptr, 10)) : 20261121U;
}

class RandomRequests {
  bool often(int per_cent) { return std::uniform_int_distribution<int>(0, 99)(m_random) < per_cent; }
  template <class Rows>
  auto pick(const Rows& rows) -> const typename Rows::value_type& {
    return rows[std::uniform_int_distribution<std::size_t>(0, rows.size() - 1)(m_random)];
  }
  std::string one_of(const std::vector<std::string>& texts) { return pick(texts); }

 public:
  explicit RandomRequests(unsigned from) : m_random(from) {}

  Wishes next() {
    const auto& matrix = real_matrix();
    Wishes wishes;
    if (often(60)) wishes.pytorch = pick(matrix.releases).pytorch.to_string();
    if (often(15)) wishes.pytorch = ">=" + pick(matrix.releases).pytorch.to_string();
    if (often(25)) wishes.python = one_of({"3.8", "3.9", "3.10", "3.11", "3.12", "3.13", ">=3.10"});
    if (often(30)) wishes.cuda = one_of({"11.8", "12.1", "12.6", "12.8", "12.9", "13.0", "13.2", ">=12.6", "<13"});
    if (often(15)) wishes.cudnn = one_of({"8", "9", "9.1", "9.10.2.21", ">=9.13"});
    if (often(15)) wishes.nccl = one_of({"2.21", ">=2.27", "2.27.3", "<2.20"});
    if (often(20)) wishes.os = pick(matrix.systems).id;
    if (often(50)) wishes.driver = pick(matrix.toolkits).driver.to_string();
    if (often(60)) wishes.gpus.push_back(pick(matrix.gpus).model);
    if (often(20)) wishes.gpus.push_back("sm_90");
    if (often(10)) wishes.packages.emplace_back("torchvision");
    if (often(5)) wishes.packages.emplace_back("torchvision==0.29.2");
    if (often(8)) wishes.packages.emplace_back("torchaudio>=2.5");
    return wishes;
  }
  solver::Request request() {
    auto asked = torchkiln::request(next());
    asked.prefer = k_preferences[std::uniform_int_distribution<std::size_t>(0, 2)(m_random)];
    if (often(10)) asked.architecture = matrix::Architecture::aarch64;
    if (often(20)) asked.forward_compat = solver::ForwardCompat::allowed;
    if (often(20)) asked.indexes = solver::Indexes::default_only;
    return asked;
  }

 private:
  static constexpr spec::Prefer k_preferences[] = {spec::Prefer::stable, spec::Prefer::newest,
                                                   spec::Prefer::smallest};
  std::mt19937 m_random;
};

/// Whether a build serves one GPU with the driver in the given mode (none: no driver was asked for).
bool serves(const matrix::Build& build, const matrix::NamedGpu& gpu, std::optional<solver::DriverMode> mode) {
  const auto* cudnn = solver::cudnn_row(real_matrix(), build);
  if (cudnn && !solver::cudnn_serves(*cudnn, gpu.compute)) return false;
  if (mode == solver::DriverMode::forward_compat && !solver::may_use_compat_package(gpu)) return false;
  if (solver::has_sass(build, gpu.compute)) return true;
  return solver::has_ptx(build, gpu.compute) && mode != solver::DriverMode::minor_version;
}

bool driver_runs(const solver::Request& asked, const matrix::Build& build,
                 const std::vector<matrix::NamedGpu>& gpus) {
  const auto& matrix = real_matrix();
  const auto all_served = [&](std::optional<solver::DriverMode> mode) {
    for (const auto& gpu : gpus)
      if (!serves(build, gpu, mode)) return false;
    return true;
  };
  if (!asked.require.driver) return all_served(std::nullopt);
  const auto& driver = asked.require.driver->value;
  for (const auto& gpu : gpus)
    if (!solver::drives(matrix, driver, gpu)) return false;
  const auto mode = solver::driver_mode(matrix, *build.cuda, driver);
  if (mode && all_served(mode)) return true;
  return asked.forward_compat == solver::ForwardCompat::allowed &&
         solver::compat_package(matrix, *build.cuda, driver) && all_served(solver::DriverMode::forward_compat);
}

/// Whether some release of every companion asked for goes together with the rest.
bool packages_fit(const solver::Request& asked, const matrix::Build& build, const std::string& python,
                  const std::vector<matrix::NamedGpu>& gpus) {
  for (const auto& package : asked.packages) {
    bool fits = package.name != "torchvision" && package.name != "torchaudio";
    for (const auto& row : real_matrix().companions) {
      if (row.package != package.name || !package.versions.contains(row.release)) continue;
      if (!solver::accepts(row, build.pytorch) || std::count(row.python.begin(), row.python.end(), python) == 0)
        continue;
      solver::Combination combination{build, python, {}, {{row.package, row.release}}};
      for (const auto& gpu : gpus) combination.gpus.push_back(gpu.compute);
      fits = fits || !solver::find_broken(real_matrix(), combination);
    }
    if (!fits) return false;
  }
  return true;
}

/// Whether a build is chosen before another, as docs/matrix.md says it.
bool better(const matrix::Build& a, const matrix::Build& b, spec::Prefer prefer) {
  const auto rank = [&](const matrix::Build& build) {
    return prefer == spec::Prefer::newest ? static_cast<int>(solver::tier(build) == 2) : solver::tier(build);
  };
  if (rank(a) != rank(b)) return rank(a) < rank(b);
  if (prefer == spec::Prefer::smallest) {
    const auto size = [](const matrix::Build& build) { return build.download_bytes.value_or(UINT64_MAX); };
    if (size(a) != size(b)) return size(a) < size(b);
  }
  if (a.pytorch != b.pytorch) return a.pytorch > b.pytorch;
  if (prefer == spec::Prefer::newest && a.cuda != b.cuda) return *a.cuda > *b.cuda;
  if ((a.index == "default") != (b.index == "default")) return a.index == "default";
  if (a.status != b.status) return a.status < b.status;
  return *a.cuda > *b.cuda;
}

/// A build and a system that satisfy a request.
struct Candidate {
  const matrix::Build* build;
  const matrix::OperatingSystem* system;
  std::string to_string() const {
    return build->full_version().to_string() + " " + build->index + " " + system->id + " " + system->python;
  }
};

std::vector<matrix::NamedGpu> gpus_of(const solver::Request& asked) {
  std::vector<matrix::NamedGpu> gpus;
  for (const auto& gpu : asked.require.gpus) gpus.push_back(find_gpu(real_matrix(), gpu.value).value());
  return gpus;
}

/// Every pair that satisfies the request, by trying them all; systems in the order of preference.
std::vector<Candidate> candidates_of(const solver::Request& asked) {
  const auto& matrix = real_matrix();
  const auto& require = asked.require;
  const auto gpus = gpus_of(asked);
  const auto wished = [](const auto& wish, const auto& value) {
    return !wish || (value && wish->value.contains(*value));
  };
  std::vector<Candidate> candidates;
  for (const auto& build : matrix.builds) {
    if (!build.cuda || build.architecture != asked.architecture) continue;
    if (asked.indexes == solver::Indexes::default_only && build.index != "default") continue;
    if (require.pytorch && !require.pytorch->value.contains(build.full_version())) continue;
    if (require.cuda && !require.cuda->value.contains(build.cuda->as_version())) continue;
    if (!wished(require.cudnn, build.cudnn) || !wished(require.nccl, build.nccl)) continue;
    if (!driver_runs(asked, build, gpus)) continue;
    for (const auto& system : matrix.systems) {
      if (require.os ? system.id != require.os->value : system.choice == matrix::Choice::on_request) continue;
      if (system.glibc < build.glibc || !build.has_python(system.python)) continue;
      if (require.python && !require.python->value.contains(version::Version::parse(system.python).value()))
        continue;
      if (packages_fit(asked, build, system.python, gpus)) candidates.push_back({&build, &system});
    }
  }
  return candidates;
}

/// The best build and system by trying every pair.
std::optional<std::string> best_by_trying_all(const solver::Request& asked) {
  const auto candidates = candidates_of(asked);
  const Candidate* best = nullptr;
  for (const auto& candidate : candidates)
    if (!best || better(*candidate.build, *best->build, asked.prefer)) best = &candidate;
  if (!best) return std::nullopt;
  return best->to_string();
}

/// Invented proofs, most of them on the GPUs of the request.
std::vector<matrix::Proof> random_proofs(const solver::Request& asked, std::mt19937& random) {
  const auto& matrix = real_matrix();
  const auto below = [&](std::size_t count) {
    return std::uniform_int_distribution<std::size_t>(0, count - 1)(random);
  };
  const auto gpus = gpus_of(asked);
  std::vector<matrix::Proof> proofs;
  for (int i = 0; i < 60; ++i) {
    const auto& build = matrix.builds[below(matrix.builds.size())];
    const auto& system = matrix.systems[below(matrix.systems.size())];
    const auto* gpu = &matrix.gpus[below(matrix.gpus.size())];
    if (!gpus.empty() && below(10) < 9) {
      const auto& wanted = gpus[below(gpus.size())];
      for (const auto& row : matrix.gpus)
        if (wanted.row ? &row == wanted.row : row.compute == wanted.compute) gpu = &row;
    }
    matrix::Proof proof;
    proof.pytorch = build.pytorch;
    proof.variant = build.variant;
    proof.architecture = build.architecture;
    proof.python = system.python;
    proof.system = system.id;
    proof.gpu = "NVIDIA " + gpu->model;
    proof.compute = gpu->compute;
    proof.driver = matrix.toolkits[below(matrix.toolkits.size())].driver;
    proof.from.source = base::Digest::of(std::to_string(i)).to_string();
    proof.from.date = "2026-11-" + std::to_string(10 + below(15));
    proofs.push_back(std::move(proof));
  }
  std::stable_sort(proofs.begin(), proofs.end(),
                   [](const matrix::Proof& a, const matrix::Proof& b) { return a.from.date > b.from.date; });
  return proofs;
}

/// The day since when a candidate is proven on all GPUs of the request; empty when it is not.
std::string proven_since(const Candidate& candidate, const solver::Request& asked,
                         const std::vector<matrix::Proof>& proofs) {
  const auto newest = [&](const matrix::NamedGpu* gpu) {
    std::string date;
    for (const auto& proof : proofs) {
      const auto on = find_gpu(real_matrix(), proof.gpu).value();
      if (proof.build() != candidate.build->full_version().to_string() ||
          proof.architecture != candidate.build->architecture || proof.system != candidate.system->id ||
          proof.python != candidate.system->python)
        continue;
      if (asked.require.driver && asked.require.driver->value < proof.driver) continue;
      if (gpu && (gpu->row ? gpu->row != on.row : gpu->compute != on.compute)) continue;
      date = std::max(date, proof.from.date);
    }
    return date;
  };
  const auto gpus = gpus_of(asked);
  if (gpus.empty()) return newest(nullptr);
  std::string since = "9999";
  for (const auto& gpu : gpus) since = std::min(since, newest(&gpu));
  return since;
}

std::optional<std::string> best_by_solving(const solver::Request& asked) {
  const auto outcome = solver::solve(asked, real_matrix());
  const auto* resolution = std::get_if<solver::Resolution>(&outcome);
  if (!resolution) return std::nullopt;
  return chosen(*resolution) + " " + resolution->os.id + " " + resolution->python;
}

}  // namespace

TEST_CASE("on random requests the solver's answer is the one that trying every combination gives") {
  RandomRequests requests(seed());
  int answered = 0;
  int refused = 0;
  for (int round = 0; round < 1500; ++round) {
    const auto asked = requests.request();
    INFO("TORCHKILN_SEED=" << seed() << ", round " << round << ": " << solver::command_of(asked, {}));
    const auto expected = best_by_trying_all(asked);
    REQUIRE(best_by_solving(asked) == expected);
    ++(expected ? answered : refused);
  }
  CHECK(answered > 200);
  CHECK(refused > 200);
}

TEST_CASE("on random requests what was proven last is chosen, and what is stable where nothing is proven") {
  RandomRequests requests(seed() + 3);
  std::mt19937 random(seed() + 4);
  auto matrix = real_matrix();
  int proven = 0;
  int unproven = 0;
  for (int round = 0; round < 800; ++round) {
    auto asked = requests.request();
    asked.prefer = spec::Prefer::proven;
    INFO("TORCHKILN_SEED=" << seed() << ", round " << round << ": " << solver::command_of(asked, {}));
    matrix.proofs = random_proofs(asked, random);
    const auto candidates = candidates_of(asked);
    const Candidate* best = nullptr;
    std::string since;
    for (const auto& candidate : candidates) {
      const auto date = proven_since(candidate, asked, matrix.proofs);
      if (best && (date != since ? date < since : !better(*candidate.build, *best->build, spec::Prefer::stable)))
        continue;
      best = &candidate;
      since = date;
    }
    const auto outcome = solver::solve(asked, matrix);
    const auto* resolution = std::get_if<solver::Resolution>(&outcome);
    REQUIRE((resolution != nullptr) == (best != nullptr));
    if (!resolution) continue;
    REQUIRE(chosen(*resolution) + " " + resolution->os.id + " " + resolution->python == best->to_string());
    REQUIRE(resolution->proofs.empty() == since.empty());
    ++(since.empty() ? unproven : proven);
  }
  CHECK(proven > 50);
  CHECK(unproven > 50);
}

TEST_CASE("on random requests a core without any one of its statements has an answer") {
  RandomRequests requests(seed() + 1);
  int cores = 0;
  for (int round = 0; round < 800; ++round) {
    const auto asked = requests.request();
    const auto catalogue = solver::make_catalogue(real_matrix(), asked.architecture, asked.prefer);
    const auto model = solver::make_model(asked, catalogue);
    if (solver::best(model.problem, model.all())) continue;
    INFO("TORCHKILN_SEED=" << seed() << ", round " << round << ": " << solver::command_of(asked, {}));
    const auto core = solver::core_of(model);
    REQUIRE_FALSE(solver::best(model.problem, core));
    for (const std::size_t left_out : core) {
      auto rest = core;
      std::erase(rest, left_out);
      REQUIRE(solver::best(model.problem, rest));
    }
    for (const auto& statement : solver::statements_of(model, core)) {
      INFO(statement.statement);
      REQUIRE_FALSE(statement.statement.empty());
      REQUIRE_FALSE(statement.source.empty());
      REQUIRE(statement.statement.find("nothing") == std::string::npos);
      REQUIRE(statement.statement.find('?') == std::string::npos);
    }
    ++cores;
  }
  CHECK(cores > 100);
}

TEST_CASE("on random requests every fix works as it is printed, and there is at least one") {
  RandomRequests requests(seed() + 2);
  int fixes = 0;
  for (int round = 0; round < 600; ++round) {
    const auto wishes = requests.next();
    const auto asked = request(wishes);
    const auto outcome = solver::solve(asked, real_matrix());
    const auto* conflict = std::get_if<solver::Conflict>(&outcome);
    if (!conflict) continue;
    INFO("TORCHKILN_SEED=" << seed() << ", round " << round << ": " << solver::command_of(asked, {}));
    REQUIRE_FALSE(conflict->fixes.empty());
    REQUIRE(conflict->fixes.size() <= solver::k_fixes_max);
    std::set<std::string> commands;
    for (const auto& fix : conflict->fixes) {
      INFO(fix.text << " => " << fix.command);
      // A package less is an edit of the spec: the command is then that of the edited spec.
      const bool edits_spec = fix.text.find("[packages]") != std::string::npos;
      // What the command says: the request's options, with those of the fix in their place.
      spec::Overrides typed = overrides_of(wishes);
      const auto put = [](std::optional<std::string>& field, const std::optional<std::string>& value) {
        if (value) field = value;
      };
      put(typed.pytorch, fix.overrides.pytorch);
      put(typed.python, fix.overrides.python);
      put(typed.cuda, fix.overrides.cuda);
      put(typed.cudnn, fix.overrides.cudnn);
      put(typed.nccl, fix.overrides.nccl);
      put(typed.os, fix.overrides.os);
      put(typed.driver, fix.overrides.driver);
      typed.forward_compat = typed.forward_compat || fix.overrides.forward_compat;
      if (!fix.overrides.gpus.empty()) typed.gpus = fix.overrides.gpus;
      auto again = solver::request_of(spec::with_overrides({}, typed).value(), real_matrix()).value();
      if (!edits_spec) again.packages = asked.packages;
      const auto second = solver::solve(again, real_matrix());
      REQUIRE(std::holds_alternative<solver::Resolution>(second));
      if (!edits_spec) REQUIRE(chosen(std::get<solver::Resolution>(second)) == chosen(fix.resolution));
      REQUIRE(solver::command_of(again, {}) == fix.command);
      ++fixes;
    }
  }
  CHECK(fixes > 200);
}
