// Claims of widely read articles on PyTorch-CUDA images, as requests. A resolver says "there is no such build"
// where there is none, and never guesses the nearest one. The letters are those of the project's audit of claims.

#include "unit/solver/real.hpp"

#include <algorithm>
#include <set>

using namespace torchkiln;
using Texts = std::vector<std::string>;

namespace {

/// "11.8 12.1 12.4": the CUDA versions that a minor release is built for on x86_64, unadvertised ones apart.
std::string cudas_of(const std::string& pytorch) {
  std::set<version::CudaVersion> cudas;
  for (const auto& build : real_matrix().builds)
    if (build.cuda && build.architecture == matrix::Architecture::x86_64 &&
        build.status != matrix::Status::unadvertised &&
        build.pytorch.starts_with(version::Version::parse(pytorch).value()))
      cudas.insert(*build.cuda);
  std::string text;
  for (const auto& cuda : cudas) text += (text.empty() ? "" : " ") + cuda.to_string();
  return text;
}

}  // namespace

TEST_CASE("F1: every release has its own list of CUDA builds; 12.1 ended with 2.5 and 11.8 with 2.7") {
  CHECK(cudas_of("2.3") == "11.8 12.1");
  CHECK(cudas_of("2.4") == "11.8 12.1 12.4");
  CHECK(cudas_of("2.5") == "11.8 12.1 12.4");
  CHECK(cudas_of("2.6") == "11.8 12.4 12.6");
  CHECK(cudas_of("2.7") == "11.8 12.6 12.8");
  CHECK(cudas_of("2.8") == "12.6 12.8 12.9");
  for (const auto& [pytorch, cuda] :
       {std::pair("2.6", "12.1"), std::pair("2.7", "12.1"), std::pair("2.8", "12.1"), std::pair("2.8", "11.8")}) {
    INFO(pytorch << " with CUDA " << cuda);
    CHECK_FALSE(goes({.pytorch = pytorch, .cuda = cuda}));
  }
}

TEST_CASE("F2: there is no 2.8 with CUDA 12.1 and cuDNN 8.9, and the answer says what 2.8 has") {
  const auto by_cuda = refused({.pytorch = "2.8", .cuda = "12.1"});
  CHECK(core_of(by_cuda).back() == "PyTorch 2.8.0 is built for CUDA 12.6, 12.8 and 12.9");
  const auto by_cudnn = refused({.pytorch = "2.8", .cudnn = "8.9"});
  CHECK(core_of(by_cudnn).back() == "PyTorch 2.8.0 comes with cuDNN 9.10.2.21");
  for (const auto& build : real_matrix().builds)
    if (build.cudnn && build.pytorch >= version::Version::of({2, 4})) CHECK(build.cudnn->part(0) == 9);
}

TEST_CASE("F3: 2.8.0+cu121 was never published; the last cu121 is 2.5.1") {
  const auto conflict = refused({.pytorch = "2.8.0+cu121"});
  CHECK(core_of(conflict) ==
        Texts{"PyTorch 2.8.0+cu121 is required; PyTorch 2.8.0 comes as cu128, cu126 and cu129"});
  CHECK(resolved({.cuda = "12.1"}).pytorch.to_string() == "2.5.1");
}

TEST_CASE("F4: cuDNN 8.7 was never packaged for CUDA 12") {
  CHECK_FALSE(goes({.cuda = "12", .cudnn = "8.7"}));
  CHECK(resolved({.cudnn = "8.7"}).cuda.to_string() == "11.8");
}

TEST_CASE("F5: no 2.7 has cuDNN 8: cu118 has 9.1, cu126 9.5 and cu128 9.7") {
  CHECK_FALSE(goes({.pytorch = "2.7", .cudnn = "8"}));
  CHECK(resolved({.pytorch = "2.7.1+cu118"}).cudnn->to_string() == "9.1.0.70");
  CHECK(resolved({.pytorch = "2.7.1+cu126"}).cudnn->to_string() == "9.5.1.17");
  CHECK(resolved({.pytorch = "2.7.1+cu128"}).cudnn->to_string() == "9.7.1.26");
}

TEST_CASE("M1, M9: 2.7 with CUDA 11.8 exists but is not the default, and 12.x means 12.6 or 12.8") {
  CHECK(chosen({.pytorch = "2.7"}) == "2.7.1+cu126 default");
  CHECK(chosen({.pytorch = "2.7", .cuda = "11.8"}) == "2.7.1+cu118 pytorch");
  CHECK_FALSE(goes({.pytorch = "2.7", .cuda = "12.4"}));
}

TEST_CASE("M2: of 2.7's builds V100 and A10 run on cu118 and cu126, and V100 not on cu128") {
  for (const char* build : {"2.7.1+cu118", "2.7.1+cu126"}) CHECK(goes({.pytorch = build, .gpus = {"A10", "V100"}}));
  CHECK(goes({.pytorch = "2.7.1+cu128", .gpus = {"A10"}}));
  CHECK_FALSE(goes({.pytorch = "2.7.1+cu128", .gpus = {"A10", "V100"}}));
}

TEST_CASE(
    "M4, M5, M11: any CUDA 12 wheel runs from 525.60.13 on, whatever toolkit the host has; new GPUs need more") {
  for (const char* build : {"2.8.0+cu126", "2.8.0+cu128", "2.8.0+cu129"}) {
    CHECK(goes({.pytorch = build, .driver = "525.60.13", .gpus = {"A100"}}));
    CHECK_FALSE(goes({.pytorch = build, .driver = "525.60.12", .gpus = {"A100"}}));
  }
  CHECK_FALSE(goes({.pytorch = "2.8.0+cu128", .driver = "525.60.13", .gpus = {"RTX 5090"}}));
  CHECK(goes({.pytorch = "2.8.0+cu128", .driver = "570.26", .gpus = {"RTX 5090"}}));
  CHECK_FALSE(goes({.pytorch = "2.8.0+cu128", .driver = "570.26", .gpus = {"B200"}}));
  CHECK(goes({.pytorch = "2.8.0+cu128", .driver = "570.133.20", .gpus = {"B200"}}));
}

TEST_CASE("M6, M7: one image for V100 to H100 works with 2.8, and no longer with 2.15 or on R590") {
  const Texts fleet{"RTX 3090", "RTX 4090", "V100", "A100", "H100"};
  CHECK(goes({.pytorch = "2.8.0+cu126", .gpus = fleet}));
  CHECK(goes({.pytorch = "2.8.0+cu128", .gpus = fleet}));
  CHECK_FALSE(goes({.pytorch = "2.11.0+cu130", .gpus = fleet}));
  CHECK_FALSE(goes({.pytorch = "2.15", .gpus = fleet}));
  CHECK_FALSE(goes({.pytorch = "2.8", .driver = "590.48.01", .gpus = fleet}));
}

TEST_CASE("M12: 2.8 has no CUDA 11 build, and a CUDA 11 driver does not run it") {
  CHECK_FALSE(goes({.pytorch = "2.8", .cuda = "11"}));
  CHECK_FALSE(goes({.pytorch = "2.8", .driver = "470.82.01"}));
  CHECK(goes({.pytorch = "2.8", .driver = "525.60.13"}));
}

TEST_CASE("M14: code for 8.0 runs on 8.6 and 8.9, not on 6.0, 9.0 or 12.0") {
  const version::CudaVersion cuda{12, 8, 0};
  const auto runs = [&](version::ComputeCapability device) { return version::sass_runs_on({8, 0}, device, cuda); };
  CHECK(runs({8, 6}));
  CHECK(runs({8, 9}));
  CHECK_FALSE(runs({6, 0}));
  CHECK_FALSE(runs({9, 0}));
  CHECK_FALSE(runs({12, 0}));
}

TEST_CASE("M15: CUDA 11.7 runs from 450.80.02 on, exactly, and was made with 515.43.04") {
  CHECK(goes({.pytorch = "2.0.1+cu117", .driver = "450.80.02"}));
  CHECK_FALSE(goes({.pytorch = "2.0.1+cu117", .driver = "450.51.06"}));
  const auto resolution = resolved({.pytorch = "2.0.1+cu117"});
  CHECK(resolution.driver_without_minor_version_compatibility.to_string() == "515.43.04");
}

TEST_CASE("M16: 2.0.1 for CUDA 11.7 has no code for an H100; cu118 and 2.1 have") {
  CHECK(goes({.pytorch = "2.0.1+cu117", .gpus = {"A100"}}));
  CHECK_FALSE(goes({.pytorch = "2.0.1+cu117", .gpus = {"H100"}}));
  CHECK(goes({.pytorch = "2.0.1+cu118", .gpus = {"H100"}}));
  CHECK(goes({.pytorch = "2.1.2+cu121", .gpus = {"H100"}}));
}

TEST_CASE("M17: the first build for Blackwell is 2.7 cu128") {
  CHECK_FALSE(goes({.pytorch = "<2.7", .gpus = {"RTX 5090"}}));
  CHECK(resolved({.pytorch = "2.7", .gpus = {"RTX 5090"}}).build == "cu128");
}

TEST_CASE("M13: TensorRT is not what a build of PyTorch brings") {
  for (const auto& build : real_matrix().builds)
    for (const auto& requirement : build.requirements) CHECK(requirement.find("tensorrt") == std::string::npos);
}

TEST_CASE("M3: 1.12, with any CUDA, is older than what is known, and the answer says from where on it is") {
  const auto conflict = refused({.pytorch = "1.12", .cuda = "11.6"});
  CHECK(core_of(conflict) ==
        Texts{"PyTorch 1.12 is required; the manifests know PyTorch 1.13.0 to 2.15.0 for x86_64"});
  CHECK(chosen({.pytorch = "1.13", .cuda = "11.6"}) == "1.13.1+cu116 pytorch");
}

TEST_CASE("M10: which cuDNN and NCCL a wheel gets is pinned by the wheel itself") {
  const auto resolution = resolved({.pytorch = "2.7.1+cu126"});
  const auto pinned = [&](const std::string& name) {
    for (const auto& [package, version] : resolution.pins)
      if (package == name) return version.to_string();
    return std::string();
  };
  CHECK(pinned("nvidia-cudnn-cu12") == "9.5.1.17");
  CHECK(pinned("nvidia-nccl-cu12") == "2.26.2");
  CHECK_FALSE(goes({.pytorch = "2.7.1+cu126", .cudnn = "9.7"}));
}

TEST_CASE("M18: torchvision 0.22 goes with 2.7; torchtext ended with 2.3") {
  CHECK(resolved({.pytorch = "2.7", .packages = {"torchvision"}})
            .torchvision->starts_with(version::Version::of({0, 22})));
  CHECK_FALSE(goes({.pytorch = "2.7", .packages = {"torchtext"}}));
  CHECK(resolved({.packages = {"torchtext"}}).pytorch.to_string() == "2.3.1");
}

TEST_CASE("C1, C8: an RTX 3090 is 8.6, V100 7.0, A100 8.0 and H100 9.0") {
  for (const auto& [name, compute] :
       {std::pair("RTX 3090", version::ComputeCapability{8, 6}),
        std::pair("V100", version::ComputeCapability{7, 0}), std::pair("A100", version::ComputeCapability{8, 0}),
        std::pair("H100", version::ComputeCapability{9, 0})})
    CHECK(resolved({.pytorch = "2.8", .gpus = {name}}).gpus.at(0).compute == compute);
}

TEST_CASE("C2: 2.0 goes with CUDA 11.7 and 11.8") {
  CHECK(cudas_of("2.0") == "11.7 11.8");
}

TEST_CASE("C3: Triton, and so torch.compile, came with 2.0, and needs a GPU from Volta on") {
  CHECK_FALSE(resolved({.pytorch = "1.13.1+cu117"}).triton);
  CHECK(resolved({.pytorch = "2.0.1+cu117"}).triton->to_string() == "2.0.0");
  const auto is_warned = [](const char* gpu) {
    const auto warnings = resolved({.pytorch = "2.7.1+cu126", .gpus = {gpu}}).warnings;
    return std::any_of(warnings.begin(), warnings.end(),
                       [](const auto& warning) { return warning.code == "no-torch-compile"; });
  };
  CHECK(is_warned("P100"));
  CHECK_FALSE(is_warned("V100"));
}

TEST_CASE("C4: the wheels of 2.8 are 3.9 GB and those of 2.7.1 3.0 GB, before they are unpacked on a base") {
  CHECK(resolved({.pytorch = "2.8.0+cu128"}).download_bytes == 3'906'366'783);
  CHECK(resolved({.pytorch = "2.7.1+cu126"}).download_bytes == 2'984'721'231);
}

TEST_CASE("C5: CUDA 12 needs driver 525.60.13") {
  for (const char* build : {"2.1.2+cu121", "2.5.1+cu124", "2.7.1+cu126", "2.8.0+cu128"})
    CHECK(resolved({.pytorch = build}).driver_minimum.to_string() == "525.60.13");
}

TEST_CASE("C6, C7: Python 3.9 goes with 2.7 and 2.8 and not with 2.9, 3.10 with 2.8") {
  CHECK(goes({.pytorch = "2.7", .python = "3.9", .os = "debian-11"}));
  CHECK(goes({.pytorch = "2.8", .python = "3.9", .os = "debian-11"}));
  CHECK_FALSE(goes({.pytorch = "2.9", .python = "3.9", .os = "debian-11"}));
  CHECK(goes({.pytorch = "2.8", .python = "3.10", .os = "ubuntu-22.04"}));
}

TEST_CASE("C9: 2.0.1 with CUDA 11.7 has cuDNN 8.5, 2.1 with CUDA 11.8 has 8.7 and is not what 2.1 defaults to") {
  CHECK(resolved({.pytorch = "2.0.1", .cuda = "11.7"}).cudnn->to_string() == "8.5.0.96");
  CHECK(resolved({.pytorch = "2.1", .cuda = "11.8"}).cudnn->to_string() == "8.7.0.84");
  CHECK(resolved({.pytorch = "2.1"}).build == "cu121");
}

TEST_CASE("A1, A2: articles disagree on what \"v2.7\" and \"v2.8\" are; the builds that exist are none of these") {
  const auto cudnns_of = [](const std::string& pytorch) {
    std::string text;
    for (const auto& build : real_matrix().builds)
      if (build.cuda && build.cudnn && build.architecture == matrix::Architecture::x86_64 &&
          build.pytorch == version::Version::parse(pytorch).value())
        text += (text.empty() ? "" : ", ") + build.variant + " " + build.cudnn->to_string();
    return text;
  };
  CHECK(cudnns_of("2.7.1") == "cu126 9.5.1.17, cu118 9.1.0.70, cu128 9.7.1.26");
  CHECK(cudnns_of("2.8.0") == "cu128 9.10.2.21, cu126 9.10.2.21, cu129 9.10.2.21");
  CHECK_FALSE(goes({.pytorch = "2.7", .cuda = "11.8", .cudnn = "8"}));
  CHECK_FALSE(goes({.pytorch = "2.7", .cuda = "12", .cudnn = "8"}));
  for (const char* cudnn : {"8.7", "8.9", ">=8.7,<9"}) CHECK_FALSE(goes({.pytorch = "2.8", .cudnn = cudnn}));
}
