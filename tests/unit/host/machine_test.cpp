#include "support/describe_machine.hpp"
#include "support/must.hpp"

#include <catch2/catch.hpp>

using namespace torchkiln;
using test::describe;

namespace {

std::string parsed(std::string_view text) {
  return describe(test::must(host::parse_machine(text)));
}

/// The Error's words, its place and its first hint.
std::string refused(std::string_view text) {
  const auto machine = host::parse_machine(text);
  REQUIRE_FALSE(machine);
  const auto& error = machine.error();
  CHECK(error.code == base::ErrorCode::usage);
  REQUIRE(error.where);
  return error.where->to_string() + ": " + error.message + (error.hints.empty() ? "" : " (" + error.hints[0] + ")");
}

}  // namespace

TEST_CASE("a machine on the command line has every key of the contract") {
  CHECK(parsed("name=a,driver=535.104.05,gpu=V100") ==
        "a; driver 535.104.05 [--host]; 1 x V100 (a person's word) [--host]");
  CHECK(parsed("name=a, driver=535.104.05, gpu=V100+A100+V100, arch=aarch64, glibc=2.17, compat=cuda-compat-13-0, "
               "runtime=legacy") ==
        "a; driver 535.104.05 [--host]; 2 x V100 (a person's word) [--host]; 1 x A100 (a person's word) [--host]; "
        "aarch64 [--host]; glibc 2.17 [--host]; compat 13.0 [--host]; legacy [--host]");
  CHECK(parsed("runtime=cdi,name=b,arch=amd64") == "b; x86_64 [--host]; cdi [--host]");
}

TEST_CASE("GPUs are named by model or compute capability, with a count before them") {
  CHECK(parsed("name=a,gpu=8xH100") == "a; 8 x H100 (a person's word) [--host]");
  CHECK(parsed("name=a,gpu=sm_70+4x9.0") ==
        "a; 1 x ? 7.0 (a person's word) [--host]; 4 x ? 9.0 (a person's word) [--host]");
  CHECK(parsed("name=a,gpu=RTX 3090+2xRTX 4090") ==
        "a; 1 x RTX 3090 (a person's word) [--host]; 2 x RTX 4090 (a person's word) [--host]");
  CHECK(parsed("name=a,gpu=3090") == "a; 1 x 3090 (a person's word) [--host]");
  CHECK(refused("name=a,gpu=0xH100") ==
        "--host:1:12: \"0xH100\" counts no number of GPUs from 1 to 4096 (GPUs are named like A100, 8xH100 or "
        "sm_90)");
  CHECK(refused("name=a,gpu=8x") == "--host:1:12: \"8x\" names no GPU (GPUs are named like A100, 8xH100 or sm_90)");
  CHECK(refused("name=a,gpu=A100++T4") ==
        "--host:1:17: \"\" names no GPU (GPUs are named like A100, 8xH100 or sm_90)");
  CHECK(refused("name=a,gpu=A100+sm_90a").starts_with("--host:1:17: "));
}

TEST_CASE("what is wrong with a machine on the command line is said with its column and the nearest key") {
  CHECK(refused("name=a,drivr=535.104.05") == "--host:1:8: unknown key \"drivr\" (did you mean \"driver\"?)");
  CHECK(refused("name=a,colour=red") ==
        "--host:1:8: unknown key \"colour\" (known keys are name, driver, gpu, arch, glibc, compat, runtime)");
  CHECK(refused("name=a,driver=new") ==
        "--host:1:15: \"new\" is not a driver version (driver versions are dotted numbers such as 535.104.05, as "
        "nvidia-smi prints them)");
  CHECK(refused("name=a,arch=sparc") ==
        "--host:1:13: there is no architecture \"sparc\" (architectures are x86_64 and aarch64)");
  CHECK(
      refused("name=a,runtime=csv").starts_with("--host:1:16: there is no runtime mode \"csv\" (modes are legacy"));
  CHECK(refused("name=a,compat=cuda-13") ==
        "--host:1:15: \"cuda-13\" is no compatibility package (NVIDIA's packages are named like cuda-compat-13-0)");
  CHECK(refused("name=a,name=b") == "--host:1:8: \"name\" is given twice");
  CHECK(refused("name=a,driver=") == "--host:1:15: \"driver\" has no value");
  CHECK(refused("a") ==
        "--host:1:1: \"a\" is not key=value (for example --host name=a,driver=535.104.05,gpu=A100)");
  CHECK(refused("") == "--host:1:1: \"\" is not key=value (for example --host name=a,driver=535.104.05,gpu=A100)");
  CHECK(refused("name=\x1b[31m").starts_with("--host:1:6: the name \"?[31m\" has control characters"));
  CHECK(refused("name=" + std::string(256, 'a')) == "--host:1:6: the name of a machine is longer than 255 bytes");
  CHECK(parsed("name=" + std::string(255, 'a')) == std::string(255, 'a'));
}

namespace {

host::Machine machine(std::string_view text, const std::string& source) {
  auto result = test::must(host::parse_machine(text));
  if (result.driver) result.driver->source = source;
  if (result.glibc) result.glibc->source = source;
  for (auto& gpu : result.gpus) gpu.source = source;
  return result;
}

std::string merged(std::vector<host::Machine> machines) {
  std::string text;
  for (const auto& each : host::merge(std::move(machines))) text += (text.empty() ? "" : "\n") + describe(each);
  return text;
}

}  // namespace

TEST_CASE("machines of one name are joined in the order of first mention") {
  CHECK(merged({machine("name=b,gpu=8xA100", "slurm"), machine("name=a,driver=535.1", "list"),
                machine("name=b,driver=580.65.06,glibc=2.36", "dcgm")}) ==
        "b; driver 580.65.06 [dcgm]; 8 x A100 (a person's word) [slurm]; glibc 2.36 [dcgm]\n"
        "a; driver 535.1 [list]");
}

TEST_CASE("of two statements of a fact the earlier one is kept, and a note has both") {
  CHECK(merged({machine("name=a,driver=535.104.05", "first"), machine("name=a,driver=580.65.06", "second")}) ==
        "a; driver 535.104.05 [first]; note: the driver is 535.104.05 by first, but 580.65.06 by second; the first "
        "is "
        "used");
  CHECK(merged({machine("name=a,driver=535.104.05", "first"), machine("name=a,driver=535.104.05", "second")}) ==
        "a; driver 535.104.05 [first]");
}

TEST_CASE("GPUs are taken from the inventory that knows them best") {
  auto by_driver = machine("name=a,gpu=8xNVIDIA H100 80GB HBM3", "dcgm");
  by_driver.gpus[0].named_by = host::NamedBy::driver;
  auto by_capability = machine("name=a,gpu=8x9.0", "labels");
  CHECK(merged({machine("name=a,gpu=8xbig", "slurm"), by_driver}) == "a; 8 x NVIDIA H100 80GB HBM3 [dcgm]");
  CHECK(merged({by_driver, machine("name=a,gpu=8xbig", "slurm")}) == "a; 8 x NVIDIA H100 80GB HBM3 [dcgm]");
  CHECK(merged({by_driver, by_capability}) == "a; 8 x ? 9.0 (a person's word) [labels]");
  CHECK(merged({machine("name=a,gpu=8xbig", "slurm"), machine("name=a,gpu=8xhuge", "list")}) ==
        "a; 8 x big (a person's word) [slurm]");
}

TEST_CASE("a GPU that one inventory does not see is a note") {
  CHECK(merged({machine("name=a,gpu=8xA100", "slurm"), machine("name=a,gpu=7xA100", "dcgm")}) ==
        "a; 8 x A100 (a person's word) [slurm]; note: there are 8 GPUs by slurm, but 7 by dcgm");
  auto none = machine("name=a", "labels");
  none.without_gpu = "labels";
  CHECK(merged({machine("name=a,gpu=A100", "slurm"), none}) ==
        "a; 1 x A100 (a person's word) [slurm]; note: GPUs are named by slurm, but there are none by labels");
  CHECK(merged({none, machine("name=a,gpu=A100", "slurm")}) ==
        "a; 1 x A100 (a person's word) [slurm]; note: GPUs are named by slurm, but there are none by labels");
  CHECK(merged({none, none}) == "a; no GPU [labels]");
}
