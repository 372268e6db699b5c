#include "proof/sbom/inventory.hpp"

#include "proof/sbom/nvidia_libraries.hpp"
#include "proof/sbom/purl.hpp"
#include "sbom_fixture.hpp"

#include <catch2/catch.hpp>

using namespace torchkiln;
using namespace torchkiln::sbom;
using namespace torchkiln::sbom::test;
using torchkiln::test::error_of;

TEST_CASE("every wheel and Debian package has the lock's digest, size and public address") {
  const SbomImage image;
  const auto inventory = image.inventory();
  CHECK(inventory.image_name == "team/pytorch:2.8.0-cu128-cudnn9-py311-runtime");
  CHECK(inventory.image == base::Digest::of("manifest"));
  CHECK(inventory.lock == identity(image.lock));
  CHECK(base::format_time(inventory.created_s) == image.config.created);
  std::vector<std::string> names;
  for (const auto& one : inventory.components) names.push_back(std::string(name(one.kind)) + " " + one.name);
  CHECK(names == std::vector<std::string>{"operating-system debian", "deb adduser", "deb libstdc++6", "deb tini",
                                          "wheel numpy", "wheel nvidia-cudnn-cu12", "wheel pip", "wheel torch"});
  for (const auto& wheel : image.lock.wheels) {
    const auto& one = component(inventory, wheel.name);
    CHECK(one.digest == wheel.digest);
    CHECK(one.size_bytes == wheel.size_bytes);
    CHECK(one.file_name == wheel.file_name);
    CHECK(one.url == "https://index.example/packages/" + wheel.file_name);
  }
  for (const auto& deb : image.lock.debs) {
    if (!is_in(deb, {})) continue;  // g++ is for the root that the verifier is compiled in
    CHECK(component(inventory, deb.name).digest == deb.digest);
    CHECK(component(inventory, deb.name).url == deb.url);
  }
  CHECK(component(inventory, "torch").version == "2.8.0+cu128");
  CHECK(component(inventory, "nvidia-cudnn-cu12").supplier == "NVIDIA");
}

TEST_CASE("an image without its lock tells what its files say") {
  const SbomImage image;
  const auto inventory = image.inventory(SbomImage::With::nothing);
  CHECK(inventory.lock.is_none());
  CHECK(inventory.components.size() == image.inventory().components.size());
  for (const auto& one : inventory.components) {
    CHECK(one.digest.is_none());
    CHECK(one.url.empty());
  }
  CHECK(component(inventory, "tini").purl == "pkg:deb/debian/tini@0.19.0-1%2Bb3?arch=amd64&distro=debian-12");
}

TEST_CASE("NVIDIA's libraries inside torch are its parts, by file and by label") {
  SbomImage image;
  const auto inventory = image.inventory();
  const auto& torch = component(inventory, "torch");
  REQUIRE(torch.parts.size() == 2);  // a wheel brings cuDNN, nothing brings NCCL
  CHECK(torch.parts[0].name == "libcudart-d0da41ae.so.11.0");
  CHECK(torch.parts[0].version == "11.0");
  CHECK(torch.parts[0].digest == base::Digest::of("cudart"));
  CHECK(torch.parts[0].file_name == "torch/lib/libcudart-d0da41ae.so.11.0");
  CHECK(torch.parts[1].name == "nccl");
  CHECK(torch.parts[1].version == "2.27.3");
  CHECK(component(inventory, "nvidia-cudnn-cu12").parts.empty());  // it is the library itself
}

TEST_CASE("libraries of NVIDIA's are known by their names, whatever auditwheel made of them") {
  const auto check = [](const char* file, const char* product, const char* version) {
    INFO(file);
    const auto library = nvidia_library(file);
    REQUIRE(library);
    CHECK(library->product == product);
    CHECK(library->version == version);
  };
  check("libcudnn.so.8", "cuDNN", "8");
  check("libcudnn_ops_infer.so.8", "cuDNN", "8");
  check("libnvrtc-builtins-2dc4bf68.so.11.8", "NVRTC", "11.8");
  check("libcublasLt.so.12", "cuBLAS", "12");
  check("libnvJitLink.so", "nvJitLink", "");
  check("libnvshmem_host.so.3", "NVSHMEM", "3");
  check("libnvpl_blas_core.so.0", "NVPL", "0");
  for (const auto* other : {"libtorch_cuda.so", "libc10_cuda.so", "libcaffe2_nvrtc.so", "cudart.so.12",
                            "libcudart.a", "libcudart.sofa", "libcudart", "libcudnnx.so", "libnccl.so.2.txt", ""}) {
    INFO(other);
    CHECK_FALSE(nvidia_library(other));
  }
}

TEST_CASE("a lock that the image was not made from is refused") {
  SbomImage image;
  image.lock.wheels[0].digest = base::Digest::of("another");
  auto error = error_of(image.try_inventory());
  CHECK(error.code == base::ErrorCode::lock_invalid);
  CHECK(error.message == "the image was made from the lock " + image.config.execution.labels["dev.torchkiln.lock"] +
                             ", this one is " + identity(image.lock).to_string());
  image.config.execution.labels.clear();
  CHECK(error_of(image.try_inventory()).message == "the image does not say what lock it was made from");
}

TEST_CASE("what the lock has and the image has not is an error, not a silence") {
  SbomImage image;
  SECTION("a wheel") {
    image.lock.wheels.push_back(lock::test::a_wheel("zstd", "1.0"));
    image.describe();
    CHECK(error_of(image.try_inventory()).message ==
          "the wheel zstd-1.0-py3-none-any.whl is in the lock, but not in the image");
  }
  SECTION("a wheel of another version") {
    image.install("pip", "25.3", "");
    must(sys::remove_tree(image.folder.path("layer") / (std::string(k_site_packages) + "pip-25.2.dist-info")));
    CHECK(error_of(image.try_inventory()).message ==
          "the wheel pip-25.2-py3-none-any.whl is in the lock, but not in the image");
  }
  SECTION("a Debian package of another version") {
    image.write("var/lib/dpkg/status", base::replace_all(SbomImage::k_status, "0.19.0-1+b3", "0.19.0-2"));
    CHECK(error_of(image.try_inventory()).message ==
          "the Debian package tini 0.19.0-1+b3 (amd64) is in the lock, but not in the image");
  }
}

TEST_CASE("distroless images have a file a package") {
  SbomImage image;
  must(sys::remove_tree(image.folder.path("layer") / "var/lib/dpkg/status"));
  image.write("var/lib/dpkg/status.d/base", "Package: base-files\nVersion: 12.4\nArchitecture: amd64\n");
  image.write("var/lib/dpkg/status.d/base.md5sums", "Package: none\nVersion: 1\n");
  const auto inventory = image.inventory(SbomImage::With::nothing);
  CHECK(component(inventory, "base-files").version == "12.4");
  for (const auto& one : inventory.components) CHECK(one.name != "none");
}

TEST_CASE("archives and the base image are components with digests") {
  SbomImage image;
  image.lock.archives = {{"cuda_nvcc", "12.8.93", "https://archives.example/cuda_nvcc.tar.xz",
                          base::Digest::of("nvcc"), 10, spec::Variant{spec::Part::devel}}};
  image.lock.python = lock::LockedArchive{
      "python", "3.11.9", "https://archives.example/python.tar.gz", base::Digest::of("python"), 11, {}};
  image.lock.base = lock::LockedBase{"registry.example/company/debian:12",
                                     "registry.example/company/debian@" + base::Digest::of("base").to_string(),
                                     base::Digest::of("base"),
                                     {}};
  image.describe();
  auto inventory = image.inventory();
  const auto& base_image = inventory.components.front();
  CHECK(base_image.kind == Kind::base_image);
  CHECK(base_image.name == "registry.example/company/debian:12");
  CHECK(base_image.purl == "pkg:oci/debian@" + base::Digest::of("base").to_string() +
                               "?repository_url=registry.example%2Fcompany%2Fdebian");
  CHECK(component(inventory, "python").purl == "pkg:generic/python@3.11.9");
  for (const auto& one : inventory.components) CHECK(one.name != "cuda_nvcc");  // the variant is without devel
  const auto recipe = recipe::make_recipe(image.lock, spec::Variant{spec::Part::devel});
  image.config.execution.labels = recipe.labels;
  inventory = image.inventory();
  CHECK(component(inventory, "cuda_nvcc").digest == base::Digest::of("nvcc"));
  CHECK(component(inventory, "cuda_nvcc").supplier == "NVIDIA");
}

TEST_CASE("package URLs are in their canonical form") {
  CHECK(percent_encoded("a+b:c~d@e/f?g#h%i j") == "a%2Bb:c~d%40e%2Ff%3Fg%23h%25i%20j");
  CHECK(percent_encoded("\xc3\xa9") == "%C3%A9");
  CHECK(deb_purl("debian", "12", "libstdc++6", "1:12.2.0-14~rc1", "amd64") ==
        "pkg:deb/debian/libstdc%2B%2B6@1:12.2.0-14~rc1?arch=amd64&distro=debian-12");
  CHECK(deb_purl("debian", "", "tini", "1", "all") == "pkg:deb/debian/tini@1?arch=all");
  CHECK(pypi_purl("torch", "2.8.0+cu128") == "pkg:pypi/torch@2.8.0%2Bcu128");
  const auto digest = base::Digest::of("");
  CHECK(oci_purl("team/PyTorch", digest) == "pkg:oci/pytorch@" + digest.to_string());
  CHECK(oci_purl("localhost/a", digest) == "pkg:oci/a@" + digest.to_string() + "?repository_url=localhost%2Fa");
}

TEST_CASE("addresses are told without what may be secret") {
  CHECK(public_url("https://me:word@index.example/a/b.whl?token=word#x") == "https://index.example/a/b.whl");
  CHECK(public_url("http://index.example/a") == "http://index.example/a");
}
