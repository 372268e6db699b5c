#include "decision/audit/judge.hpp"
#include "decision/solver/rules.hpp"
#include "foundation/base/text.hpp"
#include "knowledge/matrix/requirement.hpp"

#include <algorithm>

namespace torchkiln::audit {

namespace {

constexpr std::array k_architectures{matrix::Architecture::x86_64, matrix::Architecture::aarch64};

/// What Go's strconv.ParseBool takes for true: how the container toolkit reads NVIDIA_DISABLE_REQUIRE.
bool is_true(const std::string& text) {
  return text == "1" || text == "t" || text == "T" || text == "true" || text == "True" || text == "TRUE";
}

/// "12.8" of "12.8.1": what the toolkit requires of images that name only CUDA_VERSION.
std::string major_and_minor(const std::string& version) {
  const auto parts = base::split(version, '.');
  return parts.size() < 2 ? version : std::string(parts[0]) + "." + std::string(parts[1]);
}

/// The requirements that the container toolkit hands on (internal/config/image/cuda_image.go, GetRequirements).
void read_requirements(const Image& image, ImageFacts& facts) {
  const auto add = [&](const std::string& name, const std::string& text) {
    facts.requirements.push_back(NvidiaRequirement::parse(text));
    facts.requirement_names.push_back(name);
    if (facts.requirement) return;
    if (const auto cuda = version::CudaVersion::parse(major_and_minor(facts.requirements.back().cuda())))
      facts.requirement = *cuda;
  };
  std::string cuda_version;
  bool names_cuda = false;
  for (const auto& [name, value] : image.requirements) {
    if (name == "NVIDIA_DISABLE_REQUIRE" && is_true(value)) return;
    if (name == "CUDA_VERSION") cuda_version = value;
    names_cuda = names_cuda || (name == "NVIDIA_REQUIRE_CUDA" && !value.empty());
  }
  for (const auto& [name, value] : image.requirements)
    if (name.starts_with("NVIDIA_REQUIRE_") && !name.starts_with("NVIDIA_REQUIRE_JETPACK")) add(name, value);
  if (!cuda_version.empty() && !names_cuda) add("CUDA_VERSION", "cuda>=" + major_and_minor(cuda_version));
}

}  // namespace

const matrix::Build* find_build(const matrix::Matrix& matrix, const version::Version& pytorch,
                                std::string_view variant, matrix::Architecture architecture) {
  const auto at = std::find_if(matrix.builds.begin(), matrix.builds.end(), [&](const matrix::Build& build) {
    return build.architecture == architecture &&
           (variant.empty() ? build.index == "default" : build.variant == variant) && build.pytorch == pytorch;
  });
  return at == matrix.builds.end() ? nullptr : &*at;
}

const matrix::Companion* find_companion_row(const matrix::Matrix& matrix, const Package& package,
                                            const version::Version& pytorch) {
  const matrix::Companion* any = nullptr;
  for (const auto& row : matrix.companions) {
    if (row.package != package.name || row.release != package.release.without_local()) continue;
    if (solver::accepts(row, pytorch)) return &row;
    any = &row;
  }
  return any;
}

std::optional<version::CudaVersion> cuda_of_companion(const matrix::Matrix& matrix, const Package& package,
                                                      const matrix::Companion& row,
                                                      matrix::Architecture architecture) {
  if (package.release.local().empty()) return solver::cuda_of(matrix, row, architecture);
  const auto cuda = version::CudaVersion::from_build_name(package.release.local());
  return cuda ? std::optional(*cuda) : std::nullopt;
}

std::string broken_pin(const matrix::Build& build, const Package& package, const std::string& python) {
  for (const auto& text : build.requirements) {
    const auto requirement = matrix::parse_requirement(text);
    if (requirement && requirement->name == package.name && (python.empty() || requirement->holds_on(python)) &&
        !requirement->versions.contains(package.release))
      return text;
  }
  return {};
}

namespace {

void judge_package(const matrix::Matrix& matrix, const Image& image, std::size_t item, ImageOnArchitecture& on) {
  const Package& package = image.packages[item];
  const matrix::Build& build = *on.build;
  if (!matrix::is_companion(package.name)) {
    if (!broken_pin(build, package, image.python).empty()) on.findings.push_back({Rule::pin, item});
    return;
  }
  const auto* row = find_companion_row(matrix, package, build.pytorch);
  if (!row) return on.findings.push_back({Rule::package_unknown, item});
  if (!solver::accepts(*row, build.pytorch)) return on.findings.push_back({Rule::companion, item});
  const auto cuda = cuda_of_companion(matrix, package, *row, build.architecture);
  if (package.name == "torchvision" && cuda && build.cuda && cuda->major != build.cuda->major)
    on.findings.push_back({Rule::companion_cuda, item});
  if (!image.python.empty() && std::find(row->python.begin(), row->python.end(), image.python) == row->python.end())
    on.findings.push_back({Rule::companion_python, item});
}

ImageOnArchitecture facts_on(const matrix::Matrix& matrix, const Image& image, matrix::Architecture architecture) {
  ImageOnArchitecture on;
  on.build = find_build(matrix, *image.pytorch, image.build, architecture);
  const bool is_release = find_release(matrix, *image.pytorch) != nullptr;
  // Upstream makes a build without CUDA of every release; the matrix keeps those of the default index.
  const bool is_cpu = on.build ? !on.build->cuda : image.build == "cpu" && is_release;
  if (is_cpu) on.findings.push_back({Rule::cpu_build, 0});
  if (!on.build && !is_cpu) on.findings.push_back({Rule::build, 0});
  if (!on.build) return on;
  on.cudnn = solver::cudnn_row(matrix, *on.build);
  if (!image.python.empty() && !on.build->has_python(image.python)) on.findings.push_back({Rule::python, 0});
  for (std::size_t item = 0; item < image.packages.size(); ++item) judge_package(matrix, image, item, on);
  on.python = image.python;
  for (const auto& package : image.packages) on.packages.emplace_back(package.name, package.release);
  if (const auto* row = solver::find_broken(matrix, {*on.build, on.python, {}, on.packages}))
    on.findings.push_back({Rule::broken, static_cast<std::size_t>(row - matrix.broken.data())});
  on.may_break_by_gpu = std::any_of(matrix.broken.begin(), matrix.broken.end(), [&](const matrix::Broken& row) {
    return row.compute && row.is_about(*on.build);
  });
  if (on.build->cuda && !on.build->sass) on.findings.push_back({Rule::kernels_unknown, 0});
  std::stable_sort(on.findings.begin(), on.findings.end(),
                   [](const Finding& a, const Finding& b) { return a.rule < b.rule; });
  return on;
}

}  // namespace

ImageFacts Judge::facts_of(const Image& image) const {
  ImageFacts facts;
  facts.has_pytorch = image.pytorch.has_value();
  facts.architecture = image.architecture;
  facts.glibc = image.glibc;
  read_requirements(image, facts);
  for (const auto architecture : k_architectures) {
    auto& on = facts.on[static_cast<std::size_t>(architecture)];
    if (image.pytorch)
      on = facts_on(*m_matrix, image, architecture);
    else if (facts.requirements.empty())
      on.findings.push_back({Rule::image_unknown, 0});
  }
  return facts;
}

}  // namespace torchkiln::audit
