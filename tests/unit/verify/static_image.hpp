#pragma once
// A small image on disk that every static test finds nothing wrong with: a layout, and the unpacked layers that the
// tests look at. Its library of CUDA's is an ELF file of our own with two fat binaries in it.

#include "foundation/base/digest.hpp"
#include "plan/recipe/recipe.hpp"
#include "proof/verify/static_tests.hpp"
#include "support/test_folder.hpp"
#include "unit/lock/lock_fixture.hpp"

#include <cstring>
#include <elf.h>
#include <map>
#include <set>

namespace torchkiln::verify::test {

namespace fs = std::filesystem;
using torchkiln::test::must;

template <typename Structure>
void append(std::string& bytes, const Structure& value) {
  bytes.append(reinterpret_cast<const char*>(&value), sizeof value);
}

/// A fat binary with machine code for these architectures and nothing in it.
inline std::string fat_binary(const std::vector<std::uint32_t>& architectures) {
  std::string entries;
  for (const auto architecture : architectures) {
    append(entries, std::uint32_t{0x01010002});  // machine code
    append(entries, std::uint32_t{64});          // this header's bytes
    append(entries, std::uint64_t{8});           // the code's
    entries.append(12, '\0');
    append(entries, architecture);
    entries.append(32 + 8, '\0');
  }
  std::string binary;
  append(binary, std::uint32_t{0xba55ed50});
  append(binary, std::uint32_t{0x00100001});
  append(binary, std::uint64_t{entries.size()});
  return binary + entries;
}

/// An ELF file with one section beside that of the names.
inline std::string elf_with_section(const std::string& name, const std::string& content) {
  const std::string names = std::string(1, '\0') + name + '\0';
  Elf64_Ehdr header = {};
  std::memcpy(header.e_ident, ELFMAG, SELFMAG);
  header.e_ident[EI_CLASS] = ELFCLASS64;
  header.e_ident[EI_DATA] = ELFDATA2LSB;
  header.e_shoff = sizeof header + names.size() + content.size();
  header.e_shentsize = sizeof(Elf64_Shdr);
  header.e_shnum = 2;
  Elf64_Shdr of_names = {}, of_content = {};
  of_names.sh_type = SHT_STRTAB;
  of_names.sh_offset = sizeof header;
  of_names.sh_size = names.size();
  of_content.sh_name = 1;
  of_content.sh_type = SHT_PROGBITS;
  of_content.sh_offset = sizeof header + names.size();
  of_content.sh_size = content.size();
  std::string file;
  append(file, header);
  file += names + content;
  append(file, of_names);
  append(file, of_content);
  return file;
}

/// The host's C library, which any program of the host needs.
inline fs::path host_libc() {
  for (const char* folder : {"/lib/x86_64-linux-gnu", "/lib/aarch64-linux-gnu", "/lib64"})
    if (fs::exists(fs::path(folder) / "libc.so.6")) return fs::canonical(fs::path(folder) / "libc.so.6");
  return {};
}

class StaticImage {
 public:
  StaticImage() {
    const auto recipe = recipe::make_recipe(lock, {});
    m_parts.tag = recipe.tag;
    m_parts.config.execution.labels = recipe.labels;
    m_parts.config.execution.user = recipe.user;
    for (const auto& [name, value] : recipe.environment)
      m_parts.config.execution.environment.push_back(name + "=" + value);
    write("usr/lib/x86_64-linux-gnu/libc.so.6", must(sys::read_file(host_libc())));
    must(sys::make_directories(folder.path("layer-0/etc")));
    write("opt/kiln/bin/tool", must(sys::read_file(fs::canonical("/usr/bin/true"))), 1);
    std::string status;
    for (const auto& deb : lock.debs)
      if (is_in(deb, {}))
        status += "Package: " + deb.name + "\nStatus: install ok installed\nVersion: " + deb.version +
                  "\nArchitecture: " + deb.architecture + "\n\n";
    write("var/lib/dpkg/status", status);
    install("numpy", "2.3.1", {{"numpy/__init__.py", "array = list\n"}});
    install("pip", "25.2", {{"pip/__init__.py", ""}});
    install("torch", "2.8.0",
            {{"torch/version.py", "__version__ = '2.8.0+cu128'\ncuda: Optional[str] = '12.8'\n"},
             {"torch/lib/libtorch_cuda.so",
              elf_with_section(".nv_fatbin", fat_binary({70, 90}) + std::string(8, '\0') + fat_binary({70, 90}))}});
  }

  static constexpr const char* k_site_packages = "opt/kiln/lib/python3/site-packages/";

  void write(const std::string& path, const std::string& bytes, int layer = 0) {
    const auto file = folder.path("layer-" + std::to_string(layer)) / path;
    must(sys::make_directories(file.parent_path()));
    must(sys::write_file(file, bytes));
  }

  /// The wheel's files, with METADATA and RECORD.
  void install(const std::string& name, const std::string& version,
               const std::map<std::string, std::string>& files) {
    const auto info = name + "-" + version + ".dist-info/";
    auto all = files;
    all[info + "METADATA"] = "Metadata-Version: 2.1\nName: " + name + "\nVersion: " + version + "\n";
    std::string record = info + "RECORD,,\n";
    for (const auto& [path, bytes] : all) {
      record += path + ",sha256=" + base::Digest::of(bytes).base64url() + "," + std::to_string(bytes.size()) + "\n";
      write(k_site_packages + path, bytes, 1);
    }
    write(k_site_packages + info + "RECORD", record, 1);
  }

  oci::ExecutionDefaults& execution() { return m_parts.config.execution; }
  oci::ImageParts& parts() { return m_parts; }

  /// Puts the image into the layout as it is described now.
  void finish() {
    for (int layer = 0; layer < 2; ++layer) {
      const auto bytes = "tar of layer " + std::to_string(layer);
      m_parts.layers.push_back(must(layout.add_bytes(bytes, oci::k_layer_tar_type)));
      m_parts.config.diff_ids.push_back(base::Digest::of(bytes));
      m_parts.config.history.push_back({"2026-01-02T03:04:05Z", "torchkiln test"});
    }
    must(layout.put_image(m_parts));
  }

  /// The tests that fail, with their reasons.
  std::map<std::string, std::string> red() {
    if (m_parts.layers.empty()) finish();
    base::SilentProgress progress;
    base::Step step(progress, "Verifying", "");
    const auto image = must(layout.find_image(m_parts.tag));
    const std::vector<fs::path> lower = {folder.path("layer-0"), folder.path("layer-1")};
    const auto config = must(layout.read_config(must(layout.read_manifest(image.descriptor))));
    std::map<std::string, std::string> failed;
    for (const auto& test : must(run_static_tests(layout, image, config, &lock, lower, step))) {
      ids.insert(test.id);
      if (test.verdict != report::TestVerdict::pass) failed[test.id] = test.reason;
    }
    return failed;
  }

  torchkiln::test::TestFolder folder;
  oci::Layout layout = must(oci::Layout::create(folder.path("layout")));
  lock::Lock lock = lock::test::a_lock();
  std::set<std::string> ids;  ///< of the tests that red() has run

 private:
  oci::ImageParts m_parts;
};

}  // namespace torchkiln::verify::test
