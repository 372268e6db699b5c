// The traps where official sources contradict each other or the wheels, as pairs; the solver's own are in
// tests/unit/solver/traps_test.cpp, those about NVIDIA_REQUIRE_* in requirement_test.cpp.

#include "unit/audit/audit_fixture.hpp"

using namespace torchkiln;

TEST_CASE("T1, T2, T3: which cu128 has code for a V100") {
  const std::string v100 = "driver=580.65.06,gpu=V100";
  for (const char* build : {"2.8.0+cu128", "2.9.1+cu128", "2.10.0+cu128"}) CHECK(verdict(v100, build) == "direct");
  for (const char* build : {"2.7.0+cu128", "2.7.1+cu128", "2.11.0+cu128"})
    CHECK(verdict(v100, build) == "no-kernels");
  CHECK(has_fix(judge(v100, "2.11.0+cu128"), "PyTorch 2.11.0+cu126 runs here as it is (direct)"));
}

TEST_CASE("T4, T5: 2.15 serves no driver below 580 and no Volta, and has no cu126") {
  CHECK(verdict("driver=575.57.08,gpu=A100", "2.15.0") == "driver-too-old");
  CHECK(verdict("driver=580.65.06,gpu=A100", "2.15.0") == "minor-version");
  CHECK(verdict("driver=580.65.06,gpu=V100", "2.15.0") == "no-kernels");
  CHECK(has_fix(judge("driver=580.65.06,gpu=V100", "2.15.0"), "PyTorch 2.14.1+cu126 runs here as it is (direct)"));
  CHECK(verdict("driver=580.65.06,gpu=V100", "2.15.0+cu126") == "no-such-build");
}

TEST_CASE("T6: no wheel of the default index from 2.11 on has PTX for a GPU yet to come") {
  for (const char* build : {"2.11.0", "2.14.1", "2.15.0"})
    CHECK(verdict("driver=610.43.02,gpu=sm_130", build) == "no-kernels");
}

TEST_CASE("T8, T9: the C library's floor is 2.17 up to 2.6 and 2.28 from 2.7") {
  CHECK(verdict("driver=580.65.06,gpu=A100,glibc=2.17", "2.6.0") == "direct");
  CHECK(verdict("driver=580.65.06,gpu=A100,glibc=2.16", "2.6.0") == "glibc-too-old");
  CHECK(verdict("driver=580.65.06,gpu=A100,glibc=2.27", "2.7.0") == "glibc-too-old");
}

TEST_CASE("T10: Pythons are those of the wheels, not of Requires-Python") {
  const std::string host = "driver=580.65.06,gpu=A100";
  CHECK(verdict(host, release("2.5.1", "3.8")) == "python-unsupported");
  CHECK(verdict(host, release("2.14.1", "3.15")) == "python-unsupported");
  CHECK(verdict(host, release("2.12.0", "3.13t")) == "direct");
  CHECK(verdict(host, release("2.12.1", "3.13t")) == "python-unsupported");
  CHECK(verdict(host, release("2.15.0", "3.10")) == "python-unsupported");
}

TEST_CASE("T11: on aarch64 the default index has no CUDA up to 2.10") {
  const std::string grace = "driver=580.65.06,gpu=GH200,arch=aarch64";
  CHECK(verdict(grace, "2.10.0") == "cpu-only");
  CHECK(verdict(grace, "2.8.0") == "cpu-only");
  CHECK(verdict(grace, "2.11.0") == "direct");
  CHECK(has_fix(judge(grace, "2.10.0"), "PyTorch 2.10.0+cu128 runs here as it is (direct)"));
}

TEST_CASE("T12: without a build's name it is the default index's, release by release") {
  CHECK(verdict("driver=535.104.05,gpu=A100", "2.10.0") == "minor-version");
  CHECK(verdict("driver=535.104.05,gpu=A100", "2.11.0") == "driver-too-old");
}

TEST_CASE("T14: torchvision's cu129 wheels have nothing for Blackwell") {
  const auto image = with_package(release("2.9.1+cu129"), "torchvision", "0.24.1+cu129");
  CHECK(verdict("driver=580.65.06,gpu=RTX 5090", image) == "packages-conflict");
  CHECK(verdict("driver=580.65.06,gpu=H100", image) == "direct");
}

TEST_CASE("T15, T16: torchvision 0.29.2 installs beside 2.14, loads beside cu130 and stops beside cu126") {
  const std::string host = "driver=595.45.04,gpu=A100";
  CHECK(verdict(host, with_package(release("2.14.1+cu130"), "torchvision", "0.29.2")) == "direct");
  CHECK(verdict(host, with_package(release("2.14.0"), "torchvision", "0.29.1")) == "direct");
  CHECK(verdict(host, with_package(release("2.13.0"), "torchvision", "0.29.2")) == "packages-conflict");
  CHECK(verdict(host, with_package(release("2.15.0"), "torchvision", "0.29.2")) == "direct");
  const auto stops = judge(host, with_package(release("2.14.1+cu126"), "torchvision", "0.29.2"));
  CHECK(name(stops.verdict) == "packages-conflict");
  CHECK(stops.reasons[0].text ==
        "torchvision 0.29.2 of the default index is built for CUDA 13.2, PyTorch 2.14.1+cu126 for CUDA 12.6: it "
        "stops "
        "at import, because the major versions differ");
  CHECK(verdict(host, with_package(release("2.11.0+cu126"), "torchvision", "0.26.0")) == "packages-conflict");
  CHECK(verdict(host, with_package(release("2.11.0+cu126"), "torchvision", "0.26.0+cu126")) == "direct");
  CHECK(verdict(host, with_package(release("2.14.1"), "torchaudio", "2.11.0")) == "direct");
  CHECK(verdict(host, with_package(release("2.10.0"), "torchaudio", "2.11.0")) == "packages-conflict");
  const auto other = judge(host, with_package(release("2.8.0"), "torchvision", "0.22.1"));
  CHECK(fixes(other).front() == "torchvision 0.23.0, which goes with PyTorch 2.8.0");
}

TEST_CASE("T19: minor-version compatibility does not cover PTX") {
  CHECK(verdict("driver=550.54.15,gpu=sm_130", "2.8.0+cu129") == "no-kernels");
  CHECK(verdict("driver=575.51.03,gpu=sm_130", "2.8.0+cu129") == "ptx-jit");
}

TEST_CASE("T20: plain 10.0 code runs on a B300") {
  CHECK(verdict("driver=580.65.06,gpu=B300", "2.8.0+cu128") == "direct");
}

TEST_CASE("T23: the driver alone does not choose: a V100 and a 1080 Ti on R580 have no cu132") {
  for (const char* gpu : {"V100", "GTX 1080 Ti"}) {
    const std::string host = std::string("driver=580.95.05,gpu=") + gpu;
    CHECK(verdict(host, "2.15.0+cu132") == "no-kernels");
    CHECK(verdict(host, "2.14.1+cu126") == "direct");
  }
}

TEST_CASE("T24, T25: forward compatibility by the table: base branches, and neither GeForce nor an older package") {
  const std::string compat = ",compat=cuda-compat-13-4";
  for (const char* branch : {"535.54.03", "570.26"})
    CHECK(verdict(std::string("driver=") + branch + ",gpu=A100" + compat, "2.15.0") == "forward-compat");
  for (const char* branch : {"470.82.01", "525.60.13", "550.54.15", "560.28.03", "565.57.01"})
    CHECK(verdict(std::string("driver=") + branch + ",gpu=A100" + compat, "2.15.0") == "driver-too-old");
  CHECK(verdict("driver=535.54.03,gpu=RTX 4090" + compat, "2.15.0") == "driver-too-old");
  CHECK(verdict("driver=580.65.06,gpu=A100,compat=cuda-compat-12-9", "2.8.0") == "driver-mismatch");
}

TEST_CASE("T26: cuXYZ does not need the toolkit's own driver") {
  CHECK(verdict("driver=545.23.06,gpu=A100", "2.6.0+cu124") == "minor-version");
  CHECK(verdict("driver=545.23.06,gpu=A100", "2.7.1+cu126") == "minor-version");
  CHECK(verdict("driver=550.54.15,gpu=A100", "2.9.1+cu130") == "driver-too-old");
}
