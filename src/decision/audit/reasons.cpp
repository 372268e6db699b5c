#include "decision/audit/reasons.hpp"

#include "decision/solver/rules.hpp"
#include "decision/solver/words.hpp"
#include "knowledge/matrix/requirement.hpp"

#include <algorithm>

#include <fmt/format.h>

namespace torchkiln::audit {

using solver::DriverMode;
using solver::source_of;

std::optional<version::CudaVersion> Pair::cuda() const {
  if (!image_facts.has_pytorch) return image_facts.requirement;
  return on().build ? on().build->cuda : std::nullopt;
}

std::string Pair::image_in_words() const {
  if (on().build) return "PyTorch " + on().build->full_version().to_string();
  if (image.pytorch)
    return "PyTorch " + image.pytorch->to_string() + (image.build.empty() ? "" : "+" + image.build);
  return "the image";
}

std::string Pair::pythons_in_words(const std::vector<std::string>& tags) const {
  std::vector<std::string> alike;
  for (const auto& tag : tags)
    if (tag.ends_with('t') == image.python.ends_with('t')) alike.push_back(tag);
  return solver::pythons_in_words(std::move(alike));
}

std::string Pair::gpu_in_words(std::size_t item) const {
  const auto& named = machine_facts.gpus[item];
  if (named && named->row) return solver::gpu_in_words(*named);
  const std::string& model = machine.gpus[item].model;
  if (!named) return model;
  const std::string compute = "compute capability " + named->compute.to_string();
  return model.empty() || version::ComputeCapability::parse(model) ? compute : model + " (" + compute + ")";
}

namespace {

std::string joined(const std::string& a, const std::string& b) {
  return b.empty() ? a : a + ", " + b;
}

/// How the driver runs the build's CUDA.
Reason driver_reason(const Pair& pair) {
  const auto cuda = *pair.cuda();
  const auto& driver = *pair.machine.driver;
  const std::string has = driver.value.to_string();
  const auto* toolkit = find_toolkit(pair.matrix(), cuda);
  const auto* family = find_family(pair.matrix(), cuda.major);
  switch (*pair.assessment.mode) {
    case DriverMode::direct:
      return {"driver-cuda",
              fmt::format("driver {} is at least the one made with CUDA {} ({})", has, cuda.to_string(),
                          toolkit->driver.to_string()),
              joined(source_of(toolkit->from), driver.source)};
    case DriverMode::minor_version:
      return {"driver-floor",
              fmt::format("driver {} runs CUDA {} by minor-version compatibility, from {} on", has,
                          cuda.to_string(), family->driver.to_string()),
              joined(source_of(family->from), driver.source)};
    default: {
      const auto* row = solver::compat_package(pair.matrix(), cuda, driver.value);
      const auto package = pair.machine_facts.compat.value_or(row->cuda);
      return {"compat-package",
              fmt::format("cuda-compat-{}-{} makes driver {} run CUDA {}", package.major, package.minor, has,
                          cuda.to_string()),
              joined(source_of(row->from),
                     pair.machine.compat_package ? pair.machine.compat_package->source : driver.source)};
    }
  }
}

Reason kernels_reason(const Pair& pair, std::size_t item) {
  const auto& build = *pair.on().build;
  const auto compute = pair.machine_facts.gpus[item]->compute;
  const std::string source = joined(source_of(build.from), pair.machine.gpus[item].source);
  if (!solver::has_sass(build, compute))
    return {"ptx",
            fmt::format("{} has no machine code for {}: the driver compiles PTX at first use",
                        pair.image_in_words(), pair.gpu_in_words(item)),
            source};
  version::ComputeCapability code;
  for (const auto candidate : *build.sass)
    if (version::sass_runs_on(candidate, compute, *build.cuda)) code = std::max(code, candidate);
  return {"kernels",
          fmt::format("{} has machine code for {} that {} runs", pair.image_in_words(), code.to_string(),
                      pair.gpu_in_words(item)),
          source};
}

/// What a pair that runs rests on; the verdict's own reason first.
std::vector<Reason> grounds(const Pair& pair) {
  std::vector<Reason> reasons;
  if (pair.cuda()) reasons.push_back(driver_reason(pair));
  if (pair.on().build)
    for (std::size_t item = 0; item < pair.machine_facts.gpus.size(); ++item)
      reasons.push_back(kernels_reason(pair, item));
  if (pair.assessment.verdict == Verdict::ptx_jit)
    std::stable_partition(reasons.begin(), reasons.end(),
                          [](const Reason& reason) { return reason.rule == "ptx"; });
  return reasons;
}

/// What NVIDIA_REQUIRE_* says where it is not the verdict: a second authority that may see it differently.
void add_requirements(const Pair& pair, std::vector<Reason>& reasons) {
  using Answer = NvidiaRequirement::Answer;
  const bool too_old = std::any_of(pair.assessment.findings.begin(), pair.assessment.findings.end(),
                                   [](const Finding& finding) { return finding.rule == Rule::driver_floor; });
  for (std::size_t item = 0; item < pair.image_facts.requirements.size(); ++item) {
    const auto& requirement = pair.image_facts.requirements[item];
    const auto& variable = pair.image_facts.requirement_names[item];
    const auto answer = Judge::ask(requirement, pair.machine_facts);
    const std::string source = pair.image.source;
    if (answer == Answer::met && too_old)
      reasons.push_back({"nvidia-require",
                         fmt::format("{} accepts this host all the same: it counts on the image's own cuda-compat "
                                     "package, which NVIDIA's table does not offer here",
                                     variable),
                         source});
    else if (answer == Answer::met && !pair.image_facts.has_pytorch)
      reasons.push_back({"nvidia-require", variable + " holds for this host", source});
    if (pair.machine_facts.checks_requirements) {
      if (answer == Answer::met && !requirement.faults().empty())
        reasons.push_back(
            {"nvidia-require",
             fmt::format("{} is malformed ({}), after what holds already", variable, requirement.faults().front()),
             source});
      continue;
    }
    if (answer == Answer::unmet || answer == Answer::malformed)
      reasons.push_back({"nvidia-require",
                         fmt::format("{} {}, but the runtime is in CDI mode and does not check it", variable,
                                     answer == Answer::unmet ? "does not hold for this host" : "is malformed"),
                         joined(source, pair.machine.injection->source)});
  }
}

}  // namespace

std::vector<Reason> reasons_of(const Pair& pair) {
  std::vector<Reason> reasons;
  for (const auto& finding : pair.assessment.findings) reasons.push_back(reason_of(pair, finding));
  if (reasons.empty()) reasons = grounds(pair);
  add_requirements(pair, reasons);
  return reasons;
}

std::vector<Limitation> limitations_of(const Pair& pair) {
  std::vector<Limitation> limitations;
  if (!runs(pair.assessment.verdict) || !pair.on().build) return limitations;
  const auto& build = *pair.on().build;
  // GPUTooOldForTriton in torch/_inductor/scheduler.py of the 2.15.0 wheel.
  for (std::size_t item = 0; item < pair.machine_facts.gpus.size(); ++item)
    if (pair.machine_facts.gpus[item]->compute.major < 7) {
      limitations.push_back(
          {"torch_compile", fmt::format("torch.compile does not work on {}: Triton needs compute capability 7.0",
                                        pair.gpu_in_words(item))});
      break;
    }
  const auto is_triton = [&](const std::string& text) {
    const auto requirement = matrix::parse_requirement(text);
    return requirement && requirement->name == "triton" && !requirement->holds_on(pair.image.python);
  };
  if (limitations.empty() && !pair.image.python.empty() &&
      std::any_of(build.requirements.begin(), build.requirements.end(), is_triton))
    limitations.push_back({"torch_compile", fmt::format("{} brings no Triton for Python {}", pair.image_in_words(),
                                                        pair.image.python)});
  const auto* toolkit = build.cuda ? find_toolkit(pair.matrix(), *build.cuda) : nullptr;
  if (pair.assessment.mode == DriverMode::minor_version && toolkit)
    limitations.push_back({"runtime_ptx", fmt::format("PTX that CUDA {} makes at run time does not load on this "
                                                      "driver: it needs {}",
                                                      build.cuda->to_string(), toolkit->driver.to_string())});
  if (pair.assessment.mode == DriverMode::forward_compat)
    limitations.push_back(
        {"graphics_interop", "CUDA does not share memory with OpenGL and Vulkan through a cuda-compat package"});
  return limitations;
}

}  // namespace torchkiln::audit
