// The words for each rule that fails.

#include "decision/audit/reasons.hpp"
#include "decision/solver/rules.hpp"
#include "decision/solver/words.hpp"
#include "foundation/base/text.hpp"

#include <fmt/format.h>

namespace torchkiln::audit {

using solver::enumerated;
using solver::source_of;

namespace {

/// Longer requirements are cut: the official ones have two kilobytes.
constexpr std::size_t k_requirement_shown = 60;

std::string both(const std::string& a, const std::string& b) {
  return a.empty() || b.empty() || a == b ? a + (a == b ? "" : b) : a + ", " + b;
}

class Words {
 public:
  Words(const Pair& pair, const Finding& finding) : m(pair), m_rule(finding.rule), m_item(finding.item) {}

  Reason reason() const {
    Reason reason = words();
    reason.rule = std::string(name(m_rule));
    return reason;
  }

 private:
  Reason words() const;
  Reason about_host() const;
  Reason driver_gpu() const;
  Reason driver_floor() const;
  Reason compat() const;
  Reason requirement() const;
  Reason kernels() const;
  Reason build() const;
  Reason package() const;
  Reason missing() const;

  static Reason say(std::string text, std::string source) { return {"", std::move(text), std::move(source)}; }
  std::string driver() const { return m.machine.driver->value.to_string(); }
  std::string driver_source() const { return m.machine.driver ? m.machine.driver->source : std::string(); }
  std::string gpu() const { return m.gpu_in_words(m_item); }
  std::string gpu_source() const { return m.machine.gpus[m_item].source; }
  std::string build_source() const { return m.on().build ? source_of(m.on().build->from) : m.image.source; }
  std::string family_source() const {
    const auto* family = find_family(m.matrix(), m.cuda()->major);
    return family ? source_of(family->from) : std::string();
  }

  const Pair& m;
  Rule m_rule;
  std::size_t m_item;
};

Reason Words::about_host() const {
  switch (m_rule) {
    case Rule::architecture: {
      const auto& stated = m.machine.architecture;
      return say(fmt::format("the image is for {}, the host is {}", name(*m.image.architecture),
                             name(*m.machine_facts.architecture)),
                 both(m.image.source, stated ? stated->source : m.machine.gpus.front().source));
    }
    case Rule::gpu_present:
      return say("the host has no GPU", m.machine.without_gpu);
    case Rule::driver_library:
      return say(fmt::format("the kernel module is {} and the user-space driver {}: nothing that uses CUDA starts "
                             "until both are the same (\"Driver/library version mismatch\")",
                             driver(), m.machine.userland->value.to_string()),
                 both(driver_source(), m.machine.userland->source));
    default: {
      const bool of_image = m.image.glibc.has_value();
      return say(fmt::format("{} needs glibc {} or newer; the {} has {}", m.image_in_words(),
                             m.on().build->glibc.to_string(), of_image ? "image" : "host",
                             (of_image ? *m.image.glibc : m.machine.glibc->value).to_string()),
                 both(build_source(), of_image ? m.image.source : m.machine.glibc->source));
    }
  }
}

Reason Words::driver_gpu() const {
  const auto& named = *m.machine_facts.gpus[m_item];
  if (const auto* branch = solver::branch_that_dropped(m.matrix(), m.machine.driver->value, named.compute))
    return say(
        fmt::format("{}, and the host has {} with {}",
                    solver::dropped_in_words(
                        *branch, solver::last_branch_for(m.matrix(), branch->branch, named.compute), named.compute),
                    driver(), gpu()),
        both(source_of(branch->from), driver_source()));
  const auto first = solver::first_driver(m.matrix(), named);
  const auto* row = find_first_driver(m.matrix(), named.compute);
  const bool by_board = named.row && named.row->driver && first == named.row->driver;
  return say(fmt::format("{} needs driver {} or newer; the host has {}", gpu(), first->to_string(), driver()),
             both(by_board ? source_of(named.row->from)
                  : row    ? source_of(row->from)
                           : "",
                  driver_source()));
}

Reason Words::driver_floor() const {
  const auto cuda = *m.cuda();
  const auto* family = find_family(m.matrix(), cuda.major);
  std::string text = family ? fmt::format("CUDA {} needs driver {} or newer; the host has {}", cuda.to_string(),
                                          family->driver.to_string(), driver())
                            : fmt::format("the driver that CUDA {} needs is not known", cuda.to_string());
  if (m.machine.compat_package) {
    const auto compat = m.machine.compat_package->value;
    text += fmt::format(", and cuda-compat-{}-{} does not help it", compat.major, compat.minor);
    if (!solver::is_offered(m.matrix(), *m.machine_facts.compat, m.machine.driver->value))
      text += fmt::format(": NVIDIA offers it over other branches than R{}", m.machine.driver->value.branch());
  }
  return say(std::move(text), both(family_source(), driver_source()));
}

Reason Words::compat() const {
  const auto package = m.machine.compat_package ? m.machine.compat_package->value : version::CudaVersion{};
  const std::string called = fmt::format("cuda-compat-{}-{}", package.major, package.minor);
  const std::string rows =
      m.matrix().forward_compat.empty() ? "" : source_of(m.matrix().forward_compat.front().from);
  if (m_rule == Rule::compat_older)
    return say(fmt::format("{} on the library path is older than driver {} (CUDA {}): CUDA stops with error 803",
                           called, driver(), m.machine_facts.cuda->to_string()),
               both(rows, m.machine.compat_package->source));
  if (m_rule == Rule::compat_gpu)
    return say(
        fmt::format("forward compatibility is not offered for {}: with {} on the library path CUDA stops with "
                    "error 804",
                    gpu(), called),
        both(rows, m.machine.compat_package->source));
  return say(
      fmt::format("forward compatibility is for data-center GPUs, and of which class {} is, is not known", gpu()),
      both(rows, gpu_source()));
}

/// The requirement as it is shown: whole, or its beginning.
std::string shown(const Image& image, const std::string& variable) {
  for (const auto& [key, value] : image.requirements) {
    if (key != variable) continue;
    if (key == "CUDA_VERSION") return "cuda>=" + value;
    if (value.size() <= k_requirement_shown) return value;
    return value.substr(0, value.rfind(' ', k_requirement_shown)) + " …";
  }
  return variable;
}

Reason Words::requirement() const {
  const auto& requirement = m.image_facts.requirements[m_item];
  const auto& variable = m.image_facts.requirement_names[m_item];
  const std::string text = shown(m.image, variable);
  std::string host = m.machine.driver
                         ? fmt::format("driver {} with CUDA {}", driver(),
                                       m.machine_facts.cuda ? m.machine_facts.cuda->to_string() : "unknown")
                         : "an unknown driver";
  for (const auto& gpu : m.machine.gpus)
    if (!gpu.brand.empty()) host += ", brand " + gpu.brand;
  if (m_rule == Rule::nvidia_require_unknown)
    return say(fmt::format("whether {} \"{}\" holds is not known: it asks for what nobody says of this host ({})",
                           variable, text, host),
               both(m.image.source, driver_source()));
  std::string why =
      requirement.faults().empty() || Judge::ask(requirement, m.machine_facts) == NvidiaRequirement::Answer::unmet
          ? fmt::format("{} \"{}\" does not hold for {}", variable, text, host)
          : fmt::format("{} is malformed, {}", variable, base::join(requirement.faults(), "; "));
  why += ": the container does not start";
  if (!m.machine.injection)
    why +=
        " where the runtime checks it (legacy mode; in CDI mode it does not, and the host does not say which it "
        "has)";
  // The other authority: what the wheels themselves need.
  const bool wheels_run = m.image_facts.has_pytorch && m.cuda() && m.assessment.mode;
  if (wheels_run) why += fmt::format("; the wheels themselves would run, in mode {}", name(*m.assessment.mode));
  return say(std::move(why), both(both(m.image.source, driver_source()), wheels_run ? family_source() : ""));
}

Reason Words::kernels() const {
  const auto& build = *m.on().build;
  const std::string source = both(build_source(), gpu_source());
  if (m_rule == Rule::ptx) {
    const auto* toolkit = find_toolkit(m.matrix(), *build.cuda);
    return say(fmt::format("{} has only PTX for {}, which driver {} or newer compiles; the host has {}",
                           m.image_in_words(), gpu(), toolkit ? toolkit->driver.to_string() : "?", driver()),
               both(toolkit ? source_of(toolkit->from) : "", source));
  }
  if (m_rule == Rule::cudnn)
    return say(fmt::format("cuDNN {} of {} has code for {}: none for {}", build.cudnn->to_string(),
                           m.image_in_words(), enumerated(m.on().cudnn->compute), gpu()),
               both(source_of(m.on().cudnn->from), gpu_source()));
  if (m_rule == Rule::pytorch_table)
    return say(fmt::format("{} has code for {}, which PyTorch's own table excludes from {}", m.image_in_words(),
                           enumerated(*build.sass), gpu()),
               source);
  return say(fmt::format("{} has code for {}: none for {}", m.image_in_words(), enumerated(*build.sass), gpu()),
             source);
}

Reason Words::build() const {
  const auto& pytorch = *m.image.pytorch;
  if (m_rule == Rule::cpu_build)
    return say(m.image.build.empty()
                   ? fmt::format("what the default index has of PyTorch {} for {} is without CUDA",
                                 pytorch.to_string(), name(m.architecture()))
                   : fmt::format("{} is without CUDA", m.image_in_words()),
               build_source());
  if (m_rule == Rule::python)
    return say(fmt::format("{} has wheels for Python {}: none for {}", m.image_in_words(),
                           m.pythons_in_words(m.on().build->python), m.image.python),
               build_source());
  const auto* release = find_release(m.matrix(), pytorch);
  if (!release) {
    const auto& known = m.matrix().releases;
    return say(known.empty()
                   ? "the manifests have no release at all"
                   : fmt::format("there is no PyTorch {} among the releases known, {} to {}", pytorch.to_string(),
                                 known.back().pytorch.to_string(), known.front().pytorch.to_string()),
               m.image.source);
  }
  std::vector<std::string> variants;
  for (const auto& build : m.matrix().builds)
    if (build.pytorch == pytorch && build.architecture == m.architecture()) variants.push_back(build.variant);
  return say(fmt::format("there is no PyTorch {}{} for {}: {} comes as {}", pytorch.to_string(),
                         m.image.build.empty() ? " on the default index" : "+" + m.image.build,
                         name(m.architecture()), pytorch.to_string(), enumerated(variants)),
             source_of(release->from));
}

Reason Words::package() const {
  const auto& package = m.image.packages[m_item];
  const auto& build = *m.on().build;
  const std::string called = package.name + " " + package.release.to_string();
  const auto* row = find_companion_row(m.matrix(), package, build.pytorch);
  if (m_rule == Rule::pin)
    return say(fmt::format("{} requires {}, the image has {}", m.image_in_words(),
                           broken_pin(build, package, m.image.python), package.release.to_string()),
               build_source());
  if (m_rule == Rule::package_unknown) return say(fmt::format("the manifests know no {}", called), m.image.source);
  const std::string source = both(source_of(row->from), build_source());
  if (m_rule == Rule::companion_python)
    return say(fmt::format("{} has wheels for Python {}: none for {}", called, m.pythons_in_words(row->python),
                           m.image.python),
               source);
  if (m_rule == Rule::companion) {
    std::vector<std::string> releases;
    for (const auto& pytorch : row->pytorch) releases.push_back(pytorch.to_string());
    return say(fmt::format("{} goes with PyTorch {}, not with {}", called,
                           row->torch ? row->torch->text() : enumerated(releases), build.pytorch.to_string()),
               source);
  }
  const auto cuda = cuda_of_companion(m.matrix(), package, *row, build.architecture);
  return say(
      fmt::format("{}{} is built for CUDA {}, {} for CUDA {}: it stops at import, because the major versions "
                  "differ",
                  called, package.release.local().empty() ? " of the default index" : "", cuda->to_string(),
                  m.image_in_words(), build.cuda->to_string()),
      source);
}

Reason Words::missing() const {
  const std::string notes = base::join(m.machine.notes, "; ");
  // Whoever described the host is who did not say it.
  const std::string described = m.machine.driver          ? m.machine.driver->source
                                : !m.machine.gpus.empty() ? m.machine.gpus.front().source
                                : m.machine.glibc         ? m.machine.glibc->source
                                                          : std::string();
  const auto because = [&](std::string text) { return say(notes.empty() ? text : text + ": " + notes, described); };
  switch (m_rule) {
    case Rule::image_unknown:
      return say("what the image holds is not known: it names neither a PyTorch release nor a requirement",
                 m.image.source);
    case Rule::driver_unknown:
      return because("the host's driver is not known");
    case Rule::gpus_unknown:
      return because("the host's GPUs are not known");
    case Rule::gpu_unknown: {
      const auto& gpus = m.machine.gpus[m_item];
      return say(gpus.model.empty() ? "the model of a GPU is not known"
                                    : fmt::format("the manifests know no GPU \"{}\", and nobody says its compute "
                                                  "capability",
                                                  gpus.model),
                 gpus.source);
    }
    default:
      return say(fmt::format("which GPUs {} has code for is not known", m.image_in_words()), build_source());
  }
}

Reason Words::words() const {
  switch (m_rule) {
    case Rule::architecture:
    case Rule::gpu_present:
    case Rule::driver_library:
    case Rule::glibc:
      return about_host();
    case Rule::driver_gpu:
      return driver_gpu();
    case Rule::driver_floor:
      return driver_floor();
    case Rule::compat_older:
    case Rule::compat_gpu:
    case Rule::compat_gpu_unknown:
      return compat();
    case Rule::nvidia_require:
    case Rule::nvidia_require_unknown:
      return requirement();
    case Rule::kernels:
    case Rule::ptx:
    case Rule::pytorch_table:
    case Rule::cudnn:
      return kernels();
    case Rule::cpu_build:
    case Rule::build:
    case Rule::python:
      return build();
    case Rule::companion:
    case Rule::companion_cuda:
    case Rule::companion_python:
    case Rule::pin:
    case Rule::package_unknown:
      return package();
    case Rule::broken:
      return say(m.matrix().broken[m_item].what, source_of(m.matrix().broken[m_item].from));
    default:
      return missing();
  }
}

}  // namespace

Reason reason_of(const Pair& pair, const Finding& finding) {
  return Words(pair, finding).reason();
}

}  // namespace torchkiln::audit
