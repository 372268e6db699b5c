#pragma once
// A small image's files on disk, its labels and its lock: torch with a library of NVIDIA's inside, a wheel of
// NVIDIA's, and Debian packages.

#include "foundation/base/text.hpp"
#include "plan/recipe/recipe.hpp"
#include "proof/sbom/inventory.hpp"
#include "support/test_folder.hpp"
#include "unit/lock/lock_fixture.hpp"

#include <string>

namespace torchkiln::sbom::test {

using torchkiln::test::must;

inline constexpr const char* k_site_packages = "opt/kiln/lib/python3/site-packages/";

class SbomImage {
 public:
  SbomImage() {
    write("etc/os-release", "PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\nID=debian\nVERSION_ID=\"12\"\n");
    write("var/lib/dpkg/status", k_status);
    install("numpy", "2.3.1", "License-Expression: BSD-3-Clause AND MIT\n");
    install("pip", "25.2", "License: MIT\n");
    install("torch", "2.8.0+cu128", "License: BSD-3-Clause\n",
            "torch/lib/libcudart-d0da41ae.so.11.0,sha256=" + base::Digest::of("cudart").base64url() +
                ",600000\ntorch/lib/libtorch_cuda.so,,\n");
    install("nvidia-cudnn-cu12", "9.10.2.21", "License: NVIDIA Proprietary Software\n",
            "nvidia/cudnn/lib/libcudnn.so.9,,\n");
    auto cudnn = lock::test::a_wheel("nvidia-cudnn-cu12", "9.10.2.21");
    cudnn.url = "https://somebody:word@index.example/packages/" + cudnn.file_name + "?token=word#sha256=0";
    lock.wheels.insert(lock.wheels.begin() + 1, cudnn);
    lock.debs.push_back(lock::test::a_deb("libstdc++6", "12.2.0-14+deb12u1"));
    lock.debs.push_back(lock::test::a_deb("adduser", "1:3.134~rc1"));
    describe();
  }

  static constexpr const char* k_status =
      "Package: tini\nStatus: install ok installed\nArchitecture: amd64\nVersion: 0.19.0-1+b3\n"
      "Description: an init\n for containers\n\n"
      "Package: adduser\nStatus: install ok installed\nArchitecture: amd64\nVersion: 1:3.134~rc1\n\n"
      "Package: gone\nStatus: deinstall ok config-files\nArchitecture: amd64\nVersion: 1\n\n"
      "Package: libstdc++6\nStatus: install ok installed\nArchitecture: amd64\nVersion: 12.2.0-14+deb12u1\n";

  void write(const std::string& path, const std::string& bytes) {
    const auto file = folder.path("layer") / path;
    must(sys::make_directories(file.parent_path()));
    must(sys::write_file(file, bytes));
  }

  void install(const std::string& wheel, const std::string& version, const std::string& licence,
               const std::string& rows = {}) {
    const auto info = base::replace_all(wheel, "-", "_") + "-" + version + ".dist-info/";
    write(k_site_packages + info + "METADATA", "Metadata-Version: 2.4\nName: " + wheel + "\nVersion: " + version +
                                                   "\n" + licence + "\nName: no header\n");
    write(k_site_packages + info + "RECORD", rows + info + "RECORD,,\n");
  }

  /// Writes the labels that an image of the lock has.
  void describe() {
    const auto recipe = recipe::make_recipe(lock, {});
    config.execution.labels = recipe.labels;
    config.created = base::format_time(recipe.created_s);
    image.descriptor.digest = base::Digest::of("manifest");
    image.tag = recipe.tag;
  }

  /// Whether it is known what the image was made from.
  enum class With { lock, nothing };
  base::Result<Inventory> try_inventory(With with = With::lock) const {
    const auto tree = must(verify::ImageTree::read({folder.path("layer")}));
    return make_inventory(image, config, with == With::lock ? &lock : nullptr, tree);
  }
  Inventory inventory(With with = With::lock) const { return must(try_inventory(with)); }

  torchkiln::test::TestFolder folder;
  lock::Lock lock = lock::test::a_lock();
  oci::Image image;
  oci::ImageConfig config;
};

inline const Component& component(const Inventory& inventory, const std::string& wanted) {
  for (const auto& one : inventory.components)
    if (one.name == wanted) return one;
  FAIL("there is no " + wanted);
  return inventory.components.front();
}

}  // namespace torchkiln::sbom::test
