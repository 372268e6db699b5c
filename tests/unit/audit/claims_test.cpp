// What widely read articles claim about these images, as pairs. F: false claims, M: misleading ones, C: true ones;
// tests/cases/cases.toml has them all, with those that say nothing about a pair.

#include "unit/audit/audit_fixture.hpp"

using namespace torchkiln;

namespace {
const std::string k_a100 = "driver=580.65.06,gpu=A100";

/// The builds of x86_64 that there are among these.
std::string existing(const std::string& pytorch, const std::vector<std::string>& builds) {
  std::string found;
  for (const auto& build : builds)
    if (verdict(k_a100, pytorch + "+" + build) != "no-such-build") found += (found.empty() ? "" : " ") + build;
  return found;
}
}  // namespace

TEST_CASE("F1: 12.1 ended with 2.5 and 11.8 with 2.7; each release has its own list") {
  const std::vector<std::string> all{"cu118", "cu121", "cu124", "cu126", "cu128"};
  CHECK(existing("2.3.1", all) == "cu118 cu121");
  CHECK(existing("2.4.1", all) == "cu118 cu121 cu124");
  CHECK(existing("2.5.1", all) == "cu118 cu121 cu124");
  CHECK(existing("2.6.0", all) == "cu118 cu124 cu126");
  CHECK(existing("2.7.1", all) == "cu118 cu126 cu128");
  CHECK(existing("2.8.0", all) == "cu126 cu128");
}

TEST_CASE("F2: there is no PyTorch 2.8 with CUDA 12.1 and cuDNN 8.9") {
  CHECK(verdict(k_a100, "2.8.0+cu121") == "no-such-build");
  CHECK(verdict(k_a100, with_package(release("2.8.0"), "nvidia-cudnn-cu12", "8.9.2.26")) == "packages-conflict");
}

TEST_CASE("F3: the last cu121 is of 2.5.1") {
  CHECK(verdict(k_a100, "2.5.1+cu121") == "direct");
  CHECK(verdict(k_a100, "2.6.0+cu121") == "no-such-build");
}

TEST_CASE("F4: cuDNN 8.7 goes with no CUDA 12 build") {
  for (const char* pytorch : {"2.1.2+cu121", "2.5.1+cu124", "2.8.0+cu128"})
    CHECK(verdict(k_a100, with_package(release(pytorch), "nvidia-cudnn-cu12", "8.7.0.84")) == "packages-conflict");
}

TEST_CASE("F5: 2.7 comes with cuDNN 9") {
  CHECK(verdict(k_a100, with_package(release("2.7.1+cu126"), "nvidia-cudnn-cu12", "9.5.1.17")) == "direct");
  CHECK(verdict(k_a100, with_package(release("2.7.1+cu126"), "nvidia-cudnn-cu12", "8.9.7.29")) ==
        "packages-conflict");
}

TEST_CASE("F6: missing kernels and a driver too old are two verdicts") {
  CHECK(verdict("driver=580.65.06,gpu=V100", "2.11.0+cu130") == "no-kernels");
  CHECK(verdict("driver=470.82.01,gpu=A100", "2.8.0+cu128") == "driver-too-old");
  CHECK(verdict("gpu=A100", "2.8.0+cu128") == "unknown");
}

TEST_CASE("F7, F8: whether an image runs is the host's matter: driver, GPU and branch") {
  CHECK(verdict("driver=450.80.02,gpu=A100", "2.7.1+cu118") == "minor-version");
  CHECK(verdict("driver=450.51.06,gpu=A100", "2.7.1+cu118") == "driver-too-old");
  CHECK(verdict("driver=525.60.13,gpu=A100", "2.7.1+cu126") == "minor-version");
  CHECK(verdict("driver=580,gpu=A100", "2.9.1+cu130") == "minor-version");
  CHECK(verdict("driver=590.44.01,gpu=GTX 1080 Ti", "2.8.0+cu126") == "gpu-not-in-driver");
}

TEST_CASE("F9: what an image carries is a requirement, which the host's runtime checks or does not") {
  const auto image = requiring(release("2.8.0+cu128"), "cuda>=12.8");
  CHECK(verdict("driver=535.104.05,gpu=A100,runtime=legacy", image) == "requirement-refused");
  CHECK(verdict("driver=535.104.05,gpu=A100,runtime=cdi", image) == "minor-version");
}

TEST_CASE("M1: the default of 2.7 is cu126, and its cu118 has nothing for Blackwell") {
  CHECK(judge(k_a100, "2.7.1").reasons[0].text.find("CUDA 12.6") != std::string::npos);
  CHECK(verdict("driver=580.65.06,gpu=RTX 5090", "2.7.1+cu118") == "no-kernels");
}

TEST_CASE("M2: A10 and V100 run on 2.7's cu118 and cu126, the V100 not on its cu128") {
  for (const char* gpu : {"driver=580.65.06,gpu=A10", "driver=580.65.06,gpu=V100"})
    for (const char* build : {"2.7.1+cu118", "2.7.1+cu126"}) CHECK(verdict(gpu, build) == "direct");
  CHECK(verdict("driver=580.65.06,gpu=V100", "2.7.1+cu128") == "no-kernels");
}

TEST_CASE(
    "M4, M5: inside a CUDA major version the driver need not be the toolkit's, and newer drivers run older "
    "builds") {
  CHECK(verdict("driver=525.60.13,gpu=A100", "2.8.0+cu128") == "minor-version");
  CHECK(verdict("driver=610.43.02,gpu=A100", "2.0.1+cu117") == "direct");
}

TEST_CASE("M6: RTX 30 and 40, V100, A100 and H100 run on 2.8; the V100 not on 2.11's cu128 and cu130 nor on 2.15") {
  for (const char* gpu : {"RTX 3090", "RTX 4090", "V100", "A100", "H100"})
    for (const char* build : {"2.8.0+cu126", "2.8.0+cu128"}) {
      INFO(gpu << " " << build);
      CHECK(verdict(std::string("driver=580.65.06,gpu=") + gpu, build) == "direct");
    }
  for (const char* build : {"2.11.0+cu128", "2.11.0+cu130", "2.15.0"})
    CHECK(verdict("driver=580.65.06,gpu=V100", build) == "no-kernels");
  CHECK(verdict("driver=595.45.04,gpu=V100", "2.8.0+cu126") == "gpu-not-in-driver");
  CHECK(verdict("driver=580.65.06,gpu=RTX 5090", "2.8.0+cu126") == "no-kernels");
  CHECK(verdict("driver=580.65.06,gpu=RTX 5090", "2.8.0+cu128") == "direct");
}

TEST_CASE("M7: four V100 run 2.8's default, and no longer 2.11's") {
  CHECK(verdict("driver=580.65.06,gpu=V100+V100+V100+V100", "2.8.0") == "direct");
  CHECK(verdict("driver=580.65.06,gpu=V100+V100+V100+V100", "2.11.0") == "no-kernels");
}

TEST_CASE("M8, F9: what hands GPUs into containers is a fact of the host") {
  CHECK(name(host::Injection::legacy) == "legacy");
  CHECK(verdict("driver=570.26,gpu=A100,runtime=cdi", "2.8.0") == "direct");
}

TEST_CASE("M9: CUDA 12.x of 2.7 means 12.6 or 12.8") {
  CHECK(existing("2.7.1", {"cu121", "cu124", "cu126", "cu128", "cu129"}) == "cu126 cu128");
}

TEST_CASE("M11: 525 is exactly 525.60.13, and Blackwell needs 570.26, B200 570.133.20") {
  CHECK(verdict("driver=525.60.11,gpu=A100", "2.8.0+cu128") == "driver-too-old");
  CHECK(verdict("driver=525.60.13,gpu=A100", "2.8.0+cu128") == "minor-version");
  CHECK(verdict("driver=565.57.01,gpu=RTX 5090", "2.8.0+cu128") == "gpu-not-in-driver");
  CHECK(verdict("driver=570.26,gpu=RTX 5090", "2.8.0+cu128") == "direct");
  CHECK(verdict("driver=570.26,gpu=B200", "2.8.0+cu128") == "gpu-not-in-driver");
  CHECK(verdict("driver=570.133.20,gpu=B200", "2.8.0+cu128") == "direct");
}

TEST_CASE("M12: there is no CUDA 11 build of 2.8, and a CUDA 11 driver is too old for it") {
  CHECK(verdict(k_a100, "2.8.0+cu118") == "no-such-build");
  CHECK(verdict("driver=470.82.01,gpu=A100", "2.8.0") == "driver-too-old");
}

TEST_CASE("M14: machine code for 8.0 cannot run on a P100, and serves 8.6 and 8.9 but not 9.0, 10.0 and 12.0") {
  const version::CudaVersion cuda{12, 8, 0};
  const version::ComputeCapability code{8, 0};
  for (const version::ComputeCapability gpu : {version::ComputeCapability{8, 6}, version::ComputeCapability{8, 9}})
    CHECK(version::sass_runs_on(code, gpu, cuda));
  for (const auto& gpu : {version::ComputeCapability{6, 0}, version::ComputeCapability{9, 0},
                          version::ComputeCapability{10, 0}, version::ComputeCapability{12, 0}})
    CHECK_FALSE(version::sass_runs_on(code, gpu, cuda));
  CHECK(verdict("driver=580.65.06,gpu=P100", "2.8.0+cu128") == "no-kernels");
  CHECK(verdict("driver=580.65.06,gpu=P100", "2.8.0+cu126") == "direct");
}

TEST_CASE("M15: CUDA 11.7 runs from 450.80.02 on, and its own driver is 515.43.04") {
  CHECK(verdict("driver=450.51.06,gpu=A100", "2.0.1+cu117") == "driver-too-old");
  CHECK(verdict("driver=450.80.02,gpu=A100", "2.0.1+cu117") == "minor-version");
  CHECK(verdict("driver=515.43.03,gpu=A100", "2.0.1+cu117") == "minor-version");
  CHECK(verdict("driver=515.43.04,gpu=A100", "2.0.1+cu117") == "direct");
}

TEST_CASE("M16: 2.0.1 with CUDA 11.7 serves an A100 and fails on an H100, its cu118 serves both") {
  CHECK(verdict("driver=580.65.06,gpu=A100", "2.0.1+cu117") == "direct");
  CHECK(verdict("driver=580.65.06,gpu=H100", "2.0.1+cu117") == "no-kernels");
  CHECK(verdict("driver=580.65.06,gpu=H100", "2.0.1+cu118") == "direct");
  CHECK(verdict("driver=580.65.06,gpu=H100", "2.1.0") == "direct");
}

TEST_CASE("M17: the first build for Blackwell is 2.7's cu128, with driver 570.26") {
  for (const char* build : {"2.0.1+cu117", "2.1.0+cu118", "2.6.0+cu126", "2.7.1+cu126"})
    CHECK(verdict("driver=580.65.06,gpu=RTX 5090", build) != "direct");
  CHECK(verdict("driver=570.26,gpu=RTX 5090", "2.7.1+cu128") == "direct");
}

TEST_CASE("M18: torchtext does not load beside 2.7: leave it out, or take 2.3") {
  const auto judgement = judge(k_a100, with_package(release("2.7.1+cu126"), "torchtext", "0.18.0"));
  CHECK(judgement.verdict == audit::Verdict::packages_conflict);
  CHECK(fixes(judgement) == std::vector<std::string>{"leave torchtext out of the image",
                                                     "PyTorch 2.3.1+cu121 runs here as it is (direct)"});
  CHECK(verdict(k_a100, with_package(release("2.3.1+cu121"), "torchtext", "0.18.0")) == "direct");
}

TEST_CASE("C1: an RTX 3090 has compute capability 8.6") {
  for (const char* build : {"2.8.0", "2.0.1+cu117"})
    CHECK(verdict("driver=580.65.06,gpu=RTX 3090", build) == verdict("driver=580.65.06,gpu=sm_86", build));
}

TEST_CASE("C2, C9: 2.0.1 has CUDA 11.7 and 11.8, and 2.1.0 has 11.8") {
  CHECK(existing("2.0.1", {"cu116", "cu117", "cu118"}) == "cu117 cu118");
  CHECK(verdict(k_a100, "2.1.0+cu118") == "direct");
}

TEST_CASE("C3: torch.compile needs a GPU from Volta on") {
  CHECK(limited(judge("driver=580.65.06,gpu=P100", "2.8.0+cu126")) == std::vector<std::string>{"torch_compile"});
  CHECK(limited(judge("driver=580.65.06,gpu=V100", "2.8.0+cu126")).empty());
}

TEST_CASE("C6, C7: Python 3.9 goes with 2.7 and no longer with 2.9, 3.10 goes with 2.8") {
  CHECK(verdict(k_a100, release("2.7.1", "3.9")) == "direct");
  CHECK(verdict(k_a100, release("2.8.0", "3.10")) == "direct");
  CHECK(verdict(k_a100, release("2.9.0", "3.9")) == "python-unsupported");
}
