#include "decision/audit/fixes.hpp"

#include "decision/solver/rules.hpp"
#include "decision/solver/words.hpp"

#include <algorithm>
#include <array>

#include <fmt/format.h>

namespace torchkiln::audit {

namespace {

class Fixer {
 public:
  explicit Fixer(const Pair& pair) : m(pair) {}

  std::vector<Fix> run(const matrix::Build* newest, const Image* other) {
    facts();
    driver();
    host();
    image();
    releases(newest);
    const bool is_told = other && newest && other->pytorch == newest->pytorch && other->build == newest->variant;
    if (other && !is_told) add(other->name + " runs here as it is");
    if (m_fixes.empty()) driver_and_release();
    return std::move(m_fixes);
  }

 private:
  void add(std::string text, std::string command = {}) { m_fixes.push_back({std::move(text), std::move(command)}); }
  bool fails(Rule rule) const {
    return std::any_of(m.assessment.findings.begin(), m.assessment.findings.end(),
                       [&](const Finding& finding) { return finding.rule == rule; });
  }
  bool runs_on(const MachineFacts& machine) const { return runs(m.judge.assess(machine, m.image_facts).verdict); }
  bool runs_with(const version::DriverVersion& driver) const {
    return runs_on(m.judge.with_driver(m.machine_facts, driver));
  }
  bool driver_may_help() const;
  void driver();
  void host();
  void image();
  bool has_companion(const std::string& package, const matrix::Build& build) const;
  bool has_companions(const matrix::Build& build) const;
  void leave_out(const std::string& package, const matrix::Build& build);
  void releases(const matrix::Build* newest);
  std::string command(const matrix::Build& build, Verdict verdict) const;
  void driver_and_release();
  void facts();

  const Pair& m;
  std::vector<Fix> m_fixes;
};

/// Whether only rules fail that another driver may satisfy.
bool Fixer::driver_may_help() const {
  constexpr std::array k_of_driver{Rule::driver_gpu,     Rule::driver_floor, Rule::compat_older,
                                   Rule::nvidia_require, Rule::ptx,          Rule::nvidia_require_unknown};
  const auto& findings = m.assessment.findings;
  return m.machine_facts.driver && std::all_of(findings.begin(), findings.end(), [&](const Finding& finding) {
           return std::find(k_of_driver.begin(), k_of_driver.end(), finding.rule) != k_of_driver.end();
         });
}

void Fixer::driver() {
  if (!driver_may_help()) return;
  const auto& drivers = m.judge.drivers();
  const auto now = std::upper_bound(drivers.begin(), drivers.end(), *m.machine_facts.driver);
  const auto newer = std::find_if(now, drivers.end(), [&](const auto& driver) { return runs_with(driver); });
  if (newer != drivers.end()) {
    const auto last =
        std::find_if(drivers.rbegin(), drivers.rend(), [&](const auto& driver) { return runs_with(driver); });
    return add(fmt::format("driver {} or newer{}", newer->to_string(),
                           last == drivers.rbegin() ? "" : fmt::format(", up to branch R{}", last->branch())));
  }
  const auto older = std::find_if(std::make_reverse_iterator(now), drivers.rend(),
                                  [&](const auto& driver) { return runs_with(driver); });
  if (older != drivers.rend()) add(fmt::format("an older driver, of branch R{}", older->branch()));
}

void Fixer::host() {
  MachineFacts machine = m.machine_facts;
  if (fails(Rule::driver_library)) {
    machine.is_mismatched = false;
    if (runs_on(machine))
      add(fmt::format("restart the host, or reload its kernel module: it holds {} while {} is installed",
                      m.machine.driver->value.to_string(), m.machine.userland->value.to_string()));
    return;
  }
  if (m.machine_facts.compat) {
    machine.compat.reset();
    if (runs_on(machine)) add("take the cuda-compat package off the library path");
  } else if (fails(Rule::driver_floor)) {
    const auto* package = solver::compat_package(m.matrix(), *m.cuda(), *m.machine_facts.driver);
    if (package) machine.compat = package->cuda;
    if (package && runs_on(machine))
      add(fmt::format("cuda-compat-{}-{} in the image and on its library path", package->cuda.major,
                      package->cuda.minor));
  }
  machine = m.machine_facts;
  if (!fails(Rule::nvidia_require) && !fails(Rule::nvidia_require_unknown)) return;
  machine.checks_requirements = false;
  if (runs_on(machine)) add("start it with NVIDIA_DISABLE_REQUIRE=1, or through CDI: nothing else is in the way");
}

/// Whether there is a release of the companion that works beside the build.
bool Fixer::has_companion(const std::string& package, const matrix::Build& build) const {
  const auto& rows = m.matrix().companions;
  return std::any_of(rows.begin(), rows.end(), [&](const matrix::Companion& row) {
    return row.package == package && solver::accepts(row, build.pytorch) &&
           !solver::find_broken(m.matrix(), {build, m.image.python, {}, {{package, row.release}}});
  });
}

/// Whether each companion that the image has can be had for another build too.
bool Fixer::has_companions(const matrix::Build& build) const {
  return std::all_of(m.image.packages.begin(), m.image.packages.end(), [&](const Package& package) {
    return !matrix::is_companion(package.name) || has_companion(package.name, build);
  });
}

void Fixer::leave_out(const std::string& package, const matrix::Build& build) {
  if (!package.empty() && !has_companion(package, build)) add(fmt::format("leave {} out of the image", package));
}

void Fixer::image() {
  const auto* build = m.on().build;
  if (!build) return;
  if (fails(Rule::python)) add("Python " + m.pythons_in_words(build->python));
  for (const auto& finding : m.assessment.findings) {
    if (finding.rule == Rule::broken) leave_out(m.matrix().broken[finding.item].package, *build);
    if (finding.rule != Rule::companion && finding.rule != Rule::companion_cuda) continue;
    const std::string& package = m.image.packages[finding.item].name;
    if (finding.rule == Rule::companion_cuda) {
      add(fmt::format("a {} that is built for CUDA {}, as PyTorch's own index has them", package,
                      build->cuda->major));
      continue;
    }
    if (const auto* row = find_companion(m.matrix(), package, build->pytorch))
      add(fmt::format("{} {}, which goes with PyTorch {}", package, row->release.to_string(),
                      build->pytorch.to_string()));
  }
}

std::string Fixer::command(const matrix::Build& build, Verdict verdict) const {
  std::string text = fmt::format("torchkiln resolve --pytorch {} --driver {}", build.full_version().to_string(),
                                 m.machine_facts.driver->to_string());
  for (const auto& gpu : m.machine_facts.gpus) {
    const std::string called = gpu->row ? gpu->name : gpu->compute.sm();
    text += called.find_first_of(" ()") == std::string::npos ? " --gpu " + called : " --gpu '" + called + "'";
  }
  if (m.architecture() != matrix::Architecture::x86_64) text += fmt::format(" --arch {}", name(m.architecture()));
  if (verdict == Verdict::forward_compat) text += " --forward-compat";
  return text;
}

/// Where no single change helps: the nearest driver with which there is any release.
void Fixer::driver_and_release() {
  if (!m.machine_facts.driver || !m.image.pytorch || fails(Rule::driver_library)) return;
  const auto& drivers = m.judge.drivers();
  const auto now = std::upper_bound(drivers.begin(), drivers.end(), *m.machine_facts.driver);
  const auto release_with = [&](const version::DriverVersion& driver) -> const matrix::Build* {
    for (const auto& gpu : m.machine_facts.gpus)
      if (!gpu || !solver::drives(m.matrix(), driver, *gpu)) return nullptr;
    return newest_running(m.judge, m.judge.with_driver(m.machine_facts, driver), m.architecture());
  };
  for (auto driver = now; driver != drivers.end(); ++driver)
    if (const auto* build = release_with(*driver))
      return add(fmt::format("driver {} and PyTorch {}", driver->to_string(), build->full_version().to_string()));
  for (auto driver = std::make_reverse_iterator(now); driver != drivers.rend(); ++driver)
    if (const auto* build = release_with(*driver))
      return add(fmt::format("an older driver, of branch R{}, and PyTorch {}", driver->branch(),
                             build->full_version().to_string()));
}

/// What to say about the host, where that is what is missing.
void Fixer::facts() {
  if (fails(Rule::driver_unknown))
    add("say the host's driver: driver=535.104.05 of --host, or an inventory that has it");
  if (fails(Rule::gpus_unknown)) add("say the host's GPUs: gpu=A100 of --host, or an inventory that has them");
  if (fails(Rule::gpu_unknown)) add("say the GPU's compute capability: gpu=sm_80 of --host");
  if (fails(Rule::compat_gpu_unknown)) add("say the GPU's model: gpu=A100 of --host");
  if (fails(Rule::nvidia_require_unknown))
    add("say the GPU's brand, as nvidia-smi -q prints it (\"Product Brand\"): an inventory of its XML has it");
}

void Fixer::releases(const matrix::Build* newest) {
  const auto tell = [&](const matrix::Build& build, const ImageFacts& facts) {
    const auto assessment = m.judge.assess(m.machine_facts, facts);
    add(fmt::format("PyTorch {} runs here as it is ({})", build.full_version().to_string(),
                    name(assessment.verdict)),
        command(build, assessment.verdict));
  };
  for (const auto& candidate : m.judge.candidates(m.architecture())) {
    const bool is_newest = candidate.build == newest;
    const bool same_release = m.image.pytorch && candidate.build->pytorch == *m.image.pytorch;
    if (candidate.build == m.on().build || !same_release || is_newest || !has_companions(*candidate.build))
      continue;
    if (!runs(m.judge.assess(m.machine_facts, candidate.facts).verdict)) continue;
    tell(*candidate.build, candidate.facts);
    break;
  }
  if (!newest || newest == m.on().build) return;
  // Newest first: this is `newest` itself, unless it lacks a companion.
  for (const auto& candidate : m.judge.candidates(m.architecture())) {
    if (!has_companions(*candidate.build)) continue;
    if (!runs(m.judge.assess(m.machine_facts, candidate.facts).verdict)) continue;
    return tell(*candidate.build, candidate.facts);
  }
}

}  // namespace

const matrix::Build* newest_running(const Judge& judge, const MachineFacts& machine,
                                    matrix::Architecture architecture) {
  for (const auto& candidate : judge.candidates(architecture))
    if (runs(judge.assess(machine, candidate.facts).verdict)) return candidate.build;
  return nullptr;
}

std::vector<Fix> fixes_of(const Pair& pair, const matrix::Build* newest, const Image* other) {
  if (runs(pair.assessment.verdict)) return {};
  return Fixer(pair).run(newest, other);
}

}  // namespace torchkiln::audit
