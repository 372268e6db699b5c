// Tests of the static tests: one thing is made wrong at a time, and exactly the test that is about it must fail.
#include "foundation/base/text.hpp"
#include "proof/verify/elf.hpp"
#include "proof/verify/image_tree.hpp"
#include "proof/verify/secret_tests.hpp"
#include "static_image.hpp"

#include <catch2/catch.hpp>
#include <functional>

using namespace torchkiln::verify;
using namespace torchkiln::verify::test;
using torchkiln::base::replace_all;

namespace {

struct Mutant {
  const char* name;
  std::function<void(StaticImage&)> make;
  std::string red;     ///< the one test that must fail
  std::string reason;  ///< what it must say
};

const std::string k_site = StaticImage::k_site_packages;

std::string environment_of(StaticImage& image, const std::string& name) {
  for (auto& line : image.execution().environment)
    if (line.starts_with(name + "=")) return line;
  return {};
}

void change_environment(StaticImage& image, const std::string& name, const std::string& value) {
  for (auto& line : image.execution().environment)
    if (line.starts_with(name + "=")) line = name + "=" + value;
}

const Mutant k_mutants[] = {
    {"a corrupted byte in a layer",
     [](StaticImage& image) {
       image.finish();
       const auto place = image.layout.blob_path(image.parts().layers[1].digest);
       must(torchkiln::sys::write_file(place, "tar of layer 2"));
     },
     "static.blobs", "digest"},
    {"a corrupted byte in an installed file",
     [](StaticImage& image) { image.write(k_site + "numpy/__init__.py", "array = lisT\n", 1); }, "static.records",
     "/opt/kiln/lib/python3/site-packages/numpy/__init__.py is not what its RECORD says"},
    {"a swapped library",
     [](StaticImage& image) {
       image.write(k_site + "torch/lib/libtorch_cuda.so",
                   elf_with_section(".nv_fatbin", fat_binary({90, 70}) + fat_binary({70, 90})), 1);
     },
     "static.records", "libtorch_cuda.so is not what its RECORD says"},
    {"a missing file",
     [](StaticImage& image) {
       must(torchkiln::sys::remove_tree(image.folder.path("layer-1") / (k_site + "pip/__init__.py")));
     },
     "static.records", "pip/__init__.py is missing"},
    {"a file that no wheel brought",
     [](StaticImage& image) { image.write(k_site + "sitecustomize.py", "import os\n", 1); }, "static.records",
     "sitecustomize.py belongs to no wheel"},
    {"a wrong label",
     [](StaticImage& image) { image.execution().labels["org.opencontainers.image.title"] = "somebody/else"; },
     "static.lock", "the label org.opencontainers.image.title is 'somebody/else', the lock says 'team/pytorch'"},
    {"a label that promises another GPU",
     [](StaticImage& image) {
       image.lock.resolution.sass = {"7.0", "9.0", "10.0"};
       image.execution().labels["dev.torchkiln.gpu-architectures"] = "sm_70 sm_90 sm_100";
       image.execution().labels["dev.torchkiln.lock"] = torchkiln::lock::identity(image.lock).to_string();
     },
     "static.architectures", "0 of 2 modules in"},
    {"a wrong tag", [](StaticImage& image) { image.parts().tag = "2.8.1-cu128-cudnn9-py311-runtime"; },
     "static.lock", "the tag is '2.8.1-cu128-cudnn9-py311-runtime', not '2.8.0-cu128-cudnn9-py311-runtime'"},
    {"a wrong environment", [](StaticImage& image) { change_environment(image, "LANG", "de_DE"); }, "static.lock",
     "the environment lacks LANG=C.UTF-8"},
    {"a hidden GPU",
     [](StaticImage& image) { image.execution().environment.emplace_back("CUDA_VISIBLE_DEVICES="); },
     "static.environment", "the environment has CUDA_VISIBLE_DEVICES"},
    {"modules from elsewhere",
     [](StaticImage& image) { image.execution().environment.emplace_back("PYTHONPATH=/usr/local"); },
     "static.environment", "the environment has PYTHONPATH"},
    {"root as the user", [](StaticImage& image) { image.execution().user = "0:0"; }, "static.user",
     "the image's user is root"},
    {"a user without a number", [](StaticImage& image) { image.execution().user = "kiln"; }, "static.user",
     "'kiln', not a number"},
    {"a baked host key", [](StaticImage& image) { image.write("etc/ssh/ssh_host_ed25519_key", "key"); },
     "static.secrets", "/etc/ssh/ssh_host_ed25519_key is a host key"},
    {"a key that a layer above hides", [](StaticImage& image) { image.write("home/kiln/.ssh/id_ed25519", "key"); },
     "static.secrets", "/home/kiln/.ssh/id_ed25519 is in a folder for the user's own secrets"},
    {"a baked token in a file",
     [](StaticImage& image) { image.write("etc/tool.conf", "token = ghp_" + std::string(36, 'a') + "\n"); },
     "static.secrets", "/etc/tool.conf has a token of GitHub's in it"},
    {"a baked token in the environment",
     [](StaticImage& image) { image.execution().environment.emplace_back("HF_TOKEN=hf_x"); }, "static.secrets",
     "the environment has HF_TOKEN"},
    {"a missing library",
     [](StaticImage& image) {
       must(torchkiln::sys::remove_tree(image.folder.path("layer-0/usr/lib/x86_64-linux-gnu/libc.so.6")));
     },
     "static.libraries", "/opt/kiln/bin/tool needs libc.so.6, which is nowhere"},
    {"a C library that is too old",
     [](StaticImage& image) {
       // The names of its versions end up in one table: GLIBC_2.34 becomes something that nobody defines.
       const auto libc = must(torchkiln::sys::read_file(host_libc()));
       image.write("usr/lib/x86_64-linux-gnu/libc.so.6", replace_all(libc, "GLIBC_2.34", "GLIBC_1.34"));
     },
     "static.libraries", "GLIBC_2.34 of libc.so.6, which /usr/lib/x86_64-linux-gnu/libc.so.6 has not"},
    {"a second CUDA",
     [](StaticImage& image) {
       image.write("usr/local/cuda/lib64/libcudart.so.12", "one");
       image.write("usr/lib/x86_64-linux-gnu/libcudart.so.11.0", "other");
     },
     "static.copies",
     "libcudart is there more than once: /usr/lib/x86_64-linux-gnu/libcudart.so.11.0, /usr/local/"},
    {"a swapped library whose record was swapped with it",
     [](StaticImage& image) {
       image.finish();
       const auto& diff_ids = image.parts().config.diff_ids;
       for (auto& wheel : image.lock.wheels) wheel.layer = {diff_ids[1], diff_ids[1], 1, 1};
       const auto of_the_lock = torchkiln::base::Digest::of("the layer of torch's wheel");
       for (auto& wheel : image.lock.wheels)
         if (wheel.name == "torch") wheel.layer = {of_the_lock, of_the_lock, 1, 1};
     },
     "static.layers", "of torch 2.8.0 is not in the image"},
    {"a wheel that the lock has not",
     [](StaticImage& image) {
       image.install("requests", "2.0", {{"requests.py", ""}});
     },
     "static.packages", "requests 2.0 is installed, but not in the lock"},
    {"a Debian package that the lock has not",
     [](StaticImage& image) {
       const auto file = image.folder.path("layer-0/var/lib/dpkg/status");
       image.write("var/lib/dpkg/status", must(torchkiln::sys::read_file(file)) +
                                              "Package: netcat\nStatus: install ok installed\nVersion: 1\n");
     },
     "static.packages", "Debian's netcat 1 is installed, but not in the lock of this variant"},
    {"a Debian package of another version, and one less",
     [](StaticImage& image) {
       image.write("var/lib/dpkg/status", "Package: " + image.lock.debs[0].name + "\nVersion: 0.1\n");
     },
     "static.packages", "Debian's "},
};

}  // namespace

TEST_CASE("an image as the lock says has no fault") {
  StaticImage image;
  CHECK(image.red() == std::map<std::string, std::string>{});
  CHECK(image.ids == std::set<std::string>{"static.blobs", "static.secrets", "static.user", "static.environment",
                                           "static.labels", "static.records", "static.libraries", "static.copies",
                                           "static.architectures", "static.lock", "static.packages",
                                           "static.layers"});
}

TEST_CASE("whatever is wrong with an image turns exactly the test red that is about it") {
  for (const auto& mutant : k_mutants) {
    StaticImage image;
    mutant.make(image);
    const auto red = image.red();
    INFO(mutant.name);
    REQUIRE(red.size() == 1);
    CHECK(red.begin()->first == mutant.red);
    INFO(red.begin()->second);
    CHECK(red.begin()->second.find(mutant.reason) != std::string::npos);
  }
}

TEST_CASE("bytecode belongs to the wheel of its source, and bytecode without a source to none") {
  StaticImage image;
  image.write(k_site + "numpy/__pycache__/__init__.cpython-311.pyc", "code", 1);
  CHECK(image.red().empty());
  image.write(k_site + "numpy/__pycache__/other.cpython-311.pyc", "code", 1);
  CHECK(image.red().count("static.records") == 1);
}

TEST_CASE("a library that a wheel carries and nothing needs may lack what it would need; any other may not") {
  const auto lost =
      replace_all(must(torchkiln::sys::read_file(fs::canonical("/usr/bin/true"))), "libc.so.6", "libq.so.6");
  for (const bool is_known : {true, false}) {
    StaticImage image;
    image.install("torch", "2.8.0",
                  {{"torch/version.py", "__version__ = '2.8.0+cu128'\ncuda: Optional[str] = '12.8'\n"},
                   {"torch/lib/libtorch_cuda.so", elf_with_section(".nv_fatbin", fat_binary({70, 90}))},
                   {is_known ? "torch/lib/libgfortran.so.5" : "torch/lib/libother.so.5", lost}});
    const auto red = image.red();
    if (is_known)
      CHECK(red.empty());
    else
      CHECK(red.at("static.libraries").find("libother.so.5 needs libq.so.6, which is nowhere") !=
            std::string::npos);
  }
}

TEST_CASE("another cuDNN, NCCL or torch than the labels name is found without a lock's help") {
  StaticImage image;
  image.install("nvidia-cudnn-cu12", "9.1.0.70", {});
  image.install("nvidia-nccl-cu12", "2.21.5", {});
  image.lock.wheels.push_back(torchkiln::lock::test::a_wheel("nvidia-cudnn-cu12", "9.1.0.70"));
  image.lock.wheels.push_back(torchkiln::lock::test::a_wheel("nvidia-nccl-cu12", "2.21.5"));
  image.execution().labels["dev.torchkiln.lock"] = torchkiln::lock::identity(image.lock).to_string();
  const auto red = image.red();
  REQUIRE(red.size() == 1);
  CHECK(red.at("static.labels") ==
        "the label dev.torchkiln.cudnn is '9.10.2.21', but 9.1.0.70 is installed; "
        "the label dev.torchkiln.nccl is '2.27.3', but 2.21.5 is installed");
}

TEST_CASE("a label of architectures that was taken off is missed, by the lock and without it") {
  StaticImage image;
  image.lock.resolution.sass = {"7.0", "9.0"};
  image.execution().labels = torchkiln::recipe::make_recipe(image.lock, {}).labels;
  CHECK(image.red().empty());
  image.execution().labels.erase("dev.torchkiln.gpu-architectures");
  image.parts().layers.clear();
  image.parts().config.diff_ids.clear();
  image.parts().config.history.clear();
  const auto red = image.red();
  CHECK(red.size() == 2);
  CHECK(red.count("static.lock") == 1);
  CHECK(red.at("static.architectures") == "no label says which GPUs it has code for");
}

TEST_CASE("a driver's requirement that is not the CUDA's own is a fault twice: by the rule and by the lock") {
  StaticImage image;
  REQUIRE(environment_of(image, "NVIDIA_REQUIRE_CUDA") == "NVIDIA_REQUIRE_CUDA=cuda>=12.0");
  change_environment(image, "NVIDIA_REQUIRE_CUDA", "cuda>=9.0");
  const auto red = image.red();
  CHECK(red.size() == 2);
  CHECK(red.at("static.environment") == "NVIDIA_REQUIRE_CUDA is 'cuda>=9.0', not 'cuda>=12.0'");
  CHECK(red.at("static.lock") == "the environment lacks NVIDIA_REQUIRE_CUDA=cuda>=12.0");
}

TEST_CASE("a library is found through links and through $ORIGIN, as the loader finds it") {
  torchkiln::test::TestFolder folder;
  const auto layer = folder.path("layer");
  must(torchkiln::sys::make_directories(layer / "usr/lib/a"));
  fs::create_directory_symlink("usr/lib", layer / "lib");
  fs::create_symlink("a/library.so.1.2", layer / "usr/lib/library.so.1");
  must(torchkiln::sys::write_file(layer / "usr/lib/a/library.so.1.2", "bytes"));
  const auto tree = must(ImageTree::read({layer}));
  CHECK(tree.resolved("/lib/library.so.1") == "usr/lib/a/library.so.1.2");
  CHECK(tree.file("opt/../lib/library.so.1") != nullptr);
  CHECK(tree.file("lib") == nullptr);
  fs::create_symlink("circle", layer / "circle");
  CHECK(must(ImageTree::read({layer})).resolved("circle/library.so") == std::nullopt);
}

TEST_CASE("a file of an upper layer hides a folder of a lower one") {
  torchkiln::test::TestFolder folder;
  must(torchkiln::sys::make_directories(folder.path("below/a")));
  must(torchkiln::sys::write_file(folder.path("below/a/b"), ""));
  must(torchkiln::sys::make_directories(folder.path("above")));
  must(torchkiln::sys::write_file(folder.path("above/a"), ""));
  const auto tree = must(ImageTree::read({folder.path("below"), folder.path("above")}));
  CHECK(tree.entries().size() == 1);
  CHECK(tree.file("a") != nullptr);
}

TEST_CASE("what is read of a program is what readelf shows, and nonsense is no program") {
  const auto libc = read_elf(must(torchkiln::sys::read_file(host_libc())));
  REQUIRE(libc.has_value());
  CHECK(libc->soname == "libc.so.6");
  CHECK(libc->defines.contains("GLIBC_2.17"));
  const auto program = must(torchkiln::sys::read_file(fs::canonical("/usr/bin/true")));
  const auto elf = read_elf(program);
  REQUIRE(elf.has_value());
  CHECK(elf->needed == std::vector<std::string>{"libc.so.6"});
  CHECK_FALSE(elf->requires_versions.at("libc.so.6").empty());
  // Cut anywhere, it is read without a fault of ours.
  for (std::size_t length = 0; length < program.size(); length += 37) read_elf(program.substr(0, length));
  CHECK_FALSE(read_elf("#!/bin/sh\n").has_value());
  CHECK(read_gpu_code(program).modules == 0);
}

TEST_CASE("only what looks like a secret is one") {
  CHECK(secret_in("-----BEGIN OPENSSH PRIVATE KEY-----\nb3Bl\n") == "a private key");
  CHECK(secret_in("a line before\n-----BEGIN PRIVATE KEY-----\nMIIE\n") == "a private key");
  CHECK(secret_in("grep -q 'PRIVATE KEY-----' file").empty());
  CHECK(secret_in("AKIA" + std::string(16, 'A')) == "an access key of AWS");
  CHECK(secret_in("AKIA and others").empty());
  CHECK(secret_in("sha_ghp_" + std::string(36, 'a')).empty());
}
