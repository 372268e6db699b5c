#include "proof/verify/label_tests.hpp"

#include "foundation/base/text.hpp"
#include "foundation/sys/files.hpp"
#include "knowledge/wheel/install.hpp"
#include "plan/recipe/recipe.hpp"
#include "proof/verify/installed.hpp"

#include <algorithm>
#include <iterator>

#include <fmt/format.h>

namespace torchkiln::verify {

using base::Result;

namespace {

/// Variables that change what an image's programs find, and that none of ours has (ld.so(8), python(1), CUDA's
/// programming guide, NVIDIA Container Toolkit's documentation).
constexpr std::string_view k_forbidden[] = {
    "LD_PRELOAD", "LD_AUDIT", "PYTHONPATH", "PYTHONHOME", "CUDA_VISIBLE_DEVICES", "NVIDIA_DISABLE_REQUIRE"};

std::string label(const oci::ImageConfig& config, const std::string& name) {
  return oci::value_of(config.execution.labels, "dev.torchkiln." + name);
}

/// torch/version.py says: cuda: Optional[str] = '12.8'. Empty where it does not.
Result<std::string> cuda_of_torch(const ImageTree& tree, const std::string& site_packages) {
  const auto* file = tree.file(site_packages + "/torch/version.py");
  if (file == nullptr) return std::string();
  TK_TRY(const auto text, sys::read_file(file->place));
  constexpr std::string_view k_before = "\ncuda: Optional[str] = '";
  const auto at = text.find(k_before);
  if (at == std::string::npos) return std::string();
  const auto begin = at + k_before.size();
  return text.substr(begin, text.find('\'', begin) - begin);
}

}  // namespace

bool is_same_version(const std::string& installed, const std::string& locked) {
  return installed == locked || installed.substr(0, installed.find('+')) == locked;
}

std::vector<std::string> metadata_files(const ImageTree& tree, const std::string& site_packages) {
  std::vector<std::string> paths;
  const auto [begin, end] = tree.below(site_packages);
  for (auto at = begin; at != end; ++at) {
    const auto path = std::string_view(at->first).substr(site_packages.size() + 1);
    if (path.ends_with(".dist-info/METADATA") && std::count(path.begin(), path.end(), '/') == 1)
      paths.push_back(at->first);
  }
  return paths;
}

spec::Variant variant_of(const oci::ImageConfig& config) {
  return spec::parse_variant(label(config, "variant")).value_or(spec::Variant());
}

std::string site_packages_of(const oci::ImageConfig& config) {
  wheel::InstallScheme scheme;
  if (const auto python = label(config, "python"); !python.empty()) scheme.python_version = python;
  return scheme.site_packages();
}

Result<std::map<std::string, std::string>> installed_versions(const ImageTree& tree,
                                                              const std::string& site_packages) {
  std::map<std::string, std::string> versions;
  for (const auto& path : metadata_files(tree, site_packages)) {
    TK_TRY(const auto metadata, sys::read_file(tree.entries().at(path).place));
    const auto wheel = read_wheel_metadata(metadata);
    versions[wheel.name] = wheel.version;
  }
  return versions;
}

Result<std::vector<std::string>> label_faults(const oci::ImageConfig& config, const ImageTree& tree) {
  std::vector<std::string> faults;
  const auto site_packages = site_packages_of(config);
  TK_TRY(const auto installed, installed_versions(tree, site_packages));
  const auto torch = installed.find("torch");
  if (torch == installed.end()) return std::vector<std::string>{"torch is not installed in /" + site_packages};
  const auto compare = [&](const std::string& name, const std::string& found) {
    const auto said = label(config, name);
    if (said.empty())
      faults.push_back("the label dev.torchkiln." + name + " is missing");
    else if (said != found)
      faults.push_back(fmt::format("the label dev.torchkiln.{} is '{}', but {} is installed", name, said, found));
  };
  const auto said = label(config, "pytorch");
  if (said != torch->second && said.substr(0, said.find('+')) != torch->second) compare("pytorch", torch->second);
  TK_TRY(const auto cuda, cuda_of_torch(tree, site_packages));
  if (!cuda.empty()) compare("cuda", cuda);
  for (const auto& [project, version] : installed) {
    if (project.starts_with("nvidia-cudnn-cu")) compare("cudnn", version);
    if (project.starts_with("nvidia-nccl-cu")) compare("nccl", version);
  }
  const auto& labels = config.execution.labels;
  const auto version = labels.find("org.opencontainers.image.version");
  const auto variant = label(config, "variant");
  if (version == labels.end() || !spec::parse_variant(variant))
    faults.emplace_back("the labels name no version and variant");
  else if (const auto start = said.substr(0, said.find('+')) + "-"; !version->second.starts_with(start))
    faults.push_back(fmt::format("the version is '{}', but torch is {}", version->second, said));
  return faults;
}

std::vector<std::string> environment_faults(const oci::ImageConfig& config) {
  std::vector<std::string> faults;
  std::map<std::string, std::string> variables;
  for (const auto& line : config.execution.environment) {
    const auto equals = line.find('=');
    variables[line.substr(0, equals)] = equals == std::string::npos ? std::string() : line.substr(equals + 1);
  }
  for (const auto name : k_forbidden)
    if (variables.contains(std::string(name))) faults.push_back(fmt::format("the environment has {}", name));
  const auto expect = [&](const std::string& name, const std::string& value) {
    if (variables[name] != value)
      faults.push_back(fmt::format("{} is '{}', not '{}'", name, variables[name], value));
  };
  expect("NVIDIA_VISIBLE_DEVICES", "all");
  if (const auto cuda = label(config, "cuda"); !cuda.empty())
    expect("NVIDIA_REQUIRE_CUDA", recipe::nvidia_require_cuda(cuda));
  if (!variables["PATH"].starts_with("/" + wheel::InstallScheme().prefix + "/bin:"))
    faults.push_back("PATH does not begin with the image's own programs: " + variables["PATH"]);
  return faults;
}

std::vector<std::string> lock_faults(const oci::Image& image, const oci::ImageConfig& config,
                                     const lock::Lock& lock) {
  std::vector<std::string> found;
  const auto& labels = config.execution.labels;
  const auto parsed = spec::parse_variant(label(config, "variant"));
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

std::vector<std::string> wheel_layer_faults(const lock::Lock& lock, spec::Variant variant,
                                            const oci::ImageConfig& config) {
  std::map<base::Digest, std::string> missing;  // by diff_id: the wheels in it
  std::size_t found = 0;
  for (const auto& wheel : lock.wheels) {
    if (!wheel.layer || !is_in(wheel, variant)) continue;
    const auto& diff_id = wheel.layer->diff_id;
    if (std::find(config.diff_ids.begin(), config.diff_ids.end(), diff_id) != config.diff_ids.end())
      ++found;
    else
      missing[diff_id] += (missing[diff_id].empty() ? "" : ", ") + wheel.name + " " + wheel.version;
  }
  // An engine, or another form of layers, makes all of them anew.
  if (found == 0) return {};
  std::vector<std::string> faults;
  for (const auto& [diff_id, wheels] : missing)
    faults.push_back(fmt::format("the layer {} of {} is not in the image", diff_id.to_string(), wheels));
  return faults;
}

namespace {

Result<void> add_deb_faults(const lock::Lock& lock, spec::Variant variant, const ImageTree& tree,
                            std::vector<std::string>& found) {
  std::map<std::string, std::string> locked;
  for (const auto& deb : lock.debs)
    if (is_in(deb, variant)) locked[deb.name] = deb.version;
  TK_TRY(const auto installed, installed_debs(tree));
  for (const auto& deb : installed) {
    const auto at = locked.find(deb.name);
    if (at != locked.end()) {
      if (at->second != deb.version)
        found.push_back(fmt::format("Debian's {} is {}, the lock says {}", deb.name, deb.version, at->second));
      locked.erase(at);
    } else if (!lock.base) {  // somebody else's image has packages of its own
      found.push_back(
          fmt::format("Debian's {} {} is installed, but not in the lock of this variant", deb.name, deb.version));
    }
  }
  for (const auto& [name, version] : locked) found.push_back("Debian's " + name + " is not installed");
  return {};
}

}  // namespace

Result<std::vector<std::string>> package_faults(const lock::Lock& lock, spec::Variant variant,
                                                const ImageTree& tree) {
  wheel::InstallScheme scheme;
  scheme.python_version = lock.resolution.python;
  TK_TRY(const auto installed, installed_versions(tree, scheme.site_packages()));
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
    if (std::none_of(lock.wheels.begin(), lock.wheels.end(), [&, &wanted = name](const auto& wheel) {
          return wheel.name == wanted && is_in(wheel, variant);
        }))
      found.push_back(name + " " + version + " is installed, but not in the lock of this variant");
  TK_CHECK(add_deb_faults(lock, variant, tree, found));
  return found;
}

}  // namespace torchkiln::verify
