// Each verdict where it begins and where it ends.

#include "unit/audit/audit_fixture.hpp"

using namespace torchkiln;
using Texts = std::vector<std::string>;

TEST_CASE("a driver of the build's own CUDA runs it directly, one below by minor-version compatibility") {
  CHECK(verdict("driver=570.26,gpu=A100", "2.8.0+cu128") == "direct");
  CHECK(verdict("driver=570.25,gpu=A100", "2.8.0+cu128") == "minor-version");
  CHECK(verdict("driver=525.60.13,gpu=A100", "2.8.0+cu128") == "minor-version");
  CHECK(verdict("driver=525.60.12,gpu=A100", "2.8.0+cu128") == "driver-too-old");
  CHECK(verdict("driver=580,gpu=A100", "2.15.0+cu132") == "minor-version");
  CHECK(verdict("driver=579.99,gpu=A100", "2.15.0+cu132") == "driver-too-old");
  CHECK(verdict("driver=595.45.04,gpu=A100", "2.15.0+cu132") == "direct");
}

TEST_CASE("the reason of a pair that runs names the driver's floor with its sources") {
  const auto judgement = judge("driver=535.104.05,gpu=V100", "2.7.1+cu126");
  CHECK(rules(judgement) == Texts{"driver-floor", "kernels"});
  CHECK(judgement.reasons[0].text ==
        "driver 535.104.05 runs CUDA 12.6 by minor-version compatibility, from 525.60.13 on");
  CHECK(judgement.reasons[0].source == "manifests/cuda.toml:8, --host");
  CHECK(judgement.reasons[1].text ==
        "PyTorch 2.7.1+cu126 has machine code for 7.0 that V100 (compute capability 7.0) runs");
  CHECK(judgement.fixes.empty());
}

TEST_CASE("a cuda-compat package counts only on the branches and GPUs it is offered for") {
  const std::string with_13_0 = ",compat=cuda-compat-13-0";
  CHECK(verdict("driver=535.104.05,gpu=A100" + with_13_0, "2.11.0+cu130") == "forward-compat");
  CHECK(verdict("driver=570.26,gpu=A100" + with_13_0, "2.11.0+cu130") == "forward-compat");
  CHECK(verdict("driver=535.104.05,gpu=A100", "2.11.0+cu130") == "driver-too-old");
  CHECK(verdict("driver=550.54.15,gpu=A100" + with_13_0, "2.11.0+cu130") == "driver-too-old");
  CHECK(verdict("driver=535.104.05,gpu=RTX 3090" + with_13_0, "2.11.0+cu130") == "driver-too-old");
  CHECK(verdict("driver=535.104.05,gpu=A100+RTX 3090" + with_13_0, "2.11.0+cu130") == "driver-too-old");
  CHECK(verdict("driver=535.104.05,gpu=A100" + with_13_0, "2.15.0+cu132") == "driver-too-old");
  CHECK(verdict("driver=535.104.05,gpu=sm_80" + with_13_0, "2.11.0+cu130") == "unknown");
  // Not needed, and not in the way.
  CHECK(verdict("driver=580.65.06,gpu=A100" + with_13_0, "2.11.0+cu130") == "direct");
  CHECK(verdict("driver=535.104.05,gpu=A100" + with_13_0, "2.8.0+cu128") == "minor-version");
}

TEST_CASE("a cuda-compat package that is older than the driver stops CUDA, and so does any on a GeForce") {
  CHECK(verdict("driver=580.65.06,gpu=A100,compat=cuda-compat-12-8", "2.8.0+cu128") == "driver-mismatch");
  CHECK(verdict("driver=570.26,gpu=A100,compat=cuda-compat-12-8", "2.8.0+cu128") == "direct");
  const auto geforce = judge("driver=535.104.05,gpu=RTX 3090,compat=cuda-compat-12-8", "2.8.0+cu128");
  CHECK(name(geforce.verdict) == "driver-mismatch");
  CHECK(geforce.reasons[0].text ==
        "forward compatibility is not offered for GeForce RTX 3090 (compute capability 8.6): with "
        "cuda-compat-12-8 on the library path CUDA stops with error 804");
  CHECK(has_fix(geforce, "take the cuda-compat package off the library path"));
}

TEST_CASE("PTX needs a driver as new as the CUDA that made it, or a compat package") {
  // 2.8.0+cu129 has PTX for 12.0; the GB10 (12.1) has machine code by 12.0, so an imagined GPU is asked about.
  CHECK(verdict("driver=575.51.03,gpu=sm_130", "2.8.0+cu129") == "ptx-jit");
  const auto below = judge("driver=570.26,gpu=sm_130", "2.8.0+cu129");
  CHECK(name(below.verdict) == "no-kernels");
  CHECK(rules(below) == Texts{"ptx"});
  CHECK(fixes(below).front() == "driver 575.51.03 or newer");
  CHECK(verdict("driver=575.51.03,gpu=sm_130", "2.8.0+cu128") == "no-kernels");
}

TEST_CASE("a branch that no longer drives a GPU is told before everything about the image") {
  CHECK(verdict("driver=580.95.05,gpu=V100", "2.8.0+cu126") == "direct");
  const auto judgement = judge("driver=590.44.01,gpu=V100", "2.15.0+cu132");
  CHECK(name(judgement.verdict) == "gpu-not-in-driver");
  CHECK(rules(judgement) == Texts{"driver-gpu", "kernels", "cudnn"});
  CHECK(
      judgement.reasons[0].text ==
      "driver branch R590 drives no GPU below compute capability 7.5; R580 was the last for 7.0, and the host has "
      "590.44.01 with V100 (compute capability 7.0)");
  CHECK(fixes(judge("driver=590.44.01,gpu=V100", "2.8.0+cu126")).front() == "an older driver, of branch R580");
}

TEST_CASE("a GPU newer than the driver is told with the driver that knows it") {
  const auto judgement = judge("driver=550.54.15,gpu=RTX 5090", "2.8.0+cu128");
  CHECK(name(judgement.verdict) == "gpu-not-in-driver");
  CHECK(fixes(judgement).front() == "driver 570.26 or newer");
  CHECK(verdict("driver=570.26,gpu=RTX 5090", "2.8.0+cu128") == "direct");
}

TEST_CASE("every GPU of a host must be served, and the reason says which is not") {
  const auto judgement = judge("driver=570.26,gpu=T4+V100+A100", "2.7.1+cu128");
  CHECK(name(judgement.verdict) == "no-kernels");
  REQUIRE(rules(judgement) == Texts{"kernels"});
  CHECK(
      judgement.reasons[0].text ==
      "PyTorch 2.7.1+cu128 has code for 7.5, 8.0, 8.6, 9.0, 10.0 and 12.0: none for V100 (compute capability 7.0)");
  CHECK(verdict("driver=570.26,gpu=T4+V100+A100", "2.7.1+cu126") == "direct");
}

TEST_CASE("code of its generation that PyTorch's own table keeps from a board is not called missing kernels") {
  CHECK(verdict("driver=580.65.06,gpu=Jetson AGX Orin", "2.11.0+cu130") == "unsupported-by-pytorch");
  CHECK(verdict("driver=595.45.04,gpu=Jetson AGX Orin", "2.15.0+cu132") == "direct");
}

TEST_CASE("kernel module and user-space driver that differ are a finding whatever else holds") {
  auto mixed = machine("driver=550.90.07,gpu=A100");
  mixed.userland = {must(version::DriverVersion::parse("550.144.03")), "NVML"};
  const auto judgement = judge(mixed, release("2.8.0"));
  CHECK(name(judgement.verdict) == "driver-mismatch");
  CHECK(judgement.reasons[0].source == "--host, NVML");
  CHECK(has_fix(judgement,
                "restart the host, or reload its kernel module: it holds 550.90.07 while 550.144.03 is "
                "installed"));
}

TEST_CASE("a missing fact is unknown, never running, and a fault that is certain goes before it") {
  CHECK(verdict("gpu=A100", "2.8.0") == "unknown");
  CHECK(verdict("driver=570.26", "2.8.0") == "unknown");
  CHECK(verdict("driver=570.26,gpu=Frobnicator 9", "2.8.0") == "unknown");
  CHECK(verdict("driver=570.26,gpu=A100+Frobnicator 9", "2.8.0") == "unknown");
  CHECK(verdict("driver=450.80.02,gpu=Frobnicator 9", "2.8.0") == "driver-too-old");
  CHECK(verdict("gpu=V100", "2.15.0") == "no-kernels");
  CHECK(verdict("gpu=A100", "2.8.0+cu121") == "no-such-build");
  // Which GPUs the aarch64 wheels of 2.9 for CUDA 12.9 have code for is not known.
  CHECK(verdict("driver=580.65.06,gpu=H100,arch=aarch64", "2.9.1+cu129") == "unknown");
  CHECK(has_fix(judge("gpu=A100", "2.8.0"),
                "say the host's driver: driver=535.104.05 of --host, or an inventory that "
                "has it"));
}

TEST_CASE("a host without a GPU runs nothing that needs one") {
  auto none = machine("driver=570.26");
  none.without_gpu = "scontrol.json";
  const auto judgement = judge(none, release("2.8.0"));
  CHECK(name(judgement.verdict) == "no-gpu");
  CHECK(judgement.reasons[0].source == "scontrol.json");
}

TEST_CASE("the C library that counts is the image's own, or else the host's") {
  CHECK(verdict("driver=570.26,gpu=A100,glibc=2.17", "2.6.0") == "direct");
  CHECK(verdict("driver=570.26,gpu=A100,glibc=2.16", "2.6.0") == "glibc-too-old");
  CHECK(verdict("driver=570.26,gpu=A100,glibc=2.27", "2.7.1") == "glibc-too-old");
  CHECK(verdict("driver=570.26,gpu=A100,glibc=2.28", "2.7.1") == "direct");
  auto in_image = release("2.7.1");
  in_image.glibc = version::Version::of({2, 36});
  CHECK(verdict("driver=570.26,gpu=A100,glibc=2.17", in_image) == "direct");
  const auto old = judge("driver=570.26,gpu=A100,glibc=2.17", "2.8.0");
  CHECK(has_fix(old, "PyTorch 2.6.0+cu124 runs here as it is (direct)"));
}

TEST_CASE("an image of another processor runs nowhere else") {
  auto x86 = release("2.15.0");
  x86.architecture = matrix::Architecture::x86_64;
  CHECK(verdict("driver=595.45.04,gpu=GH200,arch=aarch64", x86) == "no-such-build");
  CHECK(verdict("driver=595.45.04,gpu=H100,arch=x86_64", x86) == "direct");
  CHECK(verdict("driver=595.45.04,gpu=H100", x86) == "direct");
}

TEST_CASE("a build that does not exist is not guessed at") {
  const auto judgement = judge("driver=535.104.05,gpu=A100", "2.8.0+cu121");
  CHECK(name(judgement.verdict) == "no-such-build");
  CHECK(judgement.reasons[0].text ==
        "there is no PyTorch 2.8.0+cu121 for x86_64: 2.8.0 comes as cu128, cu126 and cu129");
  CHECK(verdict("driver=570.26,gpu=A100", "2.16.0") == "no-such-build");
  CHECK(verdict("driver=570.26,gpu=A100", "2.8.0+cpu") == "cpu-only");
}

TEST_CASE("Python is judged by the wheels' tags") {
  CHECK(verdict("driver=570.26,gpu=A100", release("2.8.0", "3.9")) == "direct");
  const auto judgement = judge("driver=570.26,gpu=A100", release("2.9.1", "3.9"));
  CHECK(name(judgement.verdict) == "python-unsupported");
  CHECK(fixes(judgement).front() == "Python 3.10 to 3.14");
}

TEST_CASE("a package that the wheel pins must be the one it pins") {
  CHECK(verdict("driver=570.26,gpu=A100", with_package(release("2.8.0"), "nvidia-cudnn-cu12", "9.10.2.21")) ==
        "direct");
  const auto judgement =
      judge("driver=570.26,gpu=A100", with_package(release("2.8.0"), "nvidia-cudnn-cu12", "8.9.2.26"));
  CHECK(name(judgement.verdict) == "packages-conflict");
  CHECK(judgement.reasons[0].text ==
        "PyTorch 2.8.0+cu128 requires nvidia-cudnn-cu12==9.10.2.21, the image has 8.9.2.26");
  CHECK(verdict("driver=570.26,gpu=A100", with_package(release("2.8.0"), "numpy", "1.26.4")) == "direct");
  CHECK(verdict("driver=570.26,gpu=A100", with_package(release("2.8.0"), "torchvision", "0.99.0")) == "unknown");
}

TEST_CASE("all rules that fail are told, host before driver before kernels before packages") {
  auto image = with_package(release("2.11.0+cu130", "3.9"), "torchvision", "0.23.0");
  const auto judgement = judge("driver=450.80.02,gpu=V100,glibc=2.17", requiring(image, "cuda>=13.0"));
  CHECK(name(judgement.verdict) == "glibc-too-old");
  CHECK(rules(judgement) ==
        Texts{"glibc", "driver-floor", "nvidia-require", "kernels", "cudnn", "python", "companion"});
  CHECK(judgement.fixes.size() >= 1);
}

TEST_CASE("what of a running pair is limited is said") {
  CHECK(limited(judge("driver=580.65.06,gpu=P100", "2.8.0+cu126")) == Texts{"torch_compile"});
  CHECK(limited(judge("driver=580.65.06,gpu=V100", "2.8.0+cu126")).empty());
  CHECK(limited(judge("driver=550.54.15,gpu=V100", "2.8.0+cu126")) == Texts{"runtime_ptx"});
  CHECK(limited(judge("driver=535.104.05,gpu=A100,compat=cuda-compat-13-0", "2.11.0+cu130")) ==
        Texts{"graphics_interop"});
  // triton==2.2.0; python_version < "3.12" of the wheel.
  CHECK(limited(judge("driver=570.26,gpu=A100", release("2.2.2", "3.12"))) == Texts{"torch_compile"});
  CHECK(limited(judge("driver=570.26,gpu=A100", release("2.2.2", "3.11"))).empty());
}

TEST_CASE("where no single change helps the nearest driver is told with a release") {
  const auto judgement = judge("driver=590.48.01,gpu=V100+T4", "2.15.0");
  CHECK(fixes(judgement) == Texts{"an older driver, of branch R580, and PyTorch 2.14.1+cu126"});
}

TEST_CASE("the newest of the given images that runs is a fix") {
  const auto report = audit::audit({machine("driver=535.104.05,gpu=V100")},
                                   {release("2.15.0"), release("2.5.1"), release("2.7.1+cu118")}, real_matrix());
  const auto judgement = report.at(0, 0);
  CHECK(fixes(judgement) ==
        Texts{"PyTorch 2.14.1+cu126 runs here as it is (minor-version)", "pytorch 2.7.1+cu118 runs here as it is"});
  CHECK(judgement.fixes[0].command == "torchkiln resolve --pytorch 2.14.1+cu126 --driver 535.104.05 --gpu V100");
}
