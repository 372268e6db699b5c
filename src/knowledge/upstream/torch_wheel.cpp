#include "knowledge/upstream/torch_wheel.hpp"

#include "foundation/base/text.hpp"
#include "knowledge/matrix/requirement.hpp"
#include "knowledge/upstream/marker.hpp"
#include "knowledge/upstream/wheel_facts.hpp"
#include "knowledge/wheel/wheel.hpp"

#include <algorithm>

namespace torchkiln::upstream {

using base::ErrorCode;
using base::fail;
using base::Result;
using version::Version;

namespace {

constexpr std::string_view k_torch_version_member = "torch/version.py";
constexpr std::string_view k_torch_library_member = "torch/lib/libtorch_python.so";

base::Unexpected bad_wheel(const std::string& file, const std::string& what) {
  return fail(ErrorCode::input_invalid, file + ": " + what);
}

Result<std::string> member(const RemoteWheel& wheel, std::string_view name, const std::string& file) {
  const auto found = wheel.members.find(std::string(name));
  if (found == wheel.members.end()) return bad_wheel(file, "it has no " + std::string(name));
  return found->second;
}

/// "nvidia-cudnn-cu12" of 'nvidia-cudnn-cu12==9.10.2.21; …'.
std::string package_of(std::string_view requirement) {
  return wheel::normalized_name(requirement.substr(0, requirement.find_first_of("[<>=!~;( ")));
}

/// The lines that the matrix keeps: CUDA's and Triton's.
bool is_kept(const std::string& package) {
  return package.starts_with("nvidia-") || package.starts_with("cuda-") || package == "triton" ||
         package == "pytorch-triton";
}

Result<void> add_requirements(const CoreMetadata& metadata, matrix::Build& build) {
  for (const auto& line : metadata.requires_dist) {
    if (!is_kept(package_of(base::trim(line)))) continue;
    TK_TRY(const auto text, requirement_on_linux(line, build.architecture));
    if (!text) continue;
    TK_TRY(const auto requirement, matrix::parse_requirement(*text));
    build.requirements.push_back(*text);
    const auto pinned = requirement.versions.lone_equal();
    if (pinned && requirement.name.starts_with("nvidia-cudnn-")) build.cudnn = pinned;
    if (pinned && requirement.name.starts_with("nvidia-nccl-")) build.nccl = pinned;
  }
  std::sort(build.requirements.begin(), build.requirements.end());
  build.has_all_requirements = true;
  return {};
}

}  // namespace

std::vector<std::string> torch_members() {
  return {std::string(k_torch_version_member), std::string(k_metadata_member), std::string(k_torch_library_member)};
}

Result<matrix::Build> torch_build(const WheelFamily& family, const RemoteWheel& wheel, const std::string& index) {
  const auto& file = family.representative().file.name;
  TK_TRY(const auto version_text, member(wheel, k_torch_version_member, file));
  TK_TRY(const auto version, parse_version_file(version_text, file));
  TK_TRY(const auto metadata_text, member(wheel, k_metadata_member, file));
  TK_TRY(const auto metadata, parse_core_metadata(metadata_text, file));
  TK_TRY(const auto library_bytes, member(wheel, k_torch_library_member, file));
  const auto library = read_library(library_bytes);

  matrix::Build build;
  build.pytorch = family.version.without_local();
  build.architecture = family.architecture;
  build.index = index;
  build.cuda = version.cuda;
  build.variant = version.cuda ? version.cuda->build_name() : "cpu";
  const auto local = version.version.local();
  if (version.version.without_local() != build.pytorch || metadata.version.without_local() != build.pytorch)
    return bad_wheel(file, "its torch/version.py or METADATA is of another version than its name");
  // Wheels of aarch64 before 2.6 have no local version at all.
  if ((!local.empty() || version.cuda) && local != build.variant)
    return bad_wheel(file, "torch/version.py says " + version.version.to_string() + ", and its CUDA is that of " +
                               build.variant);
  if (version.cuda && !library.sass) return bad_wheel(file, "its library has no list of GPU architectures");
  build.sass = version.cuda ? library.sass : std::vector<version::ComputeCapability>{};
  if (version.cuda) build.ptx = library.ptx;
  if (!library.specific.empty())
    build.from.note = "Also code for one architecture alone: " + base::join(library.specific, ", ") + ".";
  build.python = family.python();
  build.glibc = family.representative().glibc;
  if (library.glibc && build.glibc < *library.glibc) build.glibc = *library.glibc;
  build.cxx11_abi = library.cxx11_abi;
  if (wheel.size_bytes != 0) build.wheel_bytes = wheel.size_bytes;
  TK_CHECK(add_requirements(metadata, build));
  return build;
}

Result<matrix::Companion> companion_of(const std::string& package, const WheelFamily& family,
                                       const RemoteWheel& wheel) {
  const auto& file = family.representative().file.name;
  TK_TRY(const auto metadata_text, member(wheel, k_metadata_member, file));
  TK_TRY(const auto metadata, parse_core_metadata(metadata_text, file));
  matrix::Companion companion;
  companion.package = package;
  companion.release = family.version.without_local();
  companion.python = family.python();
  for (const auto& line : metadata.requires_dist) {
    if (package_of(base::trim(line)) != "torch") continue;
    TK_TRY(const auto text, requirement_on_linux(line, family.architecture));
    if (!text) continue;
    TK_TRY(const auto requirement, matrix::parse_requirement(*text));
    if (const auto pinned = requirement.versions.lone_equal())
      companion.pytorch = {pinned->without_local()};
    else if (!requirement.versions.is_empty())
      companion.torch = requirement.versions;
  }
  return companion;
}

Result<matrix::Metapackage> metapackage_of(const std::string& metadata_text, const std::string& file,
                                           const std::vector<std::string>& extras) {
  TK_TRY(const auto metadata, parse_core_metadata(metadata_text, file));
  matrix::Metapackage metapackage;
  metapackage.package = wheel::normalized_name(metadata.name);
  metapackage.release = metadata.version;
  for (const auto& extra : extras) {
    std::vector<std::string> lines;
    for (const auto& line : metadata.requires_dist) {
      TK_TRY(const auto without, requirement_on_linux(line, matrix::Architecture::x86_64));
      TK_TRY(const auto with, requirement_on_linux(line, matrix::Architecture::x86_64, extra));
      if (with && !without) lines.push_back(*with);
    }
    const auto own = std::find_if(lines.begin(), lines.end(), [&](const std::string& line) {
      return lines.size() == 1 || package_of(line).ends_with("-" + extra);
    });
    if (own == lines.end()) return bad_wheel(file, "its METADATA does not say what the extra \"" + extra + "\" is");
    metapackage.extras.emplace_back(extra, *own);
  }
  return metapackage;
}

}  // namespace torchkiln::upstream
