// What a machine's facts say to an error, on the matrix as it is.

#include "decision/diagnosis/bearing.hpp"

#include "foundation/base/text.hpp"
#include "knowledge/matrix/load.hpp"
#include "support/must.hpp"

#include <catch2/catch.hpp>

using namespace torchkiln;
using namespace torchkiln::diagnosis;
using test::must;

namespace {

const matrix::Matrix& the_matrix() {
  static const auto k_matrix = must(matrix::load(TK_SOURCE_DIR "/manifests"));
  return k_matrix;
}

/// The bearings on the one error in `log`, a line each.
std::string told(const std::string& log, const host::Machine& machine) {
  const auto findings = diagnose(log);
  REQUIRE(findings.size() == 1);
  std::string text;
  for (const auto& one : bearings(findings[0], machine, the_matrix())) text += one.text + " [" + one.source + "]\n";
  return text;
}

using Catch::Matchers::Contains;

}  // namespace

TEST_CASE("a driver is told with its own CUDA and with where both were read") {
  const auto machine = must(host::parse_machine("name=a,driver=470.82.01"));
  const auto text = told("The NVIDIA driver on your system is too old (found version 11040).", machine);
  CHECK_THAT(text, Contains("the driver here is 470.82.01, whose own CUDA is 11.4 ["));
  CHECK_THAT(text, Contains("manifests/cuda.toml:"));
  CHECK_THAT(text, !Contains("another driver"));
  CHECK_THAT(told("The NVIDIA driver on your system is too old (found version 11000).", machine),
             Contains("the error is of another driver than this one"));
}

TEST_CASE("without a driver that is said, where a driver bears on the error") {
  host::Machine machine;
  machine.notes = {"/proc/driver/nvidia/version is not there"};
  for (const auto* log : {"Found no NVIDIA driver on your system", "cudaErrorInsufficientDriver",
                          "Failed to initialize NVML: Driver/library version mismatch"})
    CHECK(told(log, machine) == "no NVIDIA driver was found here [/proc/driver/nvidia/version is not there]\n");
  CHECK(told("Failed to find C compiler", machine).empty());
}

TEST_CASE("a driver that is here means that the container did not get it") {
  const auto machine = must(host::parse_machine("name=a,driver=550.54.14"));
  CHECK_THAT(told("Found no NVIDIA driver on your system", machine), Contains("a driver is here (550.54.14)"));
}

TEST_CASE("a requirement of the runtime is compared with the driver that is made with that CUDA") {
  const auto log = "nvidia-container-cli: requirement error: unsatisfied condition: cuda>=12.8, please update";
  CHECK_THAT(told(log, must(host::parse_machine("name=a,driver=535.104.05"))),
             Contains("drivers from 570.") && Contains("on call their CUDA 12.8: the one here is older"));
  CHECK_THAT(told(log, must(host::parse_machine("name=a,driver=580.65.06"))), Contains("the one here should do"));
}

TEST_CASE("for a GPU without kernels the newest build that has them is named") {
  const auto text = told("no kernel image is available for execution on the device",
                         must(host::parse_machine("name=a,driver=535.104.05,gpu=V100")));
  CHECK_THAT(text, Contains("the newest build with kernels for sm_70 is PyTorch ") &&
                       Contains("has compute capability 7.0 (sm_70)"));
  // A Kepler board of 2012: every release has left it behind.
  CHECK_THAT(told("no kernel image is available for execution on the device",
                  must(host::parse_machine("name=a,gpu=sm_30"))),
             Contains("no build that the matrix knows has kernels for sm_30"));
}

TEST_CASE("kernel module and libraries that differ are told with both versions") {
  auto machine = must(host::parse_machine("name=a,driver=550.127.05"));
  machine.userland = {must(version::DriverVersion::parse("550.144.03")), "NVML"};
  CHECK_THAT(told("Failed to initialize NVML: Driver/library version mismatch", machine),
             Contains("the kernel module here is of driver 550.127.05, the libraries are of 550.144.03: reboot"));
  machine.userland = machine.driver;
  CHECK_THAT(told("Failed to initialize NVML: Driver/library version mismatch", machine),
             Contains("are both of driver 550.127.05"));
}

TEST_CASE("the fabric manager has to be of the driver's version") {
  CHECK_THAT(told("Error 802: system not yet initialized", must(host::parse_machine("name=a,driver=550.127.05"))),
             Contains("of version 550.127.05"));
}
