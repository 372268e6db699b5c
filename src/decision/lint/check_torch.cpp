// Rules about which build of PyTorch a Dockerfile gets, and whether there is one: questions to the matrix.

#include "decision/lint/checks.hpp"
#include "decision/lint/image_name.hpp"
#include "decision/lint/installs.hpp"
#include "foundation/base/text.hpp"
#include "knowledge/matrix/query.hpp"

#include <algorithm>
#include <optional>
#include <set>

namespace torchkiln::lint {

namespace {

using matrix::Build;
using matrix::Matrix;

/// "torch==2.8.0+cu128" or "torch>=2.7".
struct TorchRequirement {
  const Word* word = nullptr;
  version::SpecifierSet versions;
  std::string build;  ///< of the local version, "cu128"
};

std::optional<TorchRequirement> requirement_of(const Word& word, std::string_view package) {
  if (!word.is_known || package_of(word.text) != package) return std::nullopt;
  const auto begin = word.text.find_first_of("=<>!~");
  TorchRequirement requirement{&word, {}, ""};
  if (begin == std::string::npos) {
    if (word.text.find('@') != std::string::npos) return std::nullopt;  // a wheel by its address
    return requirement;
  }
  auto text = word.text.substr(begin, word.text.find(';') - begin);
  if (const auto plus = text.find('+'); plus != std::string::npos) {
    const auto end = std::min(text.find(',', plus), text.size());
    requirement.build = base::trim(std::string_view(text).substr(plus + 1, end - plus - 1));
    text.erase(plus, end - plus);
  }
  const auto versions = version::SpecifierSet::parse(text);
  if (!versions) return std::nullopt;
  requirement.versions = *versions;
  return requirement;
}

bool is_build_name(std::string_view text) {
  return text == "cpu" || (text.size() >= 4 && text.size() <= 5 && text.starts_with("cu") &&
                           text.find_first_not_of("0123456789", 2) == std::string_view::npos);
}

/// The build that an index's address ends with: "https://…/whl/cu128" is "cu128".
std::string build_of_index(std::string_view address) {
  if (const auto equals = address.find('='); address.starts_with('-') && equals != std::string_view::npos)
    address.remove_prefix(equals + 1);  // "--index-url=…"
  while (address.ends_with('/')) address.remove_suffix(1);
  const auto last = address.substr(address.rfind('/') + 1);
  return is_build_name(last) ? std::string(last) : "";
}

/// The names of the builds of the releases in `versions`, each once, in the matrix's order.
std::vector<std::string> builds_of(const Matrix& matrix, const version::SpecifierSet& versions) {
  std::vector<std::string> names;
  for (const auto& build : matrix.builds)
    if (versions.contains(build.pytorch) && std::find(names.begin(), names.end(), build.variant) == names.end())
      names.push_back(build.variant);
  std::sort(names.begin(), names.end());
  return names;
}

bool has_build(const Matrix& matrix, const version::SpecifierSet& versions, std::string_view name) {
  return std::any_of(matrix.builds.begin(), matrix.builds.end(),
                     [&](const Build& build) { return build.variant == name && versions.contains(build.pytorch); });
}

/// What pip takes from the default index: the newest release that fits. Nothing where the matrix knows none.
const Build* default_build(const Matrix& matrix, const version::SpecifierSet& versions) {
  for (const auto& build : matrix.builds)
    if (build.index == "default" && build.architecture == matrix::Architecture::x86_64 &&
        versions.contains(build.pytorch))
      return &build;
  return nullptr;
}

/// Whether the matrix would know a release that is exactly this one: it is neither older nor newer than all that it
/// has.
bool is_in_range(const Matrix& matrix, const version::Version& pytorch) {
  return !matrix.releases.empty() && pytorch <= matrix.releases.front().pytorch &&
         pytorch >= matrix.releases.back().pytorch;
}

std::string base_name_of(const version::CudaVersion& cuda) {
  return "CUDA " + cuda.to_string();
}

bool same_minor(const version::CudaVersion& a, const version::CudaVersion& b) {
  return a.major == b.major && a.minor == b.minor;
}

/// One pip install that asks for torch, in its stage.
class TorchInstall {
 public:
  TorchInstall(const Subject& subject, const Stage& stage, const Step& step, const PipInstall& install,
               Findings& findings)
      : m_subject(subject), m_step(step), m_install(install), m_findings(findings) {
    const auto& root = subject.stages.root_image(stage);
    if (root.is_known) m_base = contents_of(image_name(root.text));
    for (const auto* index : install.indexes)
      if (auto name = build_of_index(index->text); !name.empty()) {
        m_index = index;
        m_index_build = std::move(name);
      }
    for (const auto* variable : {"PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "UV_INDEX_URL", "UV_INDEX"})
      if (const auto found = stage.environment.find(variable); found != stage.environment.end()) {
        m_has_index_variable = true;
        if (m_index_build.empty()) m_index_build = build_of_index(found->second);
      }
  }

  void check() {
    std::optional<TorchRequirement> torch;
    for (const auto* word : m_install.requirements)
      if (!torch) torch = requirement_of(*word, "torch");
    check_companions(torch);
    if (!torch) {
      if (!m_index_build.empty() && m_index) check_base(*m_index, m_index_build);
      return;
    }
    const auto build = torch->build.empty() ? m_index_build : torch->build;
    if (m_base.pytorch) check_second_torch(*torch);
    if (!check_release(*torch)) return;
    if (build.empty()) {
      check_default_build(*torch);
    } else if (is_build_name(build)) {
      if (!has_build(m_subject.matrix, torch->versions, build)) return tell_no_build(*torch, build);
      check_base(torch->build.empty() && m_index ? *m_index : *torch->word, build);
    }
  }

 private:
  void tell(std::string_view rule, const Word& word, std::string text, std::string fix) {
    m_findings.add(rule, m_step, word.offset, std::move(text), std::move(fix));
  }

  /// False when the release that is asked for never was; that is told.
  bool check_release(const TorchRequirement& torch) {
    const auto exact = torch.versions.lone_equal();
    const auto& releases = m_subject.matrix.releases;
    if (!exact || !is_in_range(m_subject.matrix, *exact)) return true;
    if (std::any_of(releases.begin(), releases.end(),
                    [&](const matrix::Release& release) { return torch.versions.contains(release.pytorch); }))
      return true;
    tell("torch-build-unknown", *torch.word, "there is no PyTorch " + exact->to_string(),
         "ask torchkiln matrix list releases for those that there are");
    return false;
  }

  void tell_no_build(const TorchRequirement& torch, const std::string& build) {
    const auto known = builds_of(m_subject.matrix, torch.versions);
    if (known.empty()) return;  // a release that the matrix does not know
    const auto exact = torch.versions.lone_equal();
    const auto what = "PyTorch " + (exact ? exact->to_string() : torch.versions.text());
    tell("torch-build-unknown", *torch.word,
         what + " has no " + build + " build; it has " + base::join(known, ", "),
         "choose one of them; torchkiln resolve says which drivers and GPUs each runs on");
  }

  void check_base(const Word& word, const std::string& build) {
    if (!m_base.cuda) return;
    if (build == "cpu")
      return tell("cuda-mismatch", word, "the build without CUDA on a base with " + base_name_of(*m_base.cuda),
                  "begin with a plain system, or name a build with CUDA");
    const auto cuda = version::CudaVersion::from_build_name(build);
    if (!cuda || same_minor(*cuda, *m_base.cuda)) return;
    tell("cuda-mismatch", word,
         "wheels for " + base_name_of(*cuda) + " on a base with " + base_name_of(*m_base.cuda),
         "take both of one CUDA; the wheels bring their own libraries, so that a plain system is base enough");
  }

  /// Neither an index nor a hash says which build is meant: pip takes the default index's.
  void check_default_build(const TorchRequirement& torch) {
    if (!m_base.cuda || m_base.pytorch || m_install.has_hashes || m_install.replaces_index || m_has_index_variable)
      return;
    const auto* build = default_build(m_subject.matrix, torch.versions);
    if (!build || (build->cuda && same_minor(*build->cuda, *m_base.cuda))) return;
    const auto named = m_base.cuda->build_name();
    const bool exists = has_build(m_subject.matrix, torch.versions, named);
    tell("torch-build-unnamed", *torch.word,
         "the default index gives PyTorch " + build->full_version().to_string() + ", the base has " +
             base_name_of(*m_base.cuda),
         exists
             ? "name the build: --index-url …/" + named
             : "no " + named + " build of it exists: begin with a plain system, since the wheels bring CUDA along");
  }

  void check_second_torch(const TorchRequirement& torch) {
    if (torch.versions.contains(*m_base.pytorch) && torch.build.empty() && m_index_build.empty()) return;
    tell("torch-twice", *torch.word,
         "the base has PyTorch " + m_base.pytorch->to_string() + " already: both lie in the image",
         "choose a base with the PyTorch that you need, or a plain system");
  }

  /// torchvision and torchaudio of other releases than the torch beside them.
  void check_companions(const std::optional<TorchRequirement>& torch) {
    const auto pytorch = torch ? torch->versions.lone_equal() : m_base.pytorch;
    if (!pytorch) return;
    for (const auto* package : {"torchvision", "torchaudio"})
      for (const auto* word : m_install.requirements) {
        const auto requirement = requirement_of(*word, package);
        const auto wanted = requirement ? requirement->versions.lone_equal() : std::nullopt;
        const auto* companion = matrix::find_companion(m_subject.matrix, package, *pytorch);
        if (!wanted || !companion || goes_with(package, *requirement, *pytorch)) continue;
        tell("torch-companion", *word,
             std::string(package) + " " + wanted->to_string() + " is not made for PyTorch " + pytorch->to_string(),
             "write " + std::string(package) + "==" + companion->release.to_string());
      }
  }

  bool goes_with(std::string_view package, const TorchRequirement& wanted, const version::Version& pytorch) const {
    bool is_known = false;
    for (const auto& one : m_subject.matrix.companions) {
      if (one.package != package || !wanted.versions.contains(one.release)) continue;
      is_known = true;
      if (std::find(one.pytorch.begin(), one.pytorch.end(), pytorch) != one.pytorch.end() ||
          (one.torch && one.torch->contains(pytorch)))
        return true;
    }
    return !is_known;
  }

  const Subject& m_subject;
  const Step& m_step;
  const PipInstall& m_install;
  Findings& m_findings;
  BaseContents m_base;
  const Word* m_index = nullptr;
  std::string m_index_build;
  bool m_has_index_variable = false;
};

/// pytorch/pytorch:2.8.0-cuda12.1-cudnn9-runtime, which never was.
void check_base_build(const Stage& stage, const Matrix& matrix, Findings& findings) {
  if (!stage.base.is_known || stage.parent) return;
  const auto contents = contents_of(image_name(stage.base.text));
  if (!contents.pytorch || !contents.cuda || !is_in_range(matrix, *contents.pytorch)) return;
  const auto exact = version::SpecifierSet::parse("==" + contents.pytorch->to_string());
  if (!exact || has_build(matrix, *exact, contents.cuda->build_name())) return;
  const auto known = builds_of(matrix, *exact);
  findings.add("torch-build-unknown", stage.base_position(), stage.from->begin.line,
               known.empty() ? "there is no PyTorch " + contents.pytorch->to_string()
                             : "PyTorch " + contents.pytorch->to_string() + " has no " +
                                   contents.cuda->build_name() + " build; it has " + base::join(known, ", "),
               "ask torchkiln matrix show " + contents.pytorch->to_string());
}

void check_conda(const Step& step, Findings& findings) {
  for (const auto& install : conda_installs_of(step))
    for (const auto* package : install.packages)
      if (const auto name = package_of(package->text); name == "pytorch" || name == "pytorch-cuda")
        findings.add("torch-from-conda", step, package->offset,
                     "upstream's conda channel ended with PyTorch 2.5: no newer one comes from it",
                     "install the wheels, with pip or uv");
}

}  // namespace

void check_torch(const Subject& subject, Findings& findings) {
  for (const auto& stage : subject.stages.all) {
    check_base_build(stage, subject.matrix, findings);
    for (const auto& step : stage.steps) {
      if (!step.is("RUN")) continue;
      check_conda(step, findings);
      for (const auto& install : pip_installs_of(step))
        TorchInstall(subject, stage, step, install, findings).check();
    }
  }
}

}  // namespace torchkiln::lint
