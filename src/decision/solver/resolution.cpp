#include "decision/solver/resolution.hpp"

#include "decision/solver/rules.hpp"
#include "decision/solver/words.hpp"
#include "knowledge/matrix/requirement.hpp"

#include <algorithm>

#include <fmt/format.h>

namespace torchkiln::solver {

namespace {

/// Fills one Resolution, and notes the row that each fact comes from.
class Writer {
 public:
  Writer(const Model& model, const std::vector<std::size_t>& assignment)
      : m_model(model), m_assignment(assignment), m_build(model.build_of(assignment)) {}

  Resolution run() {
    build();
    driver();
    system();
    gpus();
    companions();
    pins();
    proofs();
    return std::move(m_result);
  }

 private:
  const matrix::Matrix& matrix() const { return m_model.matrix(); }
  const Request& request() const { return *m_model.request; }

  void because(std::string fact, const matrix::Provenance& from) {
    const auto* source = find_source(matrix(), from.source);
    m_result.evidence.push_back(
        {std::move(fact), source_of(from), source ? source->title : from.source, from.grade, from.date});
  }
  void warn(std::string code, std::string text) { m_result.warnings.push_back({std::move(code), std::move(text)}); }

  void build();
  void build_warnings();
  void driver();
  void system();
  void gpus();
  const matrix::Companion* companion(const std::string& package) const;
  void companions();
  void pins();
  void pin(const matrix::WheelRequirement& requirement);
  void proofs();
  std::string nothing_proven() const;

  const Model& m_model;
  const std::vector<std::size_t>& m_assignment;
  const matrix::Build& m_build;
  Resolution m_result;
};

void Writer::build() {
  m_result.pytorch = m_build.pytorch;
  m_result.build = m_build.variant;
  m_result.architecture = m_build.architecture;
  m_result.index = m_build.index;
  m_result.status = m_build.status;
  m_result.cuda = *m_build.cuda;
  m_result.cudnn = m_build.cudnn;
  m_result.nccl = m_build.nccl;
  m_result.sass = m_build.sass.value_or(std::vector<version::ComputeCapability>{});
  m_result.ptx = m_build.ptx;
  m_result.download_bytes = m_build.download_bytes;
  std::string fact = fmt::format("PyTorch {} {} for {} has CUDA {}", m_build.pytorch.to_string(), m_build.variant,
                                 name(m_build.architecture), m_build.cuda->to_string());
  if (m_build.cudnn) fact += ", cuDNN " + m_build.cudnn->to_string();
  if (m_build.nccl) fact += ", NCCL " + m_build.nccl->to_string();
  if (m_build.sass) fact += ", code for " + enumerated(*m_build.sass);
  because(std::move(fact), m_build.from);
  if (const auto* release = find_release(matrix(), m_build.pytorch)) {
    m_result.released = release->released;
    because(fmt::format("PyTorch {} was released on {}", m_build.pytorch.to_string(), release->released),
            release->from);
  }
  build_warnings();
}

void Writer::build_warnings() {
  const std::string full = m_build.full_version().to_string();
  if (m_build.status == matrix::Status::experimental)
    warn("experimental-build",
         m_build.index == "default"
             ? fmt::format("upstream calls {} experimental, yet it is what the default index has", full)
             : fmt::format("upstream calls {} experimental", full));
  if (m_build.status == matrix::Status::unadvertised)
    warn("unadvertised-build", fmt::format("{} is on no list of upstream's: it may not exist or not last", full));
  if (m_build.index != "default")
    warn("not-on-default-index",
         fmt::format("{} is on PyTorch's own package index, not on the default one: lock and bake ask for its "
                     "address (--torch-index)",
                     full));
  if (!m_build.sass) warn("gpus-unknown", fmt::format("which GPUs {} has code for is not known", full));
}

void Writer::driver() {
  const auto* family = find_family(matrix(), m_build.cuda->major);
  const auto* toolkit = find_toolkit(matrix(), *m_build.cuda);
  if (family) {
    m_result.driver_minimum = family->driver;
    because(fmt::format("CUDA {} runs on driver {} or newer", family->major, family->driver.to_string()),
            family->from);
  }
  if (toolkit) {
    m_result.driver_without_minor_version_compatibility = toolkit->driver;
    because(fmt::format("CUDA {} was made with driver {}", toolkit->cuda.to_string(), toolkit->driver.to_string()),
            toolkit->from);
  }
  if (!m_model.driver) return;
  m_result.driver_mode = static_cast<DriverMode>(m_assignment[*m_model.driver]);
  const version::DriverVersion& wanted = request().require.driver->value;
  if (m_result.driver_mode == DriverMode::forward_compat) {
    const auto* compat = compat_package(matrix(), *m_build.cuda, wanted);
    because(fmt::format("cuda-compat-{}-{} may be laid over R{}", compat->cuda.major, compat->cuda.minor,
                        wanted.branch()),
            compat->from);
    warn("forward-compat",
         fmt::format(
             "runs on driver {0} only with cuda-compat-{1}-{2}, which no variant has: build an image FROM this "
             "one that installs the package from NVIDIA's CUDA repository and says ENV "
             "LD_LIBRARY_PATH=/usr/local/cuda-{1}.{2}/compat",
             wanted.to_string(), compat->cuda.major, compat->cuda.minor));
    if (m_model.gpus.empty())
      warn("forward-compat-gpus", "forward compatibility is for data-center GPUs and Jetson boards only");
  }
  const auto* branch = find_branch(matrix(), wanted.branch());
  if (!branch) {
    warn("driver-branch-unknown", fmt::format("the manifests have no driver branch R{}", wanted.branch()));
    return;
  }
  because(fmt::format("driver branch R{}: {}{}", branch->branch, name(branch->kind),
                      branch->end_of_life.empty() ? "" : ", end of life " + branch->end_of_life),
          branch->from);
  // Compared with the day of the data, not with a clock: the same inputs must give the same answer.
  if (!branch->end_of_life.empty() && branch->end_of_life < matrix().date.substr(0, branch->end_of_life.size()))
    warn("driver-end-of-life",
         fmt::format("driver branch R{} reached its end of life in {}", branch->branch, branch->end_of_life));
}

void Writer::system() {
  m_result.os = *m_model.catalogue->systems[m_assignment[m_model.os]];
  m_result.python = m_model.catalogue->pythons[m_assignment[m_model.python]];
  because(fmt::format("{} ({}) has Python {} and glibc {}", m_result.os.id, m_result.os.suite, m_result.os.python,
                      m_result.os.glibc.to_string()),
          m_result.os.from);
}

void Writer::gpus() {
  for (std::size_t i = 0; i < m_model.gpus.size(); ++i) {
    const matrix::NamedGpu& gpu = m_model.gpus[i];
    ServedGpu served;
    served.requested = request().require.gpus[i].value;
    served.model = gpu.name;
    served.compute = gpu.compute;
    served.kernels = m_assignment[m_model.gpu[i]] == k_ptx_jit ? KernelMode::ptx_jit : KernelMode::sass;
    served.driver_minimum = served.kernels == KernelMode::ptx_jit
                                ? m_result.driver_without_minor_version_compatibility
                                : m_result.driver_minimum;
    if (gpu.row)
      because(fmt::format("{} has compute capability {}", gpu.name, gpu.compute.to_string()), gpu.row->from);
    if (const auto first = first_driver(matrix(), gpu)) {
      served.driver_minimum = std::max(served.driver_minimum, *first);
      if (const auto* row = find_first_driver(matrix(), gpu.compute))
        because(fmt::format("compute capability {} needs driver {} or newer", gpu.compute.to_string(),
                            row->driver.to_string()),
                row->from);
    }
    if (served.kernels == KernelMode::ptx_jit)
      warn("ptx-jit", fmt::format("the wheel has no machine code for {}: the driver compiles PTX at first use, and "
                                  "must be {} or newer",
                                  gpu_in_words(gpu), served.driver_minimum.to_string()));
    // GPUTooOldForTriton in torch/_inductor/scheduler.py.
    if (gpu.compute.major < 7)
      warn("no-torch-compile",
           fmt::format("torch.compile does not work on {}: Triton needs 7.0", gpu_in_words(gpu)));
    m_result.gpus.push_back(std::move(served));
  }
}

/// What was asked for, or else what goes with this PyTorch and would work.
const matrix::Companion* Writer::companion(const std::string& package) const {
  for (std::size_t i = 0; i < m_model.companions.size(); ++i)
    if (m_model.companions[i]->package == package)
      return m_model.companions[i]->rows[m_assignment[m_model.companion[i]]];
  const auto* row = find_companion(matrix(), package, m_build.pytorch);
  if (!row || std::find(row->python.begin(), row->python.end(), m_result.python) == row->python.end())
    return nullptr;
  Combination combination{m_build, m_result.python, {}, {{package, row->release}}};
  for (const auto& gpu : m_model.gpus) combination.gpus.push_back(gpu.compute);
  return find_broken(matrix(), combination) ? nullptr : row;
}

void Writer::companions() {
  const auto chosen = [&](const std::string& package) -> std::optional<version::Version> {
    const auto* row = companion(package);
    if (!row) return std::nullopt;
    because(fmt::format("{} {} goes with PyTorch {}", row->package, row->release.to_string(),
                        m_build.pytorch.to_string()),
            row->from);
    return row->release;
  };
  m_result.torchvision = chosen("torchvision");
  m_result.torchaudio = chosen("torchaudio");
}

void Writer::pin(const matrix::WheelRequirement& requirement) {
  const auto exact = requirement.versions.lone_equal();
  if (!exact) return;
  m_result.pins.emplace_back(requirement.name, *exact);
  if (requirement.name == "triton") m_result.triton = *exact;
  if (requirement.extras.empty()) return;
  for (const auto& row : matrix().metapackages) {
    if (row.package != requirement.name || row.release != *exact) continue;
    because(fmt::format("{} {} stands for NVIDIA's libraries", row.package, row.release.to_string()), row.from);
    for (const auto& extra : row.extras) {
      if (std::find(requirement.extras.begin(), requirement.extras.end(), extra.first) == requirement.extras.end())
        continue;
      if (const auto part = matrix::parse_requirement(extra.second)) pin(*part);
    }
  }
}

void Writer::pins() {
  for (const auto& text : m_build.requirements) {
    const auto requirement = matrix::parse_requirement(text);
    if (requirement && requirement->holds_on(m_result.python)) pin(*requirement);
  }
  std::sort(m_result.pins.begin(), m_result.pins.end());
}

/// What the choice rests on where what is proven is preferred, or that it rests on nothing of the kind.
void Writer::proofs() {
  if (!m_model.proof) return;
  const std::size_t which = m_assignment[*m_model.proof];
  if (which == m_model.proven.size()) return warn("not-proven", nothing_proven());
  for (const auto* proof : m_model.proven[which].proofs) {
    m_result.proofs.push_back(*proof);
    m_result.evidence.push_back(
        {fmt::format("{} with Python {} on {} passed the level {} on {} with driver {}", proof->build(),
                     proof->python, proof->system, name(proof->level), proof->gpu, proof->driver.to_string()),
         source_of(proof->from), fmt::format("stamp {} on image {}", proof->from.source, proof->image.to_string()),
         proof->from.grade, proof->from.date});
  }
}

std::string Writer::nothing_proven() const {
  std::vector<std::string> gpus;
  for (const auto& gpu : m_model.gpus) gpus.push_back(gpu.row ? gpu.name : gpu_in_words(gpu));
  std::string where = gpus.empty() ? "on any GPU" : "on " + enumerated(gpus);
  if (m_model.driver) where += " with driver " + request().require.driver->value.to_string() + " or older";
  return (m_model.proven.empty() ? "the matrix has no proof " + where
                                 : "what is proven " + where + " does not fit") +
         ": chosen as --prefer stable does";
}

}  // namespace

Resolution make_resolution(const Model& model, const std::vector<std::size_t>& assignment) {
  return Writer(model, assignment).run();
}

}  // namespace torchkiln::solver
