#include "interface/cli/audited_images.hpp"

#include "assembly/oci/reference.hpp"
#include "foundation/base/text.hpp"
#include "interface/cli/open_image.hpp"
#include "interface/cli/steps.hpp"
#include "knowledge/matrix/query.hpp"
#include "knowledge/wheel/wheel.hpp"
#include "plan/recipe/recipe.hpp"

#include <algorithm>
#include <filesystem>
#include <set>

namespace torchkiln::cli {

using base::ErrorCode;
using base::fail_at;
using base::Result;

namespace {

/// Where a wrong value stands, for an Error.
base::Place option(const char* name) {
  return {name, 0, 0};
}

/// The newest release that begins with what was written, "2.7.1" for "2.7"; what was written when there is none.
version::Version completed(const version::Version& written, const matrix::Matrix& matrix) {
  if (written.release().size() > 2 || !written.is_release_only()) return written;
  for (const auto& release : matrix.releases)
    if (release.pytorch.starts_with(written)) return release.pytorch;
  return written;
}

Result<audit::Image> release_image(const std::string& text, const matrix::Matrix& matrix) {
  auto written = version::Version::parse(text);
  if (!written)
    return fail_at(ErrorCode::usage, option("--pytorch"), std::move(written).error().message,
                   {"for example --pytorch 2.7.1+cu126, or 2.7.1 for what the default index has"});
  audit::Image image;
  image.build = written->local();
  image.pytorch = completed(written->without_local(), matrix);
  image.name = "pytorch " + image.pytorch->to_string() + (image.build.empty() ? "" : "+" + image.build);
  image.source = "--pytorch";
  return image;
}

Result<std::string> python_tag(const std::string& text) {
  const bool free_threaded = text.ends_with('t');
  const auto parsed = version::Version::parse(free_threaded ? text.substr(0, text.size() - 1) : text);
  if (!parsed || !parsed->is_release_only() || parsed->release().size() < 2)
    return fail_at(ErrorCode::usage, option("--python"), "\"" + text + "\" is not a version of Python",
                   {"for example 3.12, or 3.13t for the free-threaded one"});
  return std::to_string(parsed->part(0)) + "." + std::to_string(parsed->part(1)) + (free_threaded ? "t" : "");
}

Result<audit::Package> package(const std::string& text) {
  const auto equals = text.find("==");
  auto release = version::Version::parse(equals == std::string::npos ? "" : text.substr(equals + 2));
  if (!release || equals == 0)
    return fail_at(ErrorCode::usage, option("--package"), "\"" + text + "\" is not NAME==VERSION",
                   {"for example --package torchvision==0.29.2"});
  return audit::Package{wheel::normalized_name(base::trim(text.substr(0, equals))), std::move(*release)};
}

/// Python and packages of the releases asked about.
Result<void> complete(audit::Image& image, const AuditedImages& asked) {
  if (!asked.python.empty()) {
    TK_TRY(image.python, python_tag(asked.python));
  }
  for (const auto& text : asked.packages) {
    TK_TRY(auto wanted, package(text));
    image.packages.push_back(std::move(wanted));
  }
  return {};
}

void add_torch(audit::Image& image, const std::string& version_text) {
  const auto full = version::Version::parse(version_text);
  if (!full) return;
  image.pytorch = full->without_local();
  image.build = full->local();
}

Result<audit::Image> lock_image(const std::string& file) {
  // What is neither there nor named like a lock was meant as an image: what its reference lacks is told.
  if (std::error_code error; !file.ends_with(".lock") && !std::filesystem::exists(file, error)) {
    TK_CHECK(oci::parse_reference(file));
  }
  TK_TRY(const auto lock, read_lock(file));
  const auto& resolution = lock.resolution;
  audit::Image image;
  image.name = file;
  image.source = file;
  add_torch(image, resolution.pytorch + "+" + resolution.build);
  if (const auto architecture = matrix::parse_architecture(resolution.architecture))
    image.architecture = *architecture;
  image.python = resolution.python;
  if (auto glibc = version::Version::parse(resolution.glibc)) image.glibc = std::move(*glibc);
  for (const auto name : matrix::k_companions)
    if (auto release = version::Version::parse(lock::locked_version(lock, name)))
      image.packages.push_back({std::string(name), std::move(*release)});
  image.requirements.emplace_back("NVIDIA_REQUIRE_CUDA", recipe::nvidia_require_cuda(resolution.cuda));
  return image;
}

/// What an image says of itself: our own labels, the environment that container runtimes read, its processor.
Result<audit::Image> named_image(const std::string& reference, const matrix::Matrix& matrix, Session& session) {
  TK_TRY(const auto opened, open_image(reference, ImageContent::documents, session));
  TK_TRY(const auto manifest, opened.layout.read_manifest(opened.image.descriptor));
  TK_TRY(const auto config, opened.layout.read_config(manifest));
  audit::Image image;
  image.name = opened.image.name.empty() ? reference : opened.image.name;
  image.source = reference;
  const auto label = [&](const char* name) {
    return oci::value_of(config.execution.labels, std::string("dev.torchkiln.") + name);
  };
  add_torch(image, label("pytorch"));
  image.python = label("python");
  if (const auto* system = find_system(matrix, label("os"))) image.glibc = system->glibc;
  if (config.architecture == "amd64") image.architecture = matrix::Architecture::x86_64;
  if (config.architecture == "arm64") image.architecture = matrix::Architecture::aarch64;
  for (const auto& entry : config.execution.environment) {
    const auto equals = entry.find('=');
    const std::string name = entry.substr(0, equals);
    if (equals == std::string::npos) continue;
    if (name.starts_with("NVIDIA_REQUIRE_") || name == "NVIDIA_DISABLE_REQUIRE" || name == "CUDA_VERSION")
      image.requirements.emplace_back(name, entry.substr(equals + 1));
  }
  return image;
}

audit::Image requirement_image(const std::string& text) {
  audit::Image image;
  const auto space = text.find(' ');
  image.name = "require " + (space == std::string::npos ? text : text.substr(0, space) + " …");
  image.requirements.emplace_back("NVIDIA_REQUIRE_CUDA", text);
  image.source = "--require";
  return image;
}

/// The newest patch of each minor release, newest first.
std::vector<std::string> newest_releases(const matrix::Matrix& matrix) {
  std::vector<std::string> newest;
  std::set<std::pair<std::uint64_t, std::uint64_t>> seen;
  for (const auto& release : matrix.releases)
    if (seen.emplace(release.pytorch.part(0), release.pytorch.part(1)).second)
      newest.push_back(release.pytorch.to_string());
  return newest;
}

}  // namespace

Result<std::vector<audit::Image>> read_images(const AuditedImages& asked, const matrix::Matrix& matrix,
                                              Session& session) {
  std::vector<audit::Image> images;
  for (const auto& text : asked.images) {
    TK_TRY(auto image, is_lock(text) ? lock_image(text) : named_image(text, matrix, session));
    images.push_back(std::move(image));
  }
  const bool names_none = asked.images.empty() && asked.pytorch.empty() && asked.requirements.empty();
  for (const auto& text : names_none ? newest_releases(matrix) : asked.pytorch) {
    TK_TRY(auto image, release_image(text, matrix));
    TK_CHECK(complete(image, asked));
    images.push_back(std::move(image));
  }
  for (const auto& text : asked.requirements) images.push_back(requirement_image(text));
  return images;
}

}  // namespace torchkiln::cli
