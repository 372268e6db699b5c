#include "unit/solver/real.hpp"

#include <algorithm>

using namespace torchkiln;
using Texts = std::vector<std::string>;

TEST_CASE("the quickstart's request gets 2.8.0 for CUDA 12.8 with everything that goes with it") {
  const auto resolution = resolved({.pytorch = "2.8",
                                    .python = "3.11",
                                    .cuda = ">=12.6",
                                    .cudnn = "9",
                                    .nccl = ">=2.27",
                                    .os = "debian-12",
                                    .driver = "535.104.05",
                                    .gpus = {"A100", "sm_90"}});
  CHECK(chosen(resolution) == "2.8.0+cu128 default");
  CHECK(resolution.cuda.to_string() == "12.8");
  CHECK(resolution.cudnn->to_string() == "9.10.2.21");
  CHECK(resolution.nccl->to_string() == "2.27.3");
  CHECK(resolution.triton->to_string() == "3.4.0");
  CHECK(resolution.python == "3.11");
  CHECK(resolution.torchvision->to_string() == "0.23.0");
  CHECK(resolution.torchaudio->to_string() == "2.8.0");
  CHECK(resolution.os.id == "debian-12");
  CHECK(resolution.os.suite == "bookworm");
  CHECK(resolution.os.glibc.to_string() == "2.36");
  CHECK(resolution.released == "2025-08-06");
  CHECK(resolution.status == matrix::Status::stable);
  CHECK(resolution.driver_minimum.to_string() == "525.60.13");
  CHECK(resolution.driver_without_minor_version_compatibility.to_string() == "570.26");
  CHECK(resolution.driver_mode == solver::DriverMode::minor_version);
  Texts sass;
  for (const auto code : resolution.sass) sass.push_back(code.to_string());
  CHECK(sass == Texts{"7.0", "7.5", "8.0", "8.6", "9.0", "10.0", "12.0"});
  CHECK(resolution.ptx.empty());
  REQUIRE(resolution.gpus.size() == 2);
  CHECK(resolution.gpus[0].model == "A100");
  CHECK(resolution.gpus[0].kernels == solver::KernelMode::sass);
  CHECK(resolution.gpus[0].driver_minimum.to_string() == "525.60.13");
  CHECK(resolution.gpus[1].requested == "sm_90");
  CHECK(warnings_of(resolution) == Texts{"driver-end-of-life"});
}

TEST_CASE("the pins of a resolution are the wheel's own, sorted by name") {
  const auto pins = resolved({.pytorch = "2.8", .cuda = "12.8"}).pins;
  REQUIRE(pins.size() == 15);
  CHECK(std::is_sorted(pins.begin(), pins.end()));
  CHECK(pins.front() == std::pair<std::string, version::Version>("nvidia-cublas-cu12",
                                                                 version::Version::parse("12.8.4.1").value()));
  CHECK(pins.back().first == "triton");
}

TEST_CASE("a metapackage is replaced by what it stands for") {
  const auto resolution = resolved({.pytorch = "2.11.0"});
  CHECK(chosen(resolution) == "2.11.0+cu130 default");
  const auto pin = [&](const std::string& name) {
    for (const auto& entry : resolution.pins)
      if (entry.first == name) return entry.second.to_string();
    return std::string("not pinned");
  };
  CHECK(pin("cuda-toolkit") == "13.0.2");
  CHECK(pin("nvidia-cublas") == "13.1.0.3");
  CHECK(pin("nvidia-cuda-nvrtc") == "13.0.88");
  CHECK(pin("nvidia-cudnn-cu13") == "9.19.0.56");
  CHECK(pin("cuda-bindings") == "not pinned");  // a range, so the lock decides
}

TEST_CASE("a requirement that does not hold on the chosen Python is no pin") {
  // triton==2.2.0; python_version < "3.12"
  CHECK(resolved({.pytorch = "2.2.2", .python = "3.11"}).triton);
  auto asked = request({.pytorch = "2.2.2", .python = "3.12", .os = "ubuntu-24.04"});
  CHECK_FALSE(resolved(asked).triton);
}

TEST_CASE("nothing asked for gives the newest PyTorch on the preferred system") {
  const auto resolution = resolved(Wishes{});
  CHECK(chosen(resolution) == "2.15.0+cu132 default");
  CHECK(resolution.os.id == "debian-12");
  CHECK(resolution.python == "3.11");
  CHECK_FALSE(resolution.driver_mode);
  CHECK(resolution.warnings.empty());
}

TEST_CASE("the newest PyTorch that satisfies everything wins over the default index") {
  CHECK(chosen({.gpus = {"V100"}}) == "2.14.1+cu126 pytorch");
  CHECK(warnings_of(resolved({.gpus = {"V100"}})) == Texts{"not-on-default-index"});
  CHECK(chosen({.driver = "525.60.13"}) == "2.14.1+cu126 pytorch");
  CHECK(chosen({.driver = "450.80.02"}) == "2.7.1+cu118 pytorch");
  CHECK(chosen({.driver = "580"}) == "2.15.0+cu132 default");
}

TEST_CASE("restricted to the default index, the newest release there wins") {
  auto asked = request({.gpus = {"V100"}});
  asked.indexes = solver::Indexes::default_only;
  CHECK(chosen(resolved(asked)) == "2.10.0+cu128 default");
}

TEST_CASE("of one release the default index's build comes first, then the newest stable CUDA") {
  CHECK(chosen({.pytorch = "2.14"}) == "2.14.1+cu130 default");
  CHECK(chosen({.pytorch = "2.14", .cuda = "!=13.0"}) == "2.14.1+cu132 pytorch");
  CHECK(chosen({.pytorch = "2.5", .cuda = "<12.4"}) == "2.5.1+cu121 pytorch");
}

TEST_CASE("an experimental build is chosen only when nothing stable serves, and warned about") {
  CHECK(chosen({.pytorch = "2.10", .cuda = "13.0"}) == "2.10.0+cu130 pytorch");
  CHECK(warnings_of(resolved({.pytorch = "2.10", .cuda = "13.0"})) ==
        Texts{"experimental-build", "not-on-default-index"});
  // 12.9 exists as experimental in 2.8 and unadvertised in 2.9 to 2.13.
  CHECK(chosen({.cuda = "12.9"}) == "2.8.0+cu129 pytorch");
  CHECK(chosen({.pytorch = "2.9", .cuda = "12.9"}) == "2.9.1+cu129 pytorch");
  CHECK(warnings_of(resolved({.pytorch = "2.9", .cuda = "12.9"})) ==
        Texts{"unadvertised-build", "not-on-default-index"});
}

TEST_CASE("what the default index has is chosen even where upstream calls it experimental") {
  CHECK(chosen({.pytorch = "2.3"}) == "2.3.1+cu121 default");
  CHECK(warnings_of(resolved({.pytorch = "2.3"})) == Texts{"experimental-build"});
}

TEST_CASE("a build named in full is found by its local version") {
  CHECK(chosen({.pytorch = "2.8.0+cu126"}) == "2.8.0+cu126 pytorch");
  CHECK(chosen({.pytorch = "==2.9.1+cu128"}) == "2.9.1+cu128 default");
}

TEST_CASE("the operating system follows the Python when none is named") {
  CHECK(resolved({.python = "3.13"}).os.id == "debian-13");
  CHECK(resolved({.python = ">=3.10"}).os.id == "debian-12");
  CHECK(resolved({.python = "3.12", .os = "ubuntu-24.04"}).os.suite == "noble");
}

TEST_CASE("every driver mode is told for what it is") {
  const auto mode = [](const char* driver) {
    return resolved({.pytorch = "2.8", .cuda = "12.8", .driver = driver}).driver_mode;
  };
  CHECK(mode("570.26") == solver::DriverMode::direct);
  CHECK(mode("570.25") == solver::DriverMode::minor_version);
  CHECK(mode("525.60.13") == solver::DriverMode::minor_version);
  CHECK(mode("610.43.02") == solver::DriverMode::direct);  // newer drivers run every older CUDA
}

TEST_CASE("a compat package is used only when it is allowed, and only on GPUs and branches that NVIDIA names") {
  auto asked = request({.pytorch = "2.15", .driver = "535.104.05", .gpus = {"A100"}});
  CHECK(std::holds_alternative<solver::Conflict>(solver::solve(asked, real_matrix())));
  asked.forward_compat = solver::ForwardCompat::allowed;
  const auto resolution = resolved(asked);
  CHECK(resolution.driver_mode == solver::DriverMode::forward_compat);
  CHECK(warnings_of(resolution) == Texts{"forward-compat", "driver-end-of-life"});
  const auto refuse = [](Wishes wishes) {
    auto other = request(wishes);
    other.forward_compat = solver::ForwardCompat::allowed;
    CHECK(std::holds_alternative<solver::Conflict>(solver::solve(other, real_matrix())));
  };
  refuse({.pytorch = "2.15", .driver = "535.104.05", .gpus = {"RTX 4090"}});
  refuse({.pytorch = "2.15", .driver = "550.54.14", .gpus = {"A100"}});    // R550 is no base branch (T24)
  refuse({.pytorch = "2.15", .driver = "535.104.05", .gpus = {"sm_80"}});  // of which class is not known
}

TEST_CASE("a GPU newer than its build's code is served by PTX when driver and cuDNN can") {
  // 2.8.0+cu129 has PTX for 12.0, and its cuDNN too; no GPU of 13.0 exists, so this is the rule alone.
  const auto resolution = resolved({.pytorch = "2.8", .driver = "580.65.06", .gpus = {"13.0"}});
  CHECK(chosen(resolution) == "2.8.0+cu129 pytorch");
  CHECK(resolution.gpus[0].kernels == solver::KernelMode::ptx_jit);
  CHECK(resolution.gpus[0].driver_minimum.to_string() == "575.51.03");
  CHECK(warnings_of(resolution) == Texts{"experimental-build", "not-on-default-index", "ptx-jit"});
  const auto conflict = refused({.pytorch = "2.8", .driver = "570.26", .gpus = {"13.0"}});
  CHECK(core_of(conflict).back() ==
        "PyTorch 2.8.0 has only PTX for 13.0, which driver 575.51.03 or newer compiles");
}

TEST_CASE("torchvision and torchaudio narrow the choice when they are asked for") {
  // torchvision 0.20 has no wheel for Python 3.13 although PyTorch 2.5 has one.
  auto asked = request({.pytorch = "2.5", .python = "3.13", .packages = {"torchvision"}});
  const auto conflict = refused(asked);
  CHECK(core_of(conflict) == Texts{"PyTorch 2.5 is required", "Python 3.13 is required",
                                   "torchvision must be installed", "torchvision 0.20.1 goes with PyTorch 2.5.1",
                                   "torchvision 0.20.1 has wheels for Python 3.9 to 3.12"});
  CHECK(chosen(Wishes{.packages = {"torchvision==0.23.0"}}) == "2.8.0+cu128 default");
  CHECK(chosen(Wishes{.packages = {"torchaudio<2.9", "numpy"}}) == "2.8.0+cu128 default");
}

TEST_CASE("an old GPU is served eagerly and warned about torch.compile") {
  const auto resolution = resolved({.gpus = {"GTX 1080 Ti"}});
  CHECK(chosen(resolution) == "2.14.1+cu126 pytorch");
  CHECK(warnings_of(resolution) == Texts{"not-on-default-index", "no-torch-compile"});
}

TEST_CASE("every fact of an answer names a row, its origin, grade and date") {
  const auto resolution = resolved({.pytorch = "2.8", .driver = "535.104.05", .gpus = {"A100"}});
  CHECK(resolution.evidence.size() >= 9);
  for (const auto& evidence : resolution.evidence) {
    INFO(evidence.fact);
    CHECK(evidence.source.starts_with("manifests/"));
    CHECK(evidence.source.find(".toml:") != std::string::npos);
    CHECK_FALSE(evidence.origin.empty());
    CHECK(evidence.date.starts_with("2026-"));
  }
  CHECK(resolution.evidence[2].fact == "CUDA 12 runs on driver 525.60.13 or newer");
  CHECK(resolution.evidence[2].grade == matrix::Grade::documented);
}

TEST_CASE("the answer for aarch64 is of that architecture") {
  auto asked = request({});
  asked.architecture = matrix::Architecture::aarch64;
  CHECK(chosen(resolved(asked)) == "2.15.0+cu132 default");
  // Up to 2.10 the default index has no CUDA for aarch64 (T11).
  asked = request({.pytorch = "2.10"});
  asked.architecture = matrix::Architecture::aarch64;
  CHECK(chosen(resolved(asked)) == "2.10.0+cu128 pytorch");
  asked.indexes = solver::Indexes::default_only;
  const auto conflict = refused(asked);
  CHECK(conflict.summary == "PyTorch 2.10 cannot be had");
  CHECK(chosen(conflict.fixes.front().resolution) == "2.11.0+cu130 default");
}

TEST_CASE(
    "newest takes the newest CUDA of the newest PyTorch, experimental or not, and an unadvertised one never") {
  auto asked = request({.pytorch = "2.10"});
  CHECK(chosen(resolved(asked)) == "2.10.0+cu128 default");
  asked.prefer = spec::Prefer::newest;
  CHECK(chosen(resolved(asked)) == "2.10.0+cu130 pytorch");
  CHECK(warnings_of(resolved(asked)) == Texts{"experimental-build", "not-on-default-index"});
  asked = request({.cuda = "12"});
  asked.prefer = spec::Prefer::newest;
  CHECK(chosen(resolved(asked)) == "2.14.1+cu126 pytorch");
}

TEST_CASE("smallest takes the least to download, and what is not known is never smaller") {
  auto asked = request({.pytorch = ">=2.8"});
  asked.prefer = spec::Prefer::smallest;
  const auto resolution = resolved(asked);
  CHECK(chosen(resolution) == "2.11.0+cu130 default");
  CHECK(resolution.download_bytes == 2700458552U);
  asked = request({.pytorch = "2.14.1"});
  asked.prefer = spec::Prefer::smallest;
  CHECK(chosen(resolved(asked)) == "2.14.1+cu130 default");
}

TEST_CASE("the other architecture has its own builds") {
  auto asked = request({.pytorch = "2.10"});
  asked.architecture = matrix::Architecture::aarch64;
  CHECK(chosen(resolved(asked)) == "2.10.0+cu128 pytorch");
  asked = request({.pytorch = "2.8"});
  asked.architecture = matrix::Architecture::aarch64;
  CHECK(chosen(resolved(asked)) == "2.8.0+cu129 pytorch");
  CHECK(resolved(asked).architecture == matrix::Architecture::aarch64);
}
