#include "proof/verify/static_tests.hpp"

#include "foundation/base/text.hpp"
#include "foundation/sys/environment.hpp"
#include "foundation/sys/files.hpp"
#include "knowledge/wheel/wheel.hpp"
#include "plan/recipe/recipe.hpp"

#include <algorithm>
#include <functional>

#include <fmt/format.h>

namespace torchkiln::verify {

using base::Result;
namespace fs = std::filesystem;

namespace {

/// Runs a check that lists what is wrong: passed when the list is empty.
Result<report::TestOutcome> count_faults(const std::string& id,
                                         const std::function<Result<std::vector<std::string>>()>& check) {
  const double start_s = sys::monotonic_s();
  TK_TRY(const auto faults, check());
  report::TestOutcome test;
  test.id = id;
  test.level = report::Level::static_;
  test.verdict = faults.empty() ? report::TestVerdict::pass : report::TestVerdict::fail;
  constexpr std::size_t k_shown = 5;
  for (std::size_t i = 0; i < std::min(k_shown, faults.size()); ++i) test.reason += (i ? "; " : "") + faults[i];
  if (faults.size() > k_shown) test.reason += fmt::format("; and {} more", faults.size() - k_shown);
  test.measured = faults.size();
  test.limit = 0;
  test.duration_s = sys::monotonic_s() - start_s;
  return test;
}

std::vector<std::string> differences(const oci::Image& image, const oci::ImageConfig& config,
                                     const lock::Lock& lock) {
  std::vector<std::string> found;
  const auto& labels = config.execution.labels;
  const auto variant = labels.find("dev.torchkiln.variant");
  const auto parsed = spec::parse_variant(variant == labels.end() ? "" : variant->second);
  if (!parsed) return {"the label dev.torchkiln.variant names no variant"};
  const auto wanted = recipe::make_recipe(lock, *parsed);
  if (image.tag != wanted.tag) found.push_back("the tag is '" + image.tag + "', not '" + wanted.tag + "'");
  for (const auto& [key, value] : wanted.labels) {
    // When it was made is the one thing that SOURCE_DATE_EPOCH may set.
    if (key == "org.opencontainers.image.created") continue;
    const auto at = labels.find(key);
    if (at == labels.end())
      found.push_back("the label " + key + " is missing");
    else if (at->second != value)
      found.push_back("the label " + key + " is '" + at->second + "', the lock says '" + value + "'");
  }
  for (const auto& [key, value] : wanted.environment)
    if (const auto line = key + "=" + value;
        std::find(config.execution.environment.begin(), config.execution.environment.end(), line) ==
        config.execution.environment.end())
      found.push_back("the environment lacks " + line);
  return found;
}

std::vector<std::string> user_faults(const oci::ImageConfig& config) {
  const auto& user = config.execution.user;
  const auto number = base::parse_integer(user.substr(0, user.find(':')));
  if (!number) return {"the image's user is '" + user + "', not a number"};
  if (*number == 0) return {"the image's user is root"};
  return {};
}

/// Versions of the installed distributions, by normalised name, as their METADATA says.
std::map<std::string, std::string> installed_versions(const std::vector<fs::path>& lower,
                                                      const std::string& site_packages) {
  std::map<std::string, std::string> versions;
  for (const auto& layer : lower) {
    const auto names = sys::list_directory(layer / site_packages);
    if (!names) continue;
    for (const auto& name : *names) {
      if (!name.ends_with(".dist-info")) continue;
      const auto metadata = sys::read_file(layer / site_packages / name / "METADATA");
      if (!metadata) continue;
      std::string project, version;
      for (const auto line : base::lines(*metadata)) {
        if (line.empty()) break;
        if (line.starts_with("Name:")) project = wheel::normalized_name(base::trim(line.substr(5)));
        if (line.starts_with("Version:")) version = base::trim(line.substr(8));
      }
      versions[project] = version;
    }
  }
  return versions;
}

/// A wheel's version may carry a local part ("2.8.0+cu128") that its file name and the index leave out.
bool is_same_version(const std::string& installed, const std::string& locked) {
  return installed == locked || installed.substr(0, installed.find('+')) == locked;
}

std::vector<std::string> package_faults(const lock::Lock& lock, spec::Variant variant,
                                        const std::vector<fs::path>& lower) {
  wheel::InstallScheme scheme;
  scheme.python_version = lock.resolution.python;
  const auto installed = installed_versions(lower, scheme.site_packages());
  std::vector<std::string> found;
  for (const auto& wheel : lock.wheels) {
    if (!is_in(wheel, variant)) continue;
    const auto at = installed.find(wheel.name);
    if (at == installed.end())
      found.push_back(wheel.name + " is not installed");
    else if (!is_same_version(at->second, wheel.version))
      found.push_back(fmt::format("{} is {}, the lock says {}", wheel.name, at->second, wheel.version));
  }
  for (const auto& [name, version] : installed)
    if (std::none_of(lock.wheels.begin(), lock.wheels.end(),
                     [&](const auto& wheel) { return wheel.name == name && is_in(wheel, variant); }))
      found.push_back(name + " " + version + " is installed, but not in the lock of this variant");
  return found;
}

/// Secrets that would be the same in every container: host keys and tokens in a layer, anything of that kind in the
/// environment.
std::vector<std::string> secret_faults(const oci::ImageConfig& config, const std::vector<fs::path>& lower) {
  std::vector<std::string> found;
  for (const auto& line : config.execution.environment) {
    const auto name = line.substr(0, line.find('='));
    for (const char* word : {"TOKEN", "PASSWORD", "SECRET", "AUTHORIZED_KEYS"})
      if (name.find(word) != std::string::npos) found.push_back("the environment has " + name);
  }
  const auto look = [&](const fs::path& layer, const std::string& folder, std::string_view start) {
    const auto names = sys::list_directory(layer / folder);
    if (!names) return;
    for (const auto& name : *names)
      if (name.starts_with(start)) found.push_back("/" + folder + "/" + name + " is in a layer");
  };
  for (const auto& layer : lower) {
    look(layer, "etc/ssh", "ssh_host_");
    look(layer, "root/.ssh", "");
    const auto homes = sys::list_directory(layer / "home");
    if (!homes) continue;
    for (const auto& home : *homes)
      for (const char* folder : {"/.ssh", "/.local/share/kiln", "/.jupyter"})
        look(layer, "home/" + home + folder, "");
  }
  return found;
}

}  // namespace

spec::Variant variant_of(const oci::ImageConfig& config) {
  const auto at = config.execution.labels.find("dev.torchkiln.variant");
  if (at == config.execution.labels.end()) return {};
  return spec::parse_variant(at->second).value_or(spec::Variant());
}

Result<std::vector<report::TestOutcome>> run_static_tests(const oci::Layout& layout, const oci::Image& image,
                                                          const oci::ImageConfig& config, const lock::Lock* lock,
                                                          const std::vector<fs::path>& lower, base::Step& step) {
  std::vector<report::TestOutcome> tests;
  auto add = [&](const std::string& id,
                 const std::function<Result<std::vector<std::string>>()>& check) -> Result<void> {
    TK_TRY(auto test, count_faults(id, check));
    step.output(fmt::format("{:4}  {}", test.verdict == report::TestVerdict::pass ? "pass" : "fail", test.id));
    tests.push_back(std::move(test));
    return {};
  };
  TK_CHECK(add("static.blobs", [&]() -> Result<std::vector<std::string>> {
    TK_TRY(const auto faults, layout.check(image, oci::CheckDepth::every_byte, [](std::uint64_t) {}));
    std::vector<std::string> found;
    for (const auto& fault : faults) found.push_back(fault.file.filename().string() + " " + fault.what);
    return found;
  }));
  TK_CHECK(
      add("static.secrets", [&]() -> Result<std::vector<std::string>> { return secret_faults(config, lower); }));
  TK_CHECK(add("static.user", [&]() -> Result<std::vector<std::string>> { return user_faults(config); }));
  if (lock) {
    TK_CHECK(add("static.lock",
                 [&]() -> Result<std::vector<std::string>> { return differences(image, config, *lock); }));
    TK_CHECK(add("static.packages", [&]() -> Result<std::vector<std::string>> {
      return package_faults(*lock, variant_of(config), lower);
    }));
  }
  return tests;
}

}  // namespace torchkiln::verify
