#include "knowledge/host/nvidia_smi.hpp"
#include "knowledge/host/nvml.hpp"
#include "support/describe_machine.hpp"
#include "support/fake_tool.hpp"
#include "support/test_folder.hpp"

#include <catch2/catch.hpp>
#include <cstdlib>
#include <sys/utsname.h>

using namespace torchkiln;
namespace fs = std::filesystem;

namespace {

/// A root folder with the given files.
struct Root {
  test::TestFolder folder;

  void put(const std::string& path, std::string_view text) {
    test::must(sys::make_directories((folder.path() / path).parent_path()));
    folder.write(path, text);
  }
  void link(const std::string& path, const std::string& target) {
    test::must(sys::make_directories((folder.path() / path).parent_path()));
    fs::create_symlink(target, folder.path() / path);
  }
  host::Machine machine(host::Nvml nvml = host::Nvml::leave) const {
    return host::this_machine(folder.path(), nvml);
  }
};

/// A variable of the environment for the life of a test.
struct Variable {
  Variable(const char* name, const std::string& value) : m_name(name) { ::setenv(name, value.c_str(), 1); }
  ~Variable() { ::unsetenv(m_name); }

 private:
  const char* m_name;
};

constexpr std::string_view k_kernel_module =
    "NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.104.05  Sat Aug 19 01:15:15 UTC 2023\n";

constexpr std::string_view k_smi = R"(<?xml version="1.0" ?>
<!DOCTYPE nvidia_smi_log SYSTEM "nvsmi_device_v12.dtd">
<nvidia_smi_log>
	<timestamp>Fri Nov 20 10:00:00 2026</timestamp>
	<driver_version>550.90.07</driver_version>
	<cuda_version>12.4</cuda_version>
	<attached_gpus>1</attached_gpus>
	<gpu id="00000000:07:00.0">
		<product_name>NVIDIA L40S</product_name>
		<product_brand>NVIDIA</product_brand>
		<uuid>GPU-1</uuid>
	</gpu>
</nvidia_smi_log>
)";

}  // namespace

TEST_CASE("this machine's architecture and C library are always known") {
  const Root root;
  const auto machine = root.machine();
  utsname system{};
  REQUIRE(::uname(&system) == 0);
  CHECK(machine.name == system.nodename);
  REQUIRE(machine.architecture);
  CHECK(matrix::name(machine.architecture->value) == system.machine);
  REQUIRE(machine.glibc);
  CHECK(machine.glibc->value >= version::Version::of({2, 17}));
  CHECK_FALSE(machine.driver);
  CHECK_FALSE(machine.userland);
  CHECK_FALSE(machine.injection);
  CHECK(machine.gpus.empty());
  CHECK(machine.without_gpu.empty());  // without a driver nobody knows whether there is a GPU
}

TEST_CASE("the driver is read from the module's folder where /proc has none") {
  Root root;
  root.put("sys/module/nvidia/version", "580.65.06\n");
  const auto machine = root.machine();
  REQUIRE(machine.driver);
  CHECK(machine.driver->value.to_string() == "580.65.06");
  CHECK(machine.driver->source == "/sys/module/nvidia/version");
  CHECK(machine.notes.empty());
}

TEST_CASE("a user-space driver that is not the kernel module's is kept as a fact of its own and noted") {
  Root root;
  root.put("proc/driver/nvidia/version", k_kernel_module);
  root.put("sys/module/nvidia/version", "535.104.05\n");
  root.put("usr/lib/x86_64-linux-gnu/libcuda.so.550.90.07", "");
  root.link("usr/lib/x86_64-linux-gnu/libcuda.so.1", "libcuda.so.550.90.07");
  const auto machine = root.machine();
  REQUIRE(machine.driver);
  CHECK(machine.driver->value.to_string() == "535.104.05");
  CHECK(machine.driver->source == "/proc/driver/nvidia/version");
  REQUIRE(machine.userland);
  CHECK(machine.userland->value.to_string() == "550.90.07");
  CHECK(machine.userland->source == "/usr/lib/x86_64-linux-gnu/libcuda.so.550.90.07");
  CHECK(machine.notes ==
        std::vector<std::string>{"the kernel module is 535.104.05, the user-space driver 550.90.07: "
                                 "restart after a driver update"});
}

TEST_CASE("a stub of libcuda names no version") {
  Root root;
  root.put("usr/lib/x86_64-linux-gnu/libcuda.so.1", "");
  CHECK_FALSE(root.machine().userland);
}

TEST_CASE("the container toolkit's mode is a fact only where it says what is checked") {
  const std::string path = "etc/nvidia-container-runtime/config.toml";
  const std::string head =
      "disable-require = false\n#debug = \"x\"\n\n[nvidia-container-runtime]\nlog-level = \"info\"\n";
  Root root;
  SECTION("legacy") {
    root.put(path,
             head + "mode = \"legacy\"\n\n[nvidia-container-runtime.modes.cdi]\nspec-dirs = [\"/etc/cdi\"]\n");
    const auto machine = root.machine();
    REQUIRE(machine.injection);
    CHECK(machine.injection->value == host::Injection::legacy);
    CHECK(machine.injection->source == "/etc/nvidia-container-runtime/config.toml:6:8");
  }
  SECTION("cdi") {
    root.put(path, head + "mode = \"cdi\"\n");
    const auto machine = root.machine();
    REQUIRE(machine.injection);
    CHECK(machine.injection->value == host::Injection::cdi);
  }
  SECTION("auto says nothing") {
    root.put(path, head + "mode = \"auto\"\n");
    const auto machine = root.machine();
    CHECK_FALSE(machine.injection);
    CHECK(machine.notes.front() ==
          "/etc/nvidia-container-runtime/config.toml:6:8: the mode \"auto\" does not say "
          "whether NVIDIA_REQUIRE_* is checked");
  }
  SECTION("an absent mode says nothing") {
    root.put(path, head);
    CHECK_FALSE(root.machine().injection);
  }
  SECTION("a broken file is noted") {
    root.put(path, "mode = ");
    CHECK(root.machine().notes.front().starts_with("/etc/nvidia-container-runtime/config.toml: not valid TOML"));
  }
}

TEST_CASE("a compatibility package on the library path is a fact") {
  Root root;
  root.put("usr/local/cuda-13.0/compat/libcuda.so.580.65.06", "");
  root.link("usr/local/cuda-13.0/compat/libcuda.so.1", "libcuda.so.580.65.06");
  const auto folder = (root.folder.path() / "usr/local/cuda-13.0/compat").string();
  const Variable path("LD_LIBRARY_PATH", "/nowhere::" + folder);
  const auto machine = root.machine();
  REQUIRE(machine.compat_package);
  CHECK(machine.compat_package->value.to_string() == "13.0");
  CHECK(machine.compat_package->source == "LD_LIBRARY_PATH: " + folder);
}

TEST_CASE("NVML adds compute capabilities and brands to the GPUs of /proc and finds those that /proc lacks") {
  Root root;
  root.put("proc/driver/nvidia/version", k_kernel_module);
  root.put("proc/driver/nvidia/gpus/0000:8a:00.0/information",
           "Model: \t\t NVIDIA A100-SXM4-80GB\nGPU UUID: \t GPU-a\n");
  auto host = host::read(root.folder.path(), host::Nvml::leave);
  REQUIRE(host::ask_nvml(host, TK_FAKE_NVML));
  REQUIRE(host.gpus.size() == 2);
  CHECK(host.gpus[0].source == "/proc/driver/nvidia/gpus/0000:8a:00.0/information");
  REQUIRE(host.gpus[0].compute);
  CHECK(host.gpus[0].compute->value == version::ComputeCapability{8, 0});
  CHECK(host.gpus[0].compute->source == "NVML");
  CHECK(host.gpus[0].brand == "NVIDIA");
  CHECK(host.gpus[1].model == "NVIDIA GeForce RTX 4090");
  CHECK(host.gpus[1].uuid == "GPU-bbbb");
  CHECK(host.gpus[1].bus == "0000:07:00.0");
  CHECK(host.gpus[1].brand == "GeForce");
  CHECK(host.driver->value.to_string() == "535.104.05");  // the kernel module's own words come first
}

TEST_CASE("NVML names the driver where the kernel's files are hidden, as in a container") {
  host::Host host;
  REQUIRE(host::ask_nvml(host, TK_FAKE_NVML));
  REQUIRE(host.driver);
  CHECK(host.driver->value.to_string() == "580.65.06");
  CHECK(host.driver->source == "NVML");
}

TEST_CASE("an NVML that does not fit the kernel module tells its own version and why it does not start") {
  const test::TestFolder folder;
  const auto library = folder.path("libnvidia-ml.so.550.90.07");
  fs::copy_file(TK_FAKE_NVML, library);
  fs::create_symlink(library.filename(), folder.path("libnvidia-ml.so.1"));
  const Variable code("FAKE_NVML_INIT", "18");
  host::Host host;
  CHECK_FALSE(host::ask_nvml(host, folder.path("libnvidia-ml.so.1").c_str()));
  REQUIRE(host.userland);
  CHECK(host.userland->value.to_string() == "550.90.07");
  CHECK(host.userland->source == "libnvidia-ml.so.550.90.07");
  CHECK(host.notes == std::vector<std::string>{"NVML: libnvidia-ml.so.1 says \"Driver/library version mismatch\": "
                                               "restart after a driver update"});
}

TEST_CASE("nvidia-smi's XML gives driver and GPUs") {
  const test::FakeTool smi("nvidia-smi", "cat <<'XML'\n" + std::string(k_smi) + "XML");
  host::Host host;
  host::ask_nvidia_smi(host);
  REQUIRE(host.driver);
  CHECK(host.driver->value.to_string() == "550.90.07");
  CHECK(host.driver->source == "nvidia-smi: driver_version");
  REQUIRE(host.gpus.size() == 1);
  CHECK(host.gpus[0].model == "NVIDIA L40S");
  CHECK(host.gpus[0].brand == "NVIDIA");
  CHECK(host.gpus[0].bus == "0000:07:00.0");
  CHECK(host.gpus[0].source == "nvidia-smi: product_name");
  CHECK(smi.calls() == std::vector<std::vector<std::string>>{{"-q", "-x"}});
}

TEST_CASE("this machine has a driver as soon as nvidia-smi names one") {
  const Root root;
  const test::FakeTool smi("nvidia-smi", "cat <<'XML'\n" + std::string(k_smi) + "XML");
  CHECK(root.machine(host::Nvml::ask).driver);
  CHECK_FALSE(root.machine(host::Nvml::leave).driver);
}

TEST_CASE("an nvidia-smi that fails is a note with its last words") {
  const test::FakeTool smi("nvidia-smi",
                           "echo 'Failed to initialize NVML: Driver/library version mismatch' >&2\nexit 18");
  host::Host host;
  host::ask_nvidia_smi(host);
  CHECK_FALSE(host.driver);
  REQUIRE(host.notes.size() == 1);
  CHECK(host.notes[0].starts_with("nvidia-smi: "));
  CHECK(host.notes[0].find("Driver/library version mismatch") != std::string::npos);
}

TEST_CASE("an nvidia-smi that writes no XML is a note") {
  const test::FakeTool smi("nvidia-smi", "echo 'no XML here'");
  host::Host host;
  host::ask_nvidia_smi(host);
  REQUIRE(host.notes.size() == 1);
  CHECK(host.notes[0].starts_with("nvidia-smi: no valid XML: "));
}
