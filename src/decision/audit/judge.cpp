#include "decision/audit/judge.hpp"

#include "decision/solver/rules.hpp"

#include <algorithm>

namespace torchkiln::audit {

namespace {

struct RuleRow {
  std::string_view name;
  Verdict verdict;
};
/// In the order of Rule.
constexpr std::array<RuleRow, 29> k_rules{{{"architecture", Verdict::no_such_build},
                                           {"gpu-present", Verdict::no_gpu},
                                           {"driver-library", Verdict::driver_mismatch},
                                           {"glibc", Verdict::glibc_too_old},
                                           {"driver-gpu", Verdict::gpu_not_in_driver},
                                           {"driver-floor", Verdict::driver_too_old},
                                           {"compat-package", Verdict::driver_mismatch},
                                           {"compat-package", Verdict::driver_mismatch},
                                           {"nvidia-require", Verdict::requirement_refused},
                                           {"kernels", Verdict::no_kernels},
                                           {"ptx", Verdict::no_kernels},
                                           {"pytorch-table", Verdict::unsupported_by_pytorch},
                                           {"cudnn", Verdict::no_kernels},
                                           {"cpu-build", Verdict::cpu_only},
                                           {"build", Verdict::no_such_build},
                                           {"python", Verdict::python_unsupported},
                                           {"companion", Verdict::packages_conflict},
                                           {"companion-cuda", Verdict::packages_conflict},
                                           {"companion-python", Verdict::python_unsupported},
                                           {"pin", Verdict::packages_conflict},
                                           {"broken", Verdict::packages_conflict},
                                           {"image", Verdict::unknown},
                                           {"driver", Verdict::unknown},
                                           {"gpu", Verdict::unknown},
                                           {"gpu", Verdict::unknown},
                                           {"compat-package", Verdict::unknown},
                                           {"kernels", Verdict::unknown},
                                           {"nvidia-require", Verdict::unknown},
                                           {"package", Verdict::unknown}}};

/// The brands that NVML has for GPUs of a class, where the machine does not name it. Seen: V100 and P40 "Tesla";
/// T4, H100 and GH200 "NVIDIA"; six GeForce RTX "GeForce"; RTX A2000 "NVIDIA RTX". The others are the brands that
/// NVIDIA's own requirement strings name for such cards.
std::vector<std::string> possible_brands(const std::string& brand, const std::optional<matrix::NamedGpu>& gpu) {
  if (!brand.empty()) return {brand};
  if (!gpu || !gpu->row) return {""};
  if (gpu->row->model.find("TITAN") != std::string::npos) return {"titan", "titanrtx"};
  switch (gpu->row->gpu_class) {
    case matrix::GpuClass::datacenter:
      return {"tesla", "nvidia"};
    case matrix::GpuClass::consumer:
      return {"geforce", "geforcertx"};
    case matrix::GpuClass::workstation:
      return {"quadro", "quadrortx", "nvidiartx", "nvidia"};
    default:
      return {""};
  }
}

std::optional<matrix::NamedGpu> gpu_of(const matrix::Matrix& matrix, const host::MachineGpus& gpus) {
  auto named = gpus.model.empty() ? std::nullopt : find_gpu(matrix, gpus.model);
  if (!gpus.compute) return named;
  // The machine's own word on the compute capability counts more than a table of models.
  if (named && named->row) return matrix::NamedGpu{named->name, *gpus.compute, named->row};
  return matrix::NamedGpu{gpus.model.empty() ? gpus.compute->sm() : gpus.model, *gpus.compute, nullptr};
}

version::CudaVersion without_patch(version::CudaVersion cuda) {
  cuda.patch = 0;
  return cuda;
}

/// What the driver calls its CUDA version in NVIDIA_REQUIRE_*, and the driver.
void set_driver(const matrix::Matrix& matrix, MachineFacts& facts, const version::DriverVersion& driver) {
  facts.driver = driver;
  facts.cuda = solver::cuda_of(matrix, driver);
  for (auto& of_gpu : facts.requirement_facts)
    for (auto& entry : of_gpu) {
      entry.driver = driver.to_string();
      entry.cuda = facts.cuda ? facts.cuda->to_string() : "0";
    }
}

/// Judges one pair, group by group.
class Assessor {
 public:
  Assessor(const matrix::Matrix& matrix, const MachineFacts& machine, const ImageFacts& image, Assessment& into)
      : m_matrix(matrix),
        m_machine(machine),
        m_image(image),
        m_on(image.on[static_cast<std::size_t>(Judge::architecture_of(machine, image))]),
        m_result(into) {
    if (m_on.build && m_on.build->cuda) m_cuda = m_on.build->cuda;
    if (!m_image.has_pytorch) m_cuda = m_image.requirement;
  }

  void run() {
    host();
    driver();
    requirements();
    kernels();
    for (const auto& finding : m_on.findings) fail(finding.rule, finding.item);
    broken();
    conclude();
  }

 private:
  void fail(Rule rule, std::size_t item = 0) { m_result.findings.push_back({rule, item}); }
  void host();
  void driver();
  void compat();
  void requirements();
  void kernels();
  void kernels_of(std::size_t item);
  void broken();
  void conclude();

  /// A build with CUDA, or a requirement that speaks of one.
  bool needs_gpu() const { return m_cuda || !m_image.has_pytorch; }
  bool is_driven(std::size_t item) const {
    return solver::drives(m_matrix, *m_machine.driver, *m_machine.gpus[item]);
  }
  bool has_sass(std::size_t item) const { return solver::has_sass(*m_on.build, m_machine.gpus[item]->compute); }
  bool has_ptx(std::size_t item) const { return solver::has_ptx(*m_on.build, m_machine.gpus[item]->compute); }
  bool needs_ptx() const;

  const matrix::Matrix& m_matrix;
  const MachineFacts& m_machine;
  const ImageFacts& m_image;
  const ImageOnArchitecture& m_on;
  Assessment& m_result;
  std::optional<version::CudaVersion> m_cuda;
};

void Assessor::host() {
  if (m_machine.architecture && m_image.architecture && *m_machine.architecture != *m_image.architecture)
    fail(Rule::architecture);
  if (!needs_gpu()) return;
  if (m_machine.has_no_gpu) fail(Rule::gpu_present);
  if (m_machine.is_mismatched) fail(Rule::driver_library);
}

bool Assessor::needs_ptx() const {
  if (!m_on.build) return false;
  for (std::size_t item = 0; item < m_machine.gpus.size(); ++item)
    if (m_machine.gpus[item] && !has_sass(item) && has_ptx(item)) return true;
  return false;
}

void Assessor::driver() {
  const auto& glibc = m_image.glibc ? m_image.glibc : m_machine.glibc;
  if (glibc && m_on.build && *glibc < m_on.build->glibc) fail(Rule::glibc);
  if (!needs_gpu()) return;
  if (!m_machine.driver) {
    if (!m_machine.has_no_gpu) fail(Rule::driver_unknown);
    return;
  }
  for (std::size_t item = 0; item < m_machine.gpus.size(); ++item)
    if (m_machine.gpus[item] && !is_driven(item)) fail(Rule::driver_gpu, item);
  if (m_cuda) m_result.mode = solver::driver_mode(m_matrix, *m_cuda, *m_machine.driver);
  compat();
}

void Assessor::compat() {
  const bool too_old = m_cuda && !m_result.mode;
  // An image that is only a requirement brings the compat package that it was made with.
  const auto* offered =
      !m_image.has_pytorch && too_old ? solver::compat_package(m_matrix, *m_cuda, *m_machine.driver) : nullptr;
  const auto package = m_machine.compat ? m_machine.compat : offered ? std::optional(offered->cuda) : std::nullopt;
  if (!package || !m_machine.cuda || *package == *m_machine.cuda) {
    if (too_old) fail(Rule::driver_floor);
    return;
  }
  if (*package < *m_machine.cuda) {
    if (too_old) fail(Rule::driver_floor);
    return fail(Rule::compat_older);
  }
  bool allowed = true;
  std::optional<std::size_t> consumer, unclear;
  for (std::size_t item = 0; item < m_machine.gpus.size(); ++item) {
    const auto& gpu = m_machine.gpus[item];
    if (gpu && solver::may_use_compat_package(*gpu)) continue;
    allowed = false;
    if (!gpu || !gpu->row)
      unclear = item;
    else if (gpu->row->gpu_class == matrix::GpuClass::consumer && !consumer)
      consumer = item;
  }
  const bool serves = m_cuda && package->major == m_cuda->major && *package >= *m_cuda &&
                      solver::is_offered(m_matrix, *package, *m_machine.driver);
  const bool wanted = too_old || (m_result.mode == solver::DriverMode::minor_version && needs_ptx());
  if (wanted && serves && allowed) m_result.mode = solver::DriverMode::forward_compat;
  if (too_old && !m_result.mode) {
    if (serves && unclear && !consumer)
      fail(Rule::compat_gpu_unknown, *unclear);
    else
      fail(Rule::driver_floor);
  }
  if (consumer && m_machine.compat) fail(Rule::compat_gpu, *consumer);
}

void Assessor::requirements() {
  for (std::size_t item = 0; item < m_image.requirements.size(); ++item) {
    const auto answer = Judge::ask(m_image.requirements[item], m_machine);
    if (!m_machine.checks_requirements || m_machine.has_no_gpu) continue;
    if (answer == NvidiaRequirement::Answer::unknown) fail(Rule::nvidia_require_unknown, item);
    if (answer == NvidiaRequirement::Answer::unmet || answer == NvidiaRequirement::Answer::malformed)
      fail(Rule::nvidia_require, item);
  }
}

void Assessor::kernels() {
  if (!needs_gpu() || m_machine.has_no_gpu) return;
  if (m_machine.gpus.empty()) fail(Rule::gpus_unknown);
  for (std::size_t item = 0; item < m_machine.gpus.size(); ++item) {
    if (!m_machine.gpus[item])
      fail(Rule::gpu_unknown, item);
    else if (m_on.build && m_on.build->cuda)
      kernels_of(item);
  }
}

void Assessor::kernels_of(std::size_t item) {
  const auto compute = m_machine.gpus[item]->compute;
  if (m_on.cudnn && !solver::cudnn_serves(*m_on.cudnn, compute)) fail(Rule::cudnn, item);
  if (!m_on.build->sass || has_sass(item)) return;
  if (has_ptx(item)) {
    m_result.compiles_ptx = true;
    if (m_result.mode == solver::DriverMode::minor_version) fail(Rule::ptx, item);
    return;
  }
  // Of an older or equal code of the same generation only PyTorch's list of boards keeps it away.
  const auto& sass = *m_on.build->sass;
  const bool same_generation = std::any_of(sass.begin(), sass.end(), [&](version::ComputeCapability code) {
    return code.major == compute.major && code.minor <= compute.minor;
  });
  fail(same_generation ? Rule::pytorch_table : Rule::kernels, item);
}

void Assessor::broken() {
  if (!m_on.may_break_by_gpu) return;
  solver::Combination combination{*m_on.build, m_on.python, {}, m_on.packages};
  for (const auto& gpu : m_machine.gpus)
    if (gpu) combination.gpus.push_back(gpu->compute);
  const auto* row = solver::find_broken(m_matrix, combination);
  if (row && row->compute) fail(Rule::broken, static_cast<std::size_t>(row - m_matrix.broken.data()));
}

void Assessor::conclude() {
  if (!m_result.findings.empty()) {
    std::stable_sort(m_result.findings.begin(), m_result.findings.end(),
                     [](const Finding& a, const Finding& b) { return a.rule < b.rule; });
    m_result.verdict = verdict_of(m_result.findings.front().rule);
    return;
  }
  if (m_result.mode == solver::DriverMode::forward_compat)
    m_result.verdict = Verdict::forward_compat;
  else if (m_result.compiles_ptx)
    m_result.verdict = Verdict::ptx_jit;
  else
    m_result.verdict =
        m_result.mode == solver::DriverMode::minor_version ? Verdict::minor_version : Verdict::direct;
}

}  // namespace

std::string_view name(Rule rule) {
  return k_rules[static_cast<std::size_t>(rule)].name;
}

Verdict verdict_of(Rule rule) {
  return k_rules[static_cast<std::size_t>(rule)].verdict;
}

Judge::Judge(const matrix::Matrix& matrix) : m_matrix(&matrix) {
  for (const auto& build : matrix.builds) {
    if (!build.cuda) continue;
    Image image;
    image.pytorch = build.pytorch;
    image.build = build.variant;
    image.architecture = build.architecture;
    m_candidates[static_cast<std::size_t>(build.architecture)].push_back({&build, facts_of(image)});
  }
  // The matrix has them newest first, the default index and stable builds first within a release.
  for (auto& candidates : m_candidates)
    std::stable_sort(candidates.begin(), candidates.end(), [](const Candidate& a, const Candidate& b) {
      return solver::tier(*a.build) < solver::tier(*b.build);
    });
  for (const auto& row : matrix.families) m_drivers.push_back(row.driver);
  for (const auto& row : matrix.toolkits) m_drivers.push_back(row.driver);
  for (const auto& row : matrix.first_drivers) m_drivers.push_back(row.driver);
  for (const auto& row : matrix.gpus)
    if (row.driver) m_drivers.push_back(*row.driver);
  for (const auto& row : matrix.branches)
    if (auto driver = version::DriverVersion::parse(std::to_string(row.branch)))
      m_drivers.push_back(std::move(*driver));
  std::sort(m_drivers.begin(), m_drivers.end());
  m_drivers.erase(std::unique(m_drivers.begin(), m_drivers.end()), m_drivers.end());
}

MachineFacts Judge::facts_of(const host::Machine& machine) const {
  MachineFacts facts;
  if (machine.architecture) facts.architecture = machine.architecture->value;
  if (machine.glibc) facts.glibc = machine.glibc->value;
  if (machine.compat_package) facts.compat = without_patch(machine.compat_package->value);
  facts.has_no_gpu = !machine.without_gpu.empty() && machine.gpus.empty();
  facts.is_mismatched = machine.driver && machine.userland && machine.driver->value != machine.userland->value;
  facts.checks_requirements = !machine.injection || machine.injection->value == host::Injection::legacy;
  for (const auto& gpus : machine.gpus) {
    facts.gpus.push_back(gpu_of(*m_matrix, gpus));
    const auto& gpu = facts.gpus.back();
    if (!facts.architecture && gpu && solver::has_arm_processor(*gpu))
      facts.architecture = matrix::Architecture::aarch64;
    facts.requirement_facts.emplace_back();
    for (const auto& brand : possible_brands(gpus.brand, gpu))
      facts.requirement_facts.back().push_back({"", "", gpu ? gpu->compute.to_string() : "", brand});
  }
  if (facts.gpus.empty()) facts.requirement_facts.emplace_back(1);
  if (machine.driver) set_driver(*m_matrix, facts, machine.driver->value);
  return facts;
}

MachineFacts Judge::with_driver(MachineFacts machine, const version::DriverVersion& driver) const {
  set_driver(*m_matrix, machine, driver);
  machine.is_mismatched = false;
  return machine;
}

matrix::Architecture Judge::architecture_of(const MachineFacts& machine, const ImageFacts& image) {
  if (machine.architecture) return *machine.architecture;
  return image.architecture.value_or(matrix::Architecture::x86_64);
}

NvidiaRequirement::Answer Judge::ask(const NvidiaRequirement& requirement, const MachineFacts& machine) {
  using Answer = NvidiaRequirement::Answer;
  bool undecided = false;
  for (const auto& of_gpu : machine.requirement_facts) {
    std::optional<Answer> common;
    for (const auto& facts : of_gpu) {
      const Answer one = requirement.ask(facts);
      common = !common || *common == one ? one : Answer::unknown;
    }
    // One GPU that is refused is enough.
    if (common == Answer::unmet || common == Answer::malformed) return *common;
    undecided = undecided || common == Answer::unknown;
  }
  return undecided ? Answer::unknown : Answer::met;
}

Assessment Judge::assess(const MachineFacts& machine, const ImageFacts& image) const {
  Assessment result;
  Assessor(*m_matrix, machine, image, result).run();
  return result;
}

}  // namespace torchkiln::audit
