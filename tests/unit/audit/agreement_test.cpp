// Audit and solver agree on random pairs of the real matrix: a pair runs exactly when the solver, given the host's
// facts and the exact build, resolves to it; and the newest release that a fix names is the solver's own answer.

#include "decision/audit/fixes.hpp"
#include "decision/solver/solver.hpp"
#include "unit/audit/audit_fixture.hpp"

#include <cstdlib>
#include <random>

using namespace torchkiln;

namespace {

unsigned seed() {
  const char* text = std::getenv("TORCHKILN_SEED");
  return text ? static_cast<unsigned>(std::strtoul(text, nullptr, 10)) : 20261121U;
}

class RandomPairs {
 public:
  explicit RandomPairs(unsigned from) : m_random(from) {}
  template <class Rows>
  auto pick(const Rows& rows) -> const typename Rows::value_type& {
    return rows[std::uniform_int_distribution<std::size_t>(0, rows.size() - 1)(m_random)];
  }
  bool often(int per_cent) { return std::uniform_int_distribution<int>(0, 99)(m_random) < per_cent; }

 private:
  std::mt19937 m_random;
};

struct Host {
  host::Machine machine;
  spec::Overrides overrides;
};

Host random_host(RandomPairs& random) {
  const auto& matrix = real_matrix();
  Host host;
  const auto driver = random.pick(matrix.toolkits).driver;
  host.machine.name = "h";
  host.machine.driver = {driver, "test"};
  host.overrides.driver = driver.to_string();
  for (int i = 0; i < (random.often(20) ? 2 : 1); ++i) {
    host::MachineGpus gpus;
    gpus.model = random.often(90) ? random.pick(matrix.gpus).model : "sm_90";
    host.machine.gpus.push_back(gpus);
    host.overrides.gpus.push_back(gpus.model);
  }
  return host;
}

solver::Request request_of(const spec::Overrides& overrides, matrix::Architecture architecture) {
  auto request = must(solver::request_of(must(spec::with_overrides({}, overrides)), real_matrix()));
  request.architecture = architecture;
  return request;
}

std::string answer(const solver::Request& request) {
  const auto outcome = solver::solve(request, real_matrix());
  const auto* resolution = std::get_if<solver::Resolution>(&outcome);
  return resolution ? resolution->pytorch.to_string() + "+" + resolution->build : "none";
}

}  // namespace

TEST_CASE("on random pairs audit and solver agree") {
  RandomPairs random(seed());
  const audit::Judge judge(real_matrix());
  int running = 0;
  for (int round = 0; round < 1200; ++round) {
    auto host = random_host(random);
    const auto& build = random.pick(real_matrix().builds);
    if (!build.cuda) continue;
    host.machine.architecture = {build.architecture, "test"};
    host.overrides.pytorch = build.full_version().to_string();
    // A system with a Python that the build has wheels for: an image's operating system is not the host's matter.
    for (const auto& system : real_matrix().systems)
      if (build.has_python(system.python) && system.glibc >= build.glibc) host.overrides.os = system.id;
    REQUIRE(host.overrides.os);
    auto request = request_of(host.overrides, build.architecture);
    // A compat package of exactly the build's CUDA, laid on the path, or none.
    if (random.often(20)) {
      request.forward_compat = solver::ForwardCompat::allowed;
      host.machine.compat_package = {*build.cuda, "test"};
    }
    const auto judgement =
        judge.assess(judge.facts_of(host.machine), judge.facts_of(release(build.full_version().to_string())));
    INFO("TORCHKILN_SEED=" << seed() << ", round " << round << ": " << build.full_version().to_string()
                           << " driver " << *host.overrides.driver << " gpu " << host.overrides.gpus[0]);
    // What stops a compat package on the path from being harmless is the host's matter, not the solver's.
    if (judgement.verdict == audit::Verdict::driver_mismatch) continue;
    const std::string expected = runs(judgement.verdict) ? build.full_version().to_string() : "none";
    REQUIRE(answer(request) == expected);
    running += runs(judgement.verdict);
  }
  CHECK(running > 150);
}

TEST_CASE("on random hosts the newest release that runs is what the solver chooses") {
  RandomPairs random(seed() + 1);
  const audit::Judge judge(real_matrix());
  int found = 0;
  for (int round = 0; round < 400; ++round) {
    auto host = random_host(random);
    host.machine.architecture = {matrix::Architecture::x86_64, "test"};
    const auto* newest = audit::newest_running(judge, judge.facts_of(host.machine), matrix::Architecture::x86_64);
    INFO("TORCHKILN_SEED=" << seed() << ", round " << round << ": driver " << *host.overrides.driver << " gpu "
                           << host.overrides.gpus[0]);
    REQUIRE(answer(request_of(host.overrides, matrix::Architecture::x86_64)) ==
            (newest ? newest->full_version().to_string() : "none"));
    found += newest != nullptr;
  }
  CHECK(found > 100);
}
