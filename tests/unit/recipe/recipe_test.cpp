#include "plan/recipe/recipe.hpp"

#include "plan/recipe/dockerfile.hpp"
#include "support/golden.hpp"
#include "support/test_folder.hpp"
#include "unit/lock/lock_fixture.hpp"

#include <catch2/catch.hpp>
#include <set>
#include <sstream>

#include <fmt/format.h>

using namespace torchkiln::recipe;
using torchkiln::base::ErrorCode;
using torchkiln::lock::Lock;
using torchkiln::lock::test::a_lock;
using torchkiln::lock::test::a_wheel;
using torchkiln::spec::Part;
using torchkiln::spec::Variant;
using torchkiln::test::difference_to_golden;
using torchkiln::test::error_of;
using torchkiln::test::must;
using torchkiln::test::TestFolder;
using Texts = std::vector<std::string>;

namespace {

/// The layers of wheels of these names and sizes, as "a" and "b c".
Texts layers(const std::vector<std::pair<std::string, std::uint64_t>>& wheels) {
  auto lock = a_lock();
  lock.wheels.clear();
  for (const auto& [name, size] : wheels) {
    lock.wheels.push_back(a_wheel(name, "1"));
    lock.wheels.back().size_bytes = size;
  }
  Texts list;
  for (const auto& layer : make_recipe(lock, Variant()).wheel_layers) {
    std::string text;
    for (const auto i : layer) text += (text.empty() ? "" : " ") + lock.wheels[i].name;
    list.push_back(text);
  }
  return list;
}
constexpr std::uint64_t k_large = 100'000'000;

const std::map<std::string, std::string> k_base_files = {
    {"etc/passwd", "root:x:0:0:root:/root:/bin/bash\nwww-data:x:33:33::/var/www:/usr/sbin/nologin\n"},
    {"etc/group", "root:x:0:\nshadow:x:42:\nusers:x:100:\n"},
    {"etc/shadow", "root:*:20000:0:99999:7:::\n"},
    {"etc/gshadow", "root:*::\n"},
    {"etc/skel/.profile", "# profile\n"},
    {"etc/skel/.config/deep", "not copied\n"}};

/// One line an added file: type, mode, owner, path and content.
std::string listing(const std::vector<AddedFile>& files) {
  std::string text;
  for (const auto& file : files)
    text += fmt::format("{} {:o} {}:{} {} {}\n",
                        file.type == FileType::directory ? "d"
                        : file.type == FileType::symlink ? "l"
                                                         : "f",
                        file.mode, file.uid, file.gid, file.path, file.content);
  return text;
}

}  // namespace

TEST_CASE(
    "large wheels get layers of their own: NVIDIA's first, then others, Triton and torch; small ones share the "
    "last") {
  CHECK(layers({{"jinja2", 100},
                {"networkx", 2'000'000},
                {"nvidia-cublas-cu12", k_large},
                {"nvidia-cudnn-cu12", k_large + 1},
                {"cuda-bindings", k_large},
                {"numpy", k_large},
                {"pip", 100},
                {"torch", k_large},
                {"torchvision", k_large},
                {"triton", k_large}}) == Texts{"cuda-bindings", "nvidia-cublas-cu12", "nvidia-cudnn-cu12", "numpy",
                                               "torchvision", "triton", "torch", "jinja2 networkx pip"});
}

TEST_CASE("8 MiB is large, one byte less is small") {
  CHECK(layers({{"a", k_own_layer_bytes}, {"b", k_own_layer_bytes - 1}, {"c", 1}}) == Texts{"a", "b c"});
  CHECK(layers({{"a", k_own_layer_bytes}}) == Texts{"a"});
  CHECK(layers({{"a", 1}}) == Texts{"a"});
  CHECK(layers({}).empty());
}

TEST_CASE("an image never has more than forty layers: the smallest of the large wheels join the small ones") {
  std::vector<std::pair<std::string, std::uint64_t>> wheels;
  for (std::size_t i = 0; i < 60; ++i) wheels.emplace_back(fmt::format("w{:02}", i), k_large - i);
  wheels.emplace_back("zz", 1);
  const auto list = layers(wheels);
  CHECK(list.size() == k_base_wheel_layers);
  CHECK(k_base_wheel_layers + 3 * k_part_wheel_layers + k_other_layers == k_layer_limit);
  CHECK(list.front() == "w00");
  CHECK(list[18] == "w18");
  CHECK_THAT(list.back(), Catch::Matchers::StartsWith("w19 w20 ") && Catch::Matchers::EndsWith(" w59 zz"));
}

TEST_CASE(
    "wheels of one size beyond the limit are told apart by their place, so that the plan is always the same") {
  std::vector<std::pair<std::string, std::uint64_t>> wheels;
  for (std::size_t i = 0; i < 40; ++i) wheels.emplace_back(fmt::format("w{:02}", i), k_large);
  CHECK(layers(wheels).back() == "w19 w20 w21 w22 w23 w24 w25 w26 w27 w28 w29 w30 w31 w32 w33 w34 w35 w36 w37 w38 w39");
}

TEST_CASE("the requirement on the driver is the first CUDA of the build's major version") {
  CHECK(nvidia_require_cuda("11.8") == "cuda>=11.0");
  CHECK(nvidia_require_cuda("12.8") == "cuda>=12.0");
  CHECK(nvidia_require_cuda("13.0") == "cuda>=13.0");
}

TEST_CASE("a recipe is made of the lock alone") {
  const auto recipe = make_recipe(a_lock(), Variant());
  CHECK(recipe.tag == "2.8.0-cu128-cudnn9-py311-runtime");
  CHECK(recipe.reference == "team/pytorch:2.8.0-cu128-cudnn9-py311-runtime");
  CHECK(recipe.user == "1000:1000");
  CHECK(recipe.working_directory == "/workspace");
  CHECK(recipe.entrypoint == Texts{"/usr/bin/tini", "-g", "--", "/usr/local/bin/kiln-entry"});
  CHECK(recipe.health.command == Texts{"kiln-health"});
  CHECK(recipe.ports.empty());
  CHECK(recipe.command == Texts{"python"});
  CHECK(recipe.created_s == 1'754'491'980);
  CHECK(make_recipe(a_lock(), Variant(), 5).created_s == 5);
  CHECK(recipe.scheme.prefix == "opt/kiln");
  CHECK(recipe.environment ==
        std::vector<std::pair<std::string, std::string>>{
            {"PATH", "/opt/kiln/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"},
            {"VIRTUAL_ENV", "/opt/kiln"},
            {"LANG", "C.UTF-8"},
            {"NVIDIA_VISIBLE_DEVICES", "all"},
            {"NVIDIA_DRIVER_CAPABILITIES", "compute,utility"},
            {"NVIDIA_REQUIRE_CUDA", "cuda>=12.0"},
            {"PIP_CONSTRAINT", "/opt/kiln/constraints.txt"},
            {"PIP_BUILD_CONSTRAINT", "/opt/kiln/constraints.txt"},
            {"UV_CONSTRAINT", "/opt/kiln/constraints.txt"},
            {"UV_BUILD_CONSTRAINT", "/opt/kiln/constraints.txt"}});
  CHECK(recipe.labels ==
        std::map<std::string, std::string>{
            {"dev.torchkiln.cuda", "12.8"},
            {"dev.torchkiln.cudnn", "9.10.2.21"},
            {"dev.torchkiln.driver-minimum", "525.60.13"},
            {"dev.torchkiln.gpu-architectures", "sm_70 sm_90"},
            {"dev.torchkiln.lock", identity(a_lock()).to_string()},
            {"dev.torchkiln.nccl", "2.27.3"},
            {"dev.torchkiln.os", "debian-12"},
            {"dev.torchkiln.python", "3.11"},
            {"dev.torchkiln.pytorch", "2.8.0+cu128"},
            {"dev.torchkiln.requested", "torch==2.8.0 numpy>=1.26 pip"},
            {"dev.torchkiln.variant", "runtime"},
            {"org.opencontainers.image.created", "2025-08-06T14:53:00Z"},
            {"org.opencontainers.image.description", "PyTorch 2.8.0 for CUDA 12.8 with Python 3.11 on debian-12"},
            {"org.opencontainers.image.title", "team/pytorch"},
            {"org.opencontainers.image.version", "2.8.0-cu128-cudnn9-py311-runtime"}});
}

TEST_CASE("what a resolution lacks has no label") {
  auto lock = a_lock();
  lock.resolution.cudnn.clear();
  lock.resolution.nccl.clear();
  lock.resolution.sass.clear();
  const auto labels = make_recipe(lock, Variant()).labels;
  CHECK(labels.count("dev.torchkiln.cudnn") == 0);
  CHECK(labels.count("dev.torchkiln.nccl") == 0);
  CHECK(labels.count("dev.torchkiln.gpu-architectures") == 0);
}

TEST_CASE("the configuration layer has the user, its home and the virtual environment, exactly") {
  const auto lock = a_lock();
  const auto recipe = make_recipe(lock, Variant());
  CHECK(listing(must(configuration_files(lock, recipe, k_base_files, {}))) ==
        R"(d 755 0:0 etc 
f 644 0:0 etc/passwd root:x:0:0:root:/root:/bin/bash
www-data:x:33:33::/var/www:/usr/sbin/nologin
kiln:x:1000:1000::/home/kiln:/bin/bash

f 644 0:0 etc/group root:x:0:
shadow:x:42:
users:x:100:
kiln:x:1000:

f 640 0:42 etc/shadow root:*:20000:0:99999:7:::
kiln:*:20306:0:99999:7:::

f 640 0:42 etc/gshadow root:*::
kiln:!::

d 755 0:0 home 
d 755 1000:1000 home/kiln 
f 644 1000:1000 home/kiln/.profile # profile

d 775 1000:0 workspace 
d 775 1000:0 data 
d 775 1000:0 checkpoints 
d 755 0:0 opt 
d 755 0:0 opt/kiln 
d 755 0:0 opt/kiln/bin 
f 644 0:0 opt/kiln/pyvenv.cfg home = /usr/bin
include-system-site-packages = true
version = 3.11

l 777 0:0 opt/kiln/bin/python /usr/bin/python3.11
l 777 0:0 opt/kiln/bin/python3 python
l 777 0:0 opt/kiln/bin/python3.11 python
d 755 0:0 opt/kiln/lib 
l 777 0:0 opt/kiln/lib/python3.11 python3
l 777 0:0 opt/kiln/lib64 lib
)");
}

TEST_CASE("no path of the configuration layer is there twice") {
  const auto lock = a_lock();
  const auto files = must(configuration_files(lock, make_recipe(lock, Variant()), k_base_files, {}));
  std::set<std::string> paths;
  for (const auto& file : files) CHECK(paths.insert(file.path).second);
}

TEST_CASE("a base without gshadow gets none, and one whose last line is open is not run into") {
  const auto lock = a_lock();
  auto base_files = k_base_files;
  base_files.erase("etc/gshadow");
  base_files["etc/passwd"] = "root:x:0:0:root:/root:/bin/bash";
  const auto text = listing(must(configuration_files(lock, make_recipe(lock, Variant()), base_files, {})));
  CHECK(text.find("gshadow") == std::string::npos);
  CHECK_THAT(text, Catch::Matchers::Contains("/root:/bin/bash\nkiln:x:1000"));
}

TEST_CASE("a user or group that the base has already is refused with what it is") {
  const auto refusal = [](const std::string& name, unsigned uid, unsigned gid) {
    auto lock = a_lock();
    lock.user = {name, uid, gid};
    const auto error = error_of(configuration_files(lock, make_recipe(lock, Variant()), k_base_files, {}));
    CHECK(error.code == ErrorCode::spec_invalid);
    CHECK(error.hints == Texts{"choose another name and number in [user]; 1000 and above are free"});
    return error.message;
  };
  CHECK(refusal("www-data", 1000, 1000) ==
        "[user] asks for the user www-data (1000), but the base has www-data (33)");
  CHECK(refusal("ada", 33, 1000) == "[user] asks for the user ada (33), but the base has www-data (33)");
  CHECK(refusal("users", 1000, 1000) == "[user] asks for the group users (1000), but the base has users (100)");
  CHECK(refusal("ada", 1000, 100) == "[user] asks for the group ada (100), but the base has users (100)");
}

namespace {
const std::vector<AddedFile> own = {{"usr/local/bin/kiln-entry", FileType::file, 0755, 0, 0, "#!/bin/sh\n"}};
const std::vector<AddedFile> verifier = {{"CMakeLists.txt", FileType::file, 0644, 0, 0, "project(verifier)\n"}};
std::vector<ContextFile> context(const Lock& lock, Variant variant = {}) {
  return must(render_context(lock, make_recipe(lock, variant), TK_SOURCE_DIR "/templates", {own, verifier}));
}
std::string content_of(const std::vector<ContextFile>& files, const std::string& path) {
  for (const auto& file : files)
    if (file.path == path) return file.content;
  return "(absent)";
}
}  // namespace

TEST_CASE("the Dockerfile and its context are the golden ones") {
  const auto files = context(a_lock());
  Texts names;
  for (const auto& file : files) names.push_back(file.path);
  CHECK(names == Texts{"Dockerfile", "requirements.txt", ".dockerignore", "pyvenv.cfg",
                       "root/usr/local/bin/kiln-entry", "verifier/CMakeLists.txt"});
  CHECK(difference_to_golden("Dockerfile.runtime", content_of(files, "Dockerfile")) == "");
  CHECK(difference_to_golden("dockerignore", content_of(files, ".dockerignore")) == "");
  CHECK(content_of(files, "requirements.txt") ==
        "# Every wheel, pinned by its SHA-256. Made from kiln.lock.\n"
        "numpy==2.3.1 --hash=sha256:" +
            a_lock().wheels[0].digest.hex() +
            "\n"
            "pip==25.2 --hash=sha256:" +
            a_lock().wheels[1].digest.hex() +
            "\n"
            "torch==2.8.0 --hash=sha256:" +
            a_lock().wheels[2].digest.hex() + "\n");
  CHECK(content_of(files, "pyvenv.cfg") ==
        "home = /usr/bin\ninclude-system-site-packages = true\nversion = 3.11\n");
}

TEST_CASE("nothing in a value can become something else in the Dockerfile") {
  auto lock = a_lock();
  lock.requested = {"torch==2.8.0", "x; python_version > \"3\"", "$HOME `id` \\ \"quoted\" $(id)",
                    "two\nRUN id\r\n# lines"};
  const auto dockerfile = content_of(context(lock), "Dockerfile");
  CHECK_THAT(dockerfile,
             Catch::Matchers::Contains(
                 "LABEL dev.torchkiln.requested=\"torch==2.8.0 x; python_version > \\\"3\\\" \\$HOME `id` \\\\ "
                 "\\\"quoted\\\" \\$(id) two RUN id  # lines\"\n"));
}

TEST_CASE("a template that is not there, or asks for what is not there, is an error with its name") {
  const TestFolder folder;
  const auto recipe = make_recipe(a_lock(), Variant());
  CHECK(error_of(render_context(a_lock(), recipe, folder.path(), {})).code == ErrorCode::file_failed);
  folder.write("Dockerfile.mustache", "FROM scratch\nRUN {{prefx}}\n");
  const auto error = error_of(render_context(a_lock(), recipe, folder.path(), {}));
  CHECK(error.code == ErrorCode::template_invalid);
  CHECK(error.where->to_string() == "templates/Dockerfile.mustache:2");
  CHECK(error.hints == Texts{"did you mean {{prefix}}?"});
}

TEST_CASE("a context holds the system's layer and the pip wheel beside the texts") {
  CHECK(context_names(a_lock()).rootfs == "rootfs.tar.gz");
  CHECK(context_names(a_lock()).pip_wheel == "pip-25.2-py3-none-any.whl");
}

namespace {

/// A family: devel and jupyter share a wheel, devel and ssh a Debian package.
Lock a_family() {
  auto lock = a_lock();
  const auto add = [&](const std::string& name, Variant parts, std::uint64_t size) {
    lock.wheels.push_back(a_wheel(name, "1"));
    lock.wheels.back().parts = parts;
    lock.wheels.back().size_bytes = size;
  };
  add("jupyterlab", {Part::jupyter}, k_large);
  add("nvcc", {Part::devel}, k_large);
  add("six", {Part::devel, Part::jupyter}, 100);
  add("tornado", {Part::jupyter}, 100);
  for (const auto& [name, parts] : std::map<std::string, Variant>{
           {"gdb", {Part::devel}}, {"openssh-server", {Part::ssh}}, {"libedit2", {Part::devel, Part::ssh}}}) {
    lock.debs.push_back(torchkiln::lock::test::a_deb(name, "1"));
    lock.debs.back().parts = parts;
  }
  return lock;
}

/// "devel packages [nvcc] [six]; jupyter [jupyterlab] [tornado]".
std::string parts_of(const Lock& lock, Variant variant) {
  std::string text;
  for (const auto& plan : make_recipe(lock, variant).parts) {
    text += (text.empty() ? "" : "; ") + std::string(name(plan.part)) + (plan.has_packages ? " packages" : "");
    for (const auto& layer : plan.wheel_layers) {
      text += " [";
      for (const auto i : layer) text += (text.back() == '[' ? "" : " ") + lock.wheels[i].name;
      text += "]";
    }
  }
  return text;
}

}  // namespace

TEST_CASE("each part brings what the base and the parts below it lack; the base is the same in every variant") {
  const auto lock = a_family();
  CHECK(parts_of(lock, {}) == "");
  CHECK(parts_of(lock, {Part::devel}) == "devel packages [nvcc] [six]");
  CHECK(parts_of(lock, {Part::jupyter}) == "jupyter [jupyterlab] [six tornado]");
  CHECK(parts_of(lock, {Part::devel, Part::jupyter, Part::ssh}) ==
        "devel packages [nvcc] [six]; jupyter [jupyterlab] [tornado]; ssh packages");
  for (const auto variant : {Variant{Part::devel}, Variant{Part::jupyter, Part::ssh}})
    CHECK(make_recipe(lock, variant).wheel_layers == make_recipe(a_lock(), {}).wheel_layers);
}

TEST_CASE("a part's wheels have at most four layers") {
  auto lock = a_lock();
  for (int i = 0; i < 9; ++i) {
    lock.wheels.push_back(a_wheel(fmt::format("x{}", i), "1"));
    lock.wheels.back().parts = {Part::devel};
    lock.wheels.back().size_bytes = k_large - static_cast<unsigned>(i);
  }
  CHECK(parts_of(lock, {Part::devel}) == "devel [x0] [x1] [x2] [x3 x4 x5 x6 x7 x8]");
}

TEST_CASE("a variant says in its tag, label, ports, command and health check what it is") {
  const auto lock = a_family();
  const auto recipe = make_recipe(lock, {Part::devel, Part::jupyter, Part::ssh});
  CHECK(recipe.tag == "2.8.0-cu128-cudnn9-py311-devel-jupyter-ssh");
  CHECK(recipe.labels.at("dev.torchkiln.variant") == "devel+jupyter+ssh");
  CHECK(recipe.ports == Texts{"8888/tcp", "2222/tcp"});
  CHECK(recipe.command == Texts{"kiln-services", "jupyter-lab", "kiln-sshd"});
  CHECK(recipe.health.command == Texts{"kiln-health", "jupyter", "ssh"});
  CHECK(make_recipe(lock, {Part::ssh}).command == Texts{"kiln-sshd"});
  CHECK(make_recipe(lock, {Part::jupyter}).command == Texts{"jupyter-lab"});
  CHECK(make_recipe(lock, {Part::devel}).command == Texts{"python"});
}

TEST_CASE("our own files go into the configuration layer with the folders above them, scripts executable") {
  const TestFolder images;
  images.write("base/root/usr/local/bin/tool", "#!/bin/sh\n");
  images.write("base/root/etc/base.conf", "b");
  images.write("ssh/root/etc/ssh/ssh.conf", "s");
  images.write("jupyter/root/etc/jupyter.conf", "j");
  const auto own_of_ssh = must(own_files(images.path(), a_lock(), make_recipe(a_lock(), {Part::ssh})));
  CHECK(listing(own_of_ssh) ==
        "f 644 0:0 etc/base.conf b\nf 644 0:0 etc/ssh/ssh.conf s\nf 644 0:0 opt/kiln/constraints.txt " +
            pip_constraints(a_lock(), make_recipe(a_lock(), {})) + "\nf 755 0:0 usr/local/bin/tool #!/bin/sh\n\n");
  const auto lock = a_lock();
  const auto text =
      listing(must(configuration_files(lock, make_recipe(lock, {Part::ssh}), k_base_files, own_of_ssh)));
  CHECK_THAT(text,
             Catch::Matchers::EndsWith("l 777 0:0 opt/kiln/lib64 lib\n"
                                       "f 644 0:0 etc/base.conf b\nd 755 0:0 etc/ssh \n"
                                       "f 644 0:0 etc/ssh/ssh.conf s\nf 644 0:0 opt/kiln/constraints.txt " +
                                       pip_constraints(lock, make_recipe(lock, {})) +
                                       "\nd 755 0:0 usr \nd 755 0:0 usr/local \n"
                                       "d 755 0:0 usr/local/bin \nf 755 0:0 usr/local/bin/tool #!/bin/sh\n\n"));
}

TEST_CASE("the Dockerfile of a variant has a stage for each part") {
  const auto files = context(a_family(), {Part::devel, Part::jupyter, Part::ssh});
  CHECK(difference_to_golden("Dockerfile.devel-jupyter-ssh", content_of(files, "Dockerfile")) == "");
  CHECK(content_of(files, ".dockerignore")
            .find("!devel.tar.gz\n!requirements-devel.txt\n!requirements-jupyter.txt\n!ssh.tar.gz\n") !=
        std::string::npos);
  CHECK(content_of(files, "requirements-jupyter.txt").find("tornado==1 --hash=sha256:") != std::string::npos);
  CHECK(content_of(files, "requirements.txt").find("tornado") == std::string::npos);
}

TEST_CASE("where NVIDIA's wheels bring nvcc, devel has a CUDA_HOME; elsewhere nothing says that there is one") {
  auto lock = a_lock();
  const auto paths = [&](Variant variant) {
    Texts list;
    for (const auto& file : must(own_files(TK_SOURCE_DIR "/images", lock, make_recipe(lock, variant))))
      if (file.type == FileType::symlink) list.push_back(file.path + " -> " + file.content);
    return list;
  };
  const auto variable = [&](Variant variant, const std::string& name) {
    for (const auto& [key, value] : make_recipe(lock, variant).environment)
      if (key == name) return value;
    return std::string("(none)");
  };
  CHECK(paths({Part::devel}).empty());
  CHECK(variable({Part::devel}, "CUDA_HOME") == "(none)");
  lock.wheels.push_back(a_wheel("nvidia-cuda-nvcc", "13.0.88"));
  lock.wheels.back().parts = {Part::devel};
  CHECK(paths({Part::ssh}).empty());
  CHECK(variable({Part::ssh}, "CUDA_HOME") == "(none)");
  const auto links = paths({Part::devel, Part::ssh});
  CHECK(std::count(links.begin(), links.end(),
                   "usr/local/cuda -> /opt/kiln/lib/python3/site-packages/nvidia/cu13") == 1);
  CHECK(variable({Part::devel}, "CUDA_HOME") == "/usr/local/cuda");
  CHECK(variable({Part::devel}, "LD_LIBRARY_PATH") == "/usr/local/cuda/lib64");
  CHECK(variable({Part::devel}, "PATH") ==
        "/opt/kiln/bin:/usr/local/cuda/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
  CHECK(variable({Part::devel}, "TORCH_CUDA_ARCH_LIST") == "7.0;9.0+PTX");
  lock.resolution.gpus = {"8.0", "12.0"};
  CHECK(variable({Part::devel}, "TORCH_CUDA_ARCH_LIST") == "8.0;12.0+PTX");
}

namespace {

/// A lock on top of a_lock() with a wheel and a Debian package more.
Lock an_extension() {
  auto below = std::make_shared<Lock>(a_lock());
  below->wheels.insert(below->wheels.begin(), a_wheel("jupyterlab", "4.4"));
  below->wheels.front().parts = {Part::jupyter};
  auto lock = *below;
  lock.image_name = "team/vision";
  lock.wheels.push_back(a_wheel("zarr", "3.0"));
  lock.debs.push_back(torchkiln::lock::test::a_deb("zsh", "5.9"));
  lock.extends = identity(*below);
  lock.below = std::move(below);
  return lock;
}

}  // namespace

TEST_CASE("an image on top of another has its layers as they are, and what is new above them") {
  const auto lock = an_extension();
  for (const auto variant : {Variant(), Variant{Part::jupyter}}) {
    const auto recipe = make_recipe(lock, variant), below = make_recipe(*lock.below, variant);
    CHECK(recipe.wheel_layers == below.wheel_layers);  // the wheels below come first in both locks
    REQUIRE(recipe.parts.size() == below.parts.size());
    for (std::size_t i = 0; i < recipe.parts.size(); ++i)
      CHECK(recipe.parts[i].wheel_layers == below.parts[i].wheel_layers);
    REQUIRE(recipe.extensions.size() == 1);
    CHECK(recipe.extensions[0].has_packages);
    REQUIRE(recipe.extensions[0].wheel_layers.size() == 1);
    CHECK(lock.wheels[recipe.extensions[0].wheel_layers[0][0]].name == "zarr");
    CHECK(below.extensions.empty());
  }
}

TEST_CASE("what a part below has already is not brought again by an extension that asks for it") {
  auto lock = an_extension();
  lock.wheels.front().parts = {};
  const auto added = [&](Variant variant) {
    std::size_t wheels = 0;
    const auto recipe = make_recipe(lock, variant);
    for (const auto& layer : recipe.extensions[0].wheel_layers) wheels += layer.size();
    return wheels;
  };
  CHECK(added({}) == 2);
  CHECK(added({Part::jupyter}) == 1);
}

TEST_CASE("a Dockerfile puts an extension on top of the parts") {
  const auto lock = an_extension();
  const auto files = must(render_context(lock, make_recipe(lock, {Part::jupyter}), TK_SOURCE_DIR "/templates", {}));
  const auto text = files.at(0).content;
  CHECK(text.find("FROM jupyter AS extension-1\nADD extension-1.tar.gz /\n") != std::string::npos);
  CHECK(text.find("--requirement /media/requirements-extension-1.txt") != std::string::npos);
  CHECK(text.find("FROM extension-1\n") != std::string::npos);
  const auto requirements = std::find_if(files.begin(), files.end(), [](const ContextFile& file) {
    return file.path == "requirements-extension-1.txt";
  });
  REQUIRE(requirements != files.end());
  CHECK(requirements->content.find("zarr==3.0 --hash=sha256:") != std::string::npos);
}

TEST_CASE("pip's constraints are PyTorch and its libraries, and nothing that a user may well want newer") {
  auto lock = a_lock();
  for (const auto* name : {"nvidia-cublas-cu12", "cuda-bindings", "triton", "torchvision", "torchmetrics"})
    lock.wheels.push_back(a_wheel(name, "1"));
  lock.wheels.push_back(a_wheel("nvidia-cuda-nvcc", "13"));
  lock.wheels.back().parts = {Part::devel};
  const auto pins = [&](Variant variant) {
    std::set<std::string> lines;
    std::istringstream text(pip_constraints(lock, make_recipe(lock, variant)));
    for (std::string line; std::getline(text, line);)
      if (!line.starts_with('#')) lines.insert(line);
    return lines;
  };
  const std::set<std::string> base = {"cuda-bindings==1", "nvidia-cublas-cu12==1", "torch==2.8.0", "torchvision==1",
                                      "triton==1"};
  CHECK(pins({}) == base);
  auto with_devel = base;
  with_devel.insert("nvidia-cuda-nvcc==13");
  CHECK(pins({Part::devel}) == with_devel);
}
