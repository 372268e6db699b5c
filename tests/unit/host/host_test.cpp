#include "knowledge/host/host.hpp"

#include "foundation/sys/files.hpp"

#include <catch2/catch.hpp>

using namespace torchkiln;
namespace fs = std::filesystem;

namespace {

/// A root directory with the given files.
class Root {
 public:
  Root() : m_directory(std::move(sys::TemporaryDirectory::create(fs::temp_directory_path(), "tk-host-").value())) {}
  void put(const std::string& path, std::string_view text) {
    const fs::path file = m_directory.path() / path;
    REQUIRE(sys::make_directories(file.parent_path()));
    REQUIRE(sys::write_file(file, text));
  }
  host::Host read() const { return host::read(m_directory.path(), host::Nvml::leave); }

 private:
  sys::TemporaryDirectory m_directory;
};

}  // namespace

TEST_CASE("the driver version is read from the kernel module's own words") {
  const std::pair<const char*, const char*> cases[] = {
      {"NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.104.05  Sat Aug 19 01:15:15 UTC 2023\n"
       "GCC version:  gcc version 12.2.0 (Debian 12.2.0-14)\n",
       "535.104.05"},
      {"NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  580.65.06  Release Build  (dvs-builder@U22)  "
       "Sun Jul 27 07:20:16 UTC 2025\nGCC version:  gcc version 14.2.0\n",
       "580.65.06"},
      {"NVRM version: NVIDIA UNIX aarch64 Kernel Module  455.32  Tue Oct 13\n", "455.32"},
  };
  for (const auto& [text, version] : cases) {
    Root root;
    root.put("proc/driver/nvidia/version", text);
    const auto host = root.read();
    REQUIRE(host.driver);
    CHECK(host.driver->value.to_string() == version);
    CHECK(host.driver->source == "/proc/driver/nvidia/version");
    CHECK(host.notes.empty());
  }
}

TEST_CASE("every GPU under /proc is read, in the order of bus addresses") {
  Root root;
  root.put("proc/driver/nvidia/version", "NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.104.05  Sat\n");
  root.put("proc/driver/nvidia/gpus/0000:8A:00.0/information",
           "Model: \t\t Tesla V100-SXM2-16GB\nIRQ:   \t\t 89\nGPU UUID: \t GPU-2\n");
  root.put("proc/driver/nvidia/gpus/0000:07:00.0/information",
           "Model: \t\t NVIDIA A100-SXM4-80GB\nGPU UUID: \t GPU-1\nBus Type: \t PCIe\n");
  const auto host = root.read();
  REQUIRE(host.gpus.size() == 2);
  CHECK(host.gpus[0].model == "NVIDIA A100-SXM4-80GB");
  CHECK(host.gpus[0].uuid == "GPU-1");
  CHECK(host.gpus[0].bus == "0000:07:00.0");
  CHECK(host.gpus[0].source == "/proc/driver/nvidia/gpus/0000:07:00.0/information");
  CHECK_FALSE(host.gpus[0].compute);
  CHECK(host.gpus[1].bus == "0000:8a:00.0");
}

TEST_CASE("a machine without a driver has no facts and says why") {
  const Root root;
  const auto host = root.read();
  CHECK_FALSE(host.driver);
  CHECK(host.gpus.empty());
  CHECK(host.notes ==
        std::vector<std::string>{"/proc/driver/nvidia/version: not there, so no NVIDIA driver is loaded"});
}

TEST_CASE("a version file without a version is noted, not guessed") {
  Root root;
  root.put("proc/driver/nvidia/version", "NVRM version: something else\n");
  const auto host = root.read();
  CHECK_FALSE(host.driver);
  CHECK(host.notes == std::vector<std::string>{"/proc/driver/nvidia/version: names no driver version"});
}

TEST_CASE("NVML is asked without failing where it is missing") {
  const auto host = host::read(fs::temp_directory_path() / "tk-no-such-root", host::Nvml::ask);
  // With NVIDIA's driver installed there are facts; without it there is a note. Never neither.
  CHECK((host.driver || !host.notes.empty()));
}
