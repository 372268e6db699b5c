#include "plan/recipe/recipe.hpp"

#include "foundation/base/text.hpp"

#include <algorithm>
#include <set>

#include <fmt/format.h>

namespace torchkiln::recipe {

using base::Result;

namespace {

/// The fixed global order of large wheels: NVIDIA's libraries change least, torch most often.
int layer_rank(const std::string& name) {
  if (name.starts_with("nvidia-") || name.starts_with("cuda-")) return 0;
  if (name == "triton") return 2;
  if (name == "torch") return 3;
  return 1;
}

/// Whether a package belongs to PyTorch and the libraries that its kernels need.
bool is_of_torch(const std::string& name) {
  return layer_rank(name) != 1 || name == "torchvision" || name == "torchaudio";
}

/// At most `limit` layers with these wheels.
WheelLayers plan_wheel_layers(const std::vector<lock::LockedWheel>& wheels, const std::vector<std::size_t>& chosen,
                              std::size_t limit) {
  std::vector<std::size_t> large, small;
  for (const auto i : chosen) (wheels[i].size_bytes >= k_own_layer_bytes ? large : small).push_back(i);
  // Over the limit the smallest of the large ones join the small ones.
  std::stable_sort(large.begin(), large.end(),
                   [&](std::size_t a, std::size_t b) { return wheels[a].size_bytes > wheels[b].size_bytes; });
  while (large.size() + 1 > limit) {
    small.push_back(large.back());
    large.pop_back();
  }
  std::sort(large.begin(), large.end(), [&](std::size_t a, std::size_t b) {
    return std::pair(layer_rank(wheels[a].name), wheels[a].name) <
           std::pair(layer_rank(wheels[b].name), wheels[b].name);
  });
  std::sort(small.begin(), small.end());
  WheelLayers layers;
  for (const auto i : large) layers.push_back({i});
  if (!small.empty()) layers.push_back(small);
  return layers;
}

/// The wheels of `variant` that an image of `below` has not.
std::vector<std::size_t> wheels_added(const lock::Lock& lock, spec::Variant variant, spec::Variant below) {
  std::vector<std::size_t> added;
  for (std::size_t i = 0; i < lock.wheels.size(); ++i)
    if (is_in(lock.wheels[i], variant) && !is_in(lock.wheels[i], below)) added.push_back(i);
  return added;
}

std::vector<PartPlan> plan_parts(const lock::Lock& lock, spec::Variant variant) {
  std::vector<PartPlan> plans;
  spec::Variant below;
  for (const auto part : variant.parts()) {
    PartPlan plan;
    plan.part = part;
    plan.up_to = below;
    plan.up_to.add(part);
    plan.has_packages = std::any_of(lock.debs.begin(), lock.debs.end(), [&](const lock::LockedDeb& deb) {
      return is_in(deb, plan.up_to) && !is_in(deb, below);
    });
    plan.has_archives =
        std::any_of(lock.archives.begin(), lock.archives.end(),
                    [&](const lock::LockedArchive& archive) { return archive.parts == spec::Variant{part}; });
    plan.wheel_layers = plan_wheel_layers(lock.wheels, wheels_added(lock, plan.up_to, below), k_part_wheel_layers);
    below = plan.up_to;
    plans.push_back(std::move(plan));
  }
  return plans;
}

/// The same wheels in a lock that stands on `below`.
WheelLayers translated(WheelLayers layers, const lock::Lock& below, const lock::Lock& lock) {
  for (auto& layer : layers)
    for (auto& wheel : layer) {
      const auto at = std::find_if(lock.wheels.begin(), lock.wheels.end(), [&](const lock::LockedWheel& one) {
        return one.digest == below.wheels[wheel].digest && one.file_name == below.wheels[wheel].file_name;
      });
      TK_ASSERT(at != lock.wheels.end(), "a lock has all that the lock below has: lock::stands_on()");
      wheel = static_cast<std::size_t>(at - lock.wheels.begin());
    }
  return layers;
}

/// The layers of the image below, and on top what this lock has more.
void plan_extension(const lock::Lock& lock, spec::Variant variant, Recipe& recipe) {
  auto below = make_recipe(*lock.below, variant);
  std::set<std::size_t> there;
  const auto take = [&](WheelLayers& layers) {
    layers = translated(std::move(layers), *lock.below, lock);
    for (const auto& layer : layers) there.insert(layer.begin(), layer.end());
  };
  take(below.wheel_layers);
  for (auto& part : below.parts) take(part.wheel_layers);
  for (auto& extension : below.extensions) take(extension.wheel_layers);
  recipe.wheel_layers = std::move(below.wheel_layers);
  recipe.parts = std::move(below.parts);
  recipe.extensions = std::move(below.extensions);

  ExtensionPlan plan;
  plan.has_packages = std::any_of(lock.debs.begin(), lock.debs.end(), [&](const lock::LockedDeb& deb) {
    return is_in(deb, variant) &&
           std::none_of(lock.below->debs.begin(), lock.below->debs.end(), [&](const lock::LockedDeb& other) {
             return other.digest == deb.digest && is_in(other, variant);
           });
  });
  std::vector<std::size_t> added;
  for (std::size_t i = 0; i < lock.wheels.size(); ++i)
    if (is_in(lock.wheels[i], variant) && !there.count(i)) added.push_back(i);
  plan.wheel_layers = plan_wheel_layers(lock.wheels, added, k_extension_wheel_layers);
  recipe.extensions.push_back(std::move(plan));
}

/// Ours is a link beside the toolkit; a base image may have one of that name or none.
std::string cuda_home(const lock::Lock& lock) {
  return lock.has_toolkit_in_base ? "/" + toolkit_folder(lock) : "/usr/local/cuda";
}

/// What torch.utils.cpp_extension compiles for: the GPUs that were asked for, or all that torch has code for; and
/// for later ones PTX.
std::string cuda_arch_list(const lock::LockedResolution& resolution) {
  const auto& targets = resolution.gpus.empty() ? resolution.sass : resolution.gpus;
  return targets.empty() ? std::string() : base::join(targets, ";") + "+PTX";
}

/// The headers of the libraries that torch's own headers include, which the archives have not: those of the wheels
/// that torch requires, by the folders of CUDA 11 and 12 and of CUDA 13.
std::string library_headers(const lock::Lock& lock, const wheel::InstallScheme& scheme) {
  const std::string wheels = "/" + scheme.site_packages() + "/nvidia/";
  if (lock.resolution.cuda.starts_with("13.")) return wheels + "cu13/include";
  std::vector<std::string> folders;
  for (const auto* library : {"cublas", "cufft", "curand", "cusolver", "cusparse"})
    folders.push_back(wheels + library + "/include");
  return base::join(folders, ":");
}

/// What compilers are told about the CUDA toolkit.
void add_toolkit_environment(const lock::Lock& lock, Recipe& recipe) {
  recipe.environment.emplace_back("CUDA_HOME", cuda_home(lock));
  // For programs that nvcc links; torch finds the same libraries by their places beside it.
  recipe.environment.emplace_back("LD_LIBRARY_PATH", cuda_home(lock) + "/lib64");
  recipe.environment.emplace_back("TORCH_CUDA_ARCH_LIST", cuda_arch_list(lock.resolution));
  if (lock.archives.empty()) return;
  recipe.environment.emplace_back("CPATH", library_headers(lock, recipe.scheme));
  // It refuses Debian 12's own compiler: plan/lock/parts.cpp.
  if (lock.resolution.cuda.starts_with("11."))
    recipe.environment.emplace_back("NVCC_PREPEND_FLAGS", "-ccbin=g++-11");
}

/// The programs that a container runs unless told otherwise, and how to see whether they are well.
void add_services(Recipe& recipe) {
  const bool jupyter = recipe.variant.has(spec::Part::jupyter), ssh = recipe.variant.has(spec::Part::ssh);
  recipe.health.command = {"kiln-health"};
  if (jupyter) {
    recipe.ports.emplace_back("8888/tcp");
    recipe.health.command.emplace_back("jupyter");
  }
  if (ssh) {
    recipe.ports.emplace_back("2222/tcp");
    recipe.health.command.emplace_back("ssh");
  }
  if (jupyter && ssh)
    recipe.command = {"kiln-services", "jupyter-lab", "kiln-sshd"};
  else
    recipe.command = {jupyter ? "jupyter-lab" : ssh ? "kiln-sshd" : "python"};
}

std::map<std::string, std::string> make_labels(const lock::Lock& lock, const Recipe& recipe) {
  const auto& r = lock.resolution;
  std::map<std::string, std::string> labels = {
      {"org.opencontainers.image.title", lock.image_name},
      {"org.opencontainers.image.version", recipe.tag},
      {"org.opencontainers.image.created", base::format_time(recipe.created_s)},
      {"org.opencontainers.image.description",
       fmt::format("PyTorch {} for CUDA {} with Python {} on {}", r.pytorch, r.cuda, r.python, r.os)},
      {"dev.torchkiln.variant", name(recipe.variant)},
      {"dev.torchkiln.lock", identity(lock).to_string()},
      {"dev.torchkiln.pytorch", r.pytorch + "+" + r.build},
      {"dev.torchkiln.cuda", r.cuda},
      {"dev.torchkiln.python", r.python},
      {"dev.torchkiln.os", r.os},
      {"dev.torchkiln.driver-minimum", r.driver_minimum},
      {"dev.torchkiln.requested", base::join(lock.requested, " ")},
  };
  if (lock.base) {
    labels["org.opencontainers.image.base.name"] = lock.base->image;
    labels["org.opencontainers.image.base.digest"] = lock.base->digest.to_string();
  }
  if (!r.sass.empty())
    labels["dev.torchkiln.gpu-architectures"] = "sm_" + base::replace_all(base::join(r.sass, " sm_"), ".", "");
  if (!r.cudnn.empty()) labels["dev.torchkiln.cudnn"] = r.cudnn;
  if (!r.nccl.empty()) labels["dev.torchkiln.nccl"] = r.nccl;
  return labels;
}

/// The entries of an account file (passwd(5), group(5)): name and number of each line.
struct Account {
  std::string name, number;
};
std::vector<Account> accounts(std::string_view text) {
  std::vector<Account> found;
  for (const auto line : base::lines(text)) {
    const auto fields = base::split(line, ':');
    if (fields.size() > 2) found.push_back({std::string(fields[0]), std::string(fields[2])});
  }
  return found;
}

Result<void> check_free(std::string_view text, const std::string& name, unsigned number, const char* what) {
  for (const auto& account : accounts(text))
    if (account.name == name || account.number == std::to_string(number))
      return base::fail(base::ErrorCode::spec_invalid,
                        fmt::format("[user] asks for the {} {} ({}), but the base has {} ({})", what, name, number,
                                    account.name, account.number),
                        {"choose another name and number in [user]; 1000 and above are free"});
  return {};
}

}  // namespace

std::string nvidia_require_cuda(std::string_view cuda) {
  return "cuda>=" + std::string(cuda.substr(0, cuda.find('.'))) + ".0";
}

std::string pip_constraints(const lock::Lock& lock, const Recipe& recipe) {
  std::string text =
      "# What this image was built and tested with. pip and uv keep it, since PIP_CONSTRAINT and UV_CONSTRAINT "
      "name "
      "this file.\n";
  for (const auto& wheel : lock.wheels)
    if (is_in(wheel, recipe.variant) && is_of_torch(wheel.name)) text += wheel.name + "==" + wheel.version + "\n";
  return text;
}

std::string pyvenv_cfg(const Recipe& recipe) {
  return fmt::format("home = {}/bin\ninclude-system-site-packages = true\nversion = {}\n", recipe.python_home,
                     recipe.scheme.python_version);
}

Recipe make_recipe(const lock::Lock& lock, spec::Variant variant, std::optional<std::int64_t> created_s) {
  Recipe recipe;
  recipe.variant = variant;
  recipe.tag = version_tag(lock.resolution) + "-" + tag_name(variant);
  recipe.reference = lock.image_name + ":" + recipe.tag;
  recipe.scheme.python_version = lock.resolution.python;
  if (lock.python) recipe.python_home = std::string("/") + k_python_folder;
  if (lock.below) {
    plan_extension(lock, variant, recipe);
  } else {
    std::vector<std::size_t> base_wheels;
    for (std::size_t i = 0; i < lock.wheels.size(); ++i)
      if (is_in(lock.wheels[i], {})) base_wheels.push_back(i);
    recipe.wheel_layers = plan_wheel_layers(lock.wheels, base_wheels, k_base_wheel_layers);
    recipe.parts = plan_parts(lock, variant);
  }
  recipe.created_s = created_s.value_or(lock.created_s());
  const std::string prefix = "/" + recipe.scheme.prefix;
  const bool has_toolkit = has_cuda_toolkit(lock, variant);
  recipe.environment = {{"PATH", prefix + "/bin:" + (has_toolkit ? cuda_home(lock) + "/bin:" : "") +
                                     "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"},
                        {"VIRTUAL_ENV", prefix},
                        {"LANG", "C.UTF-8"},
                        {"NVIDIA_VISIBLE_DEVICES", "all"},
                        {"NVIDIA_DRIVER_CAPABILITIES", "compute,utility"},
                        {"NVIDIA_REQUIRE_CUDA", nvidia_require_cuda(lock.resolution.cuda)}};
  for (const auto* variable : {"PIP_CONSTRAINT", "PIP_BUILD_CONSTRAINT", "UV_CONSTRAINT", "UV_BUILD_CONSTRAINT"})
    recipe.environment.emplace_back(variable, prefix + "/" + k_constraints_file);
  if (has_toolkit) add_toolkit_environment(lock, recipe);
  recipe.labels = make_labels(lock, recipe);
  recipe.entrypoint = {"/usr/bin/tini", "-g", "--", "/usr/local/bin/kiln-entry"};
  add_services(recipe);
  recipe.user = fmt::format("{}:{}", lock.user.uid, lock.user.gid);
  recipe.working_directory = "/workspace";
  return recipe;
}

Result<std::vector<AddedFile>> configuration_files(const lock::Lock& lock, const Recipe& recipe,
                                                   const std::map<std::string, std::string>& base_files,
                                                   const std::vector<AddedFile>& own) {
  const auto& user = lock.user;
  const auto text_of = [&](const std::string& path) {
    const auto found = base_files.find(path);
    auto text = found == base_files.end() ? std::string() : found->second;
    if (!text.empty() && text.back() != '\n') text += '\n';
    return text;
  };
  TK_CHECK(check_free(text_of("etc/passwd"), user.name, user.uid, "user"));
  TK_CHECK(check_free(text_of("etc/group"), user.name, user.gid, "group"));

  const std::string home = "home/" + user.name, prefix = recipe.scheme.prefix,
                    python = recipe.scheme.python_version;
  std::vector<AddedFile> files;
  std::set<std::string> folders;
  auto folder = [&](const std::string& path) {
    if (folders.insert(path).second) files.push_back({path, FileType::directory, 0755, 0, 0, {}});
  };
  auto file = [&](const std::string& path, std::string content, unsigned mode = 0644, unsigned gid = 0) {
    files.push_back({path, FileType::file, mode, 0, gid, std::move(content)});
  };
  auto link = [&](const std::string& path, const std::string& target) {
    files.push_back({path, FileType::symlink, 0777, 0, 0, target});
  };

  folder("etc");
  file("etc/passwd",
       text_of("etc/passwd") + fmt::format("{0}:x:{1}:{2}::/{3}:/bin/bash\n", user.name, user.uid, user.gid, home));
  file("etc/group", text_of("etc/group") + fmt::format("{}:x:{}:\n", user.name, user.gid));
  // "*": no password fits, yet the account is not locked, so that keys may open it. 42 is Debian's group shadow.
  constexpr unsigned k_shadow_gid = 42;
  file("etc/shadow",
       text_of("etc/shadow") +
           fmt::format("{}:*:{}:0:99999:7:::\n", user.name, recipe.created_s / k_seconds_per_day),
       0640, k_shadow_gid);
  if (base_files.count("etc/gshadow"))
    file("etc/gshadow", text_of("etc/gshadow") + fmt::format("{}:!::\n", user.name), 0640, k_shadow_gid);

  folder("home");
  files.push_back({home, FileType::directory, 0755, user.uid, user.gid, {}});
  for (const auto& [path, content] : base_files)
    if (path.starts_with("etc/skel/") && path.find('/', 9) == std::string::npos)
      files.push_back({home + path.substr(8), FileType::file, 0644, user.uid, user.gid, content});

  // Where work goes. A volume that is mounted on one of them for the first time takes over its owner; the group is
  // root's, since that is the group of arbitrary users (Kubernetes, OpenShift), and may write too.
  for (const char* path : {"workspace", "data", "checkpoints"})
    files.push_back({path, FileType::directory, 0775, user.uid, 0, {}});

  // A virtual environment (PEP 405) is a pyvenv.cfg beside the folder of the interpreter's links.
  folder("opt");
  folder(prefix);
  folder(prefix + "/bin");
  file(prefix + "/pyvenv.cfg", pyvenv_cfg(recipe));
  link(prefix + "/bin/python", recipe.python_home + "/bin/python" + python);
  link(prefix + "/bin/python3", "python");
  link(prefix + "/bin/python" + python, "python");
  folder(prefix + "/lib");
  link(recipe.scheme.versioned_library(), "python3");
  link(prefix + "/lib64", "lib");

  for (const auto& one : own) {
    for (auto slash = one.path.find('/'); slash != std::string::npos; slash = one.path.find('/', slash + 1))
      folder(one.path.substr(0, slash));
    files.push_back(one);
  }
  return files;
}

}  // namespace torchkiln::recipe
