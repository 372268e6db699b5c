#include "unit/solver/real.hpp"

using namespace torchkiln;
using Texts = std::vector<std::string>;

namespace {

/// "text => command => build" of every fix.
Texts fixes_of(const solver::Conflict& conflict) {
  Texts texts;
  for (const auto& fix : conflict.fixes)
    texts.push_back(fix.text + " => " + fix.command + " => " + chosen(fix.resolution));
  return texts;
}

}  // namespace

TEST_CASE("a GPU that the release has no code for") {
  const auto conflict = refused({.pytorch = "2.15", .gpus = {"V100"}});
  CHECK(conflict.summary == "PyTorch 2.15 and GPU V100 do not go together");
  CHECK(core_of(conflict) ==
        Texts{"PyTorch 2.15 is required", "V100 (compute capability 7.0) must be served",
              "PyTorch 2.15.0 has code for 7.5, 8.0, 8.6, 9.0, 10.0 and 12.0: none for 7.0 (not known of "
              "2.15.0+cu130)"});
  CHECK(conflict.core[0].source == "--pytorch");
  CHECK(conflict.core[0].kind == solver::Statement::Kind::wish);
  CHECK(conflict.core[2].source.starts_with("manifests/pytorch-2.15.toml:"));
  CHECK(conflict.core[2].kind == solver::Statement::Kind::fact);
  CHECK(
      fixes_of(conflict) ==
      Texts{
          "PyTorch 2.14.1 instead of 2.15 => torchkiln resolve --pytorch 2.14.1 --gpu V100 => 2.14.1+cu126 pytorch",
          "a GPU of compute capability 7.5 instead of V100 => torchkiln resolve --pytorch 2.15 --gpu sm_75 => "
          "2.15.0+cu132 default"});
}

TEST_CASE("a driver below the floor names the lowest one that works") {
  const auto conflict = refused({.pytorch = "2.8", .driver = "470.82.01"});
  CHECK(conflict.summary == "PyTorch 2.8 and driver 470.82.01 do not go together");
  CHECK(core_of(conflict) == Texts{"PyTorch 2.8 is required", "driver 470.82.01 must be enough",
                                   "PyTorch 2.8.0 is built for CUDA 12.6, 12.8 and 12.9",
                                   "CUDA 12 needs driver 525.60.13 or newer"});
  CHECK(conflict.core[3].source.starts_with("manifests/cuda.toml:"));
  CHECK(fixes_of(conflict) ==
        Texts{"PyTorch 2.7.1 instead of 2.8 => torchkiln resolve --pytorch 2.7.1 --driver "
              "470.82.01 => 2.7.1+cu118 pytorch",
              "driver 525.60.13 or newer instead of 470.82.01 => torchkiln resolve --pytorch 2.8 "
              "--driver 525.60.13 => 2.8.0+cu128 default"});
}

TEST_CASE("a CUDA that the release is not built for") {
  const auto conflict = refused({.pytorch = "2.6", .cuda = "12.8"});
  CHECK(core_of(conflict) == Texts{"PyTorch 2.6 is required", "CUDA 12.8 is required",
                                   "PyTorch 2.6.0 is built for CUDA 11.8, 12.4 and 12.6"});
  CHECK(
      fixes_of(conflict) ==
      Texts{"PyTorch 2.8.0 instead of 2.6 => torchkiln resolve --pytorch 2.8.0 --cuda 12.8 => 2.8.0+cu128 default",
            "CUDA 12.4 instead of 12.8 => torchkiln resolve --pytorch 2.6 --cuda 12.4 => 2.6.0+cu124 default"});
}

TEST_CASE("a Python that the release has no wheels for") {
  const auto conflict = refused({.pytorch = "2.8", .python = "3.8"});
  CHECK(core_of(conflict) == Texts{"PyTorch 2.8 is required", "Python 3.8 is required",
                                   "PyTorch 2.8.0 has wheels for Python 3.9 to 3.13"});
  CHECK(fixes_of(conflict) ==
        Texts{"Python 3.11 instead of 3.8 => torchkiln resolve --pytorch 2.8 --python 3.11 => "
              "2.8.0+cu128 default"});
}

TEST_CASE("a Python that no operating system brings") {
  const auto conflict = refused({.python = "3.10"});
  CHECK(core_of(conflict) == Texts{"Python 3.10 is required",
                                   "unless another is named, the image is made of debian-12 and debian-13",
                                   "debian-12 has Python 3.11 and debian-13 has Python 3.13"});
  CHECK(fixes_of(conflict) ==
        Texts{"Python 3.11 instead of 3.10 => torchkiln resolve --python 3.11 => 2.15.0+cu132 default"});
}

TEST_CASE("a Python that the named operating system does not bring") {
  const auto conflict = refused({.python = "3.13", .os = "debian-12"});
  CHECK(core_of(conflict) ==
        Texts{"Python 3.13 is required", "debian-12 is required", "debian-12 has Python 3.11"});
  CHECK(fixes_of(conflict).at(0) ==
        "debian-13 instead of debian-12 => torchkiln resolve --python 3.13 --os debian-13 => 2.15.0+cu132 default");
}

TEST_CASE("a GPU that the driver branch no longer drives") {
  const auto conflict = refused({.driver = "595.58.03", .gpus = {"V100"}});
  CHECK(core_of(conflict) ==
        Texts{"V100 (compute capability 7.0) must be served", "driver 595.58.03 must be enough",
              "driver branch R595 drives no GPU below compute capability 7.5; R580 was the last "
              "for 7.0"});
  CHECK(fixes_of(conflict).at(0) ==
        "driver 580.95.05 or older instead of 595.58.03 => torchkiln resolve --driver "
        "580.95.05 --gpu V100 => 2.14.1+cu126 pytorch");
}

TEST_CASE("a GPU newer than the driver, by its generation and by its board") {
  auto conflict = refused({.driver = "535.104.05", .gpus = {"RTX 5090"}});
  CHECK(core_of(conflict).back() == "GeForce RTX 5090 (compute capability 12.0) needs driver 570.26 or newer");
  CHECK(conflict.fixes.at(0).overrides.driver == "570.26");
  conflict = refused({.driver = "570.26", .gpus = {"B200"}});
  CHECK(core_of(conflict).back() == "B200 (compute capability 10.0) needs driver 570.133.20 or newer");
  CHECK(conflict.core.back().source.starts_with("manifests/gpus.toml:"));
}

TEST_CASE("a library version that the build does not bring") {
  const auto conflict = refused({.pytorch = "2.8", .cuda = "12.8", .cudnn = "8.9"});
  CHECK(core_of(conflict) ==
        Texts{"PyTorch 2.8 is required", "cuDNN 8.9 is required", "PyTorch 2.8.0 comes with cuDNN 9.10.2.21"});
  const auto nccl = refused({.pytorch = "2.8.0+cu128", .nccl = ">=2.28"});
  CHECK(core_of(nccl).back() == "PyTorch 2.8.0 comes with NCCL 2.27.3");
}

TEST_CASE("cuDNN can be what leaves a GPU out") {
  const auto conflict = refused({.pytorch = "2.7.1+cu118", .gpus = {"K80"}});
  CHECK(core_of(conflict).back() ==
        "cuDNN 9.1.0.70 of 2.7.1+cu118 has code for 5.0, 6.0, 6.1, 7.0, 7.5, 8.0, 8.6, 8.9 and 9.0: none for 3.7");
  CHECK(conflict.core.back().source.starts_with("manifests/cudnn.toml:"));
}

TEST_CASE("a version that does not exist says which do") {
  CHECK(core_of(refused({.pytorch = "9.9"})) ==
        Texts{"PyTorch 9.9 is required; the manifests know PyTorch 1.13.0 to 2.15.0 for x86_64"});
  CHECK(core_of(refused({.pytorch = "2.8.0+cu121"})) ==
        Texts{"PyTorch 2.8.0+cu121 is required; PyTorch 2.8.0 comes as cu128, cu126 and cu129"});
  CHECK(
      core_of(refused({.cuda = "12.7"})) ==
      Texts{"CUDA 12.7 is required; PyTorch is built for 11.6, 11.7, 11.8, 12.1, 12.4, 12.6, 12.8, 12.9, 13.0 and "
            "13.2"});
  CHECK(core_of(refused({.python = "3.99"})) == Texts{"Python 3.99 is required; the manifests know 3.7 to 3.15"});
}

TEST_CASE("a GPU that nothing serves leads to the nearest one that is served") {
  const auto conflict = refused({.gpus = {"sm_30"}});
  CHECK(conflict.summary == "a GPU of compute capability 3.0 cannot be had");
  CHECK(conflict.fixes.at(0).text == "a GPU of compute capability 3.7 instead of sm_30");
}

TEST_CASE("of several GPUs the one that cannot be served can be left out") {
  const auto conflict = refused({.pytorch = "2.15", .gpus = {"A100", "V100"}});
  CHECK(core_of(conflict).at(1) == "V100 (compute capability 7.0) must be served");
  CHECK(conflict.fixes.back().text == "without GPU V100");
  CHECK(conflict.fixes.back().command == "torchkiln resolve --pytorch 2.15 --gpu A100");
}

TEST_CASE("several GPUs that nothing serves do not leave an empty list") {
  const auto conflict = refused({.gpus = {"sm_30", "sm_21"}});
  CHECK(conflict.fixes.at(0).text == "a GPU of compute capability 3.7 instead of sm_30, without GPU sm_21");
  CHECK(conflict.fixes.at(0).command == "torchkiln resolve --gpu sm_37");
}

TEST_CASE("two changes are offered where one is not enough") {
  const auto conflict = refused({.pytorch = "2.15", .python = "3.8", .os = "debian-12"});
  for (const auto& fix : conflict.fixes) CHECK(fix.overrides.python.has_value());
  const auto other = refused({.pytorch = "2.15", .driver = "595.58.03", .gpus = {"V100"}});
  CHECK(other.fixes.at(0).text == "PyTorch 2.14.1 instead of 2.15, driver 580.95.05 or older instead of 595.58.03");
}

TEST_CASE("a package that cannot be had is a change to the spec, not to the command") {
  auto asked = request({.packages = {"torchaudio==9.9"}});
  asked.spec_file = "kiln.toml";
  const auto conflict = refused(asked);
  CHECK(core_of(conflict) == Texts{"torchaudio==9.9 must be installed; there is no such release"});
  CHECK(conflict.core[0].source == "kiln.toml:9:11");
  CHECK(fixes_of(conflict) == Texts{"\"torchaudio==9.9\" taken out of [packages] => torchkiln resolve kiln.toml => "
                                    "2.15.0+cu132 default"});
}

TEST_CASE("a command repeats options and host facts, but not what the spec says") {
  auto parsed = spec::parse(
      "schema = \"torchkiln.spec/1\"\n[require]\npytorch = \"2.15\"\ncuda = \">=12.6\"\ngpus = [\"A100\"]\n",
      "my spec.toml");
  REQUIRE(parsed);
  spec::Overrides overrides;
  overrides.driver = "535.104.05";
  overrides.driver_source = "/proc/driver/nvidia/version";
  auto asked = solver::request_of(spec::with_overrides(*parsed, overrides).value(), real_matrix());
  REQUIRE(asked);
  const auto conflict = refused(*asked);
  CHECK(conflict.core[0].source == "my spec.toml:3:11");
  CHECK(conflict.core[1].source == "/proc/driver/nvidia/version");
  CHECK(conflict.fixes.at(0).command == "torchkiln resolve 'my spec.toml' --pytorch 2.14.1 --driver 535.104.05");
}

TEST_CASE("a GPU or operating system that the matrix does not know is an error with a guess") {
  spec::Overrides overrides;
  overrides.gpus = {"RTX 4900"};
  auto asked = solver::request_of(spec::with_overrides({}, overrides).value(), real_matrix());
  REQUIRE_FALSE(asked);
  CHECK(asked.error().code == base::ErrorCode::usage);
  CHECK(asked.error().where->to_string() == "--gpu");
  CHECK(asked.error().message == "the manifests know no GPU \"RTX 4900\"");
  CHECK(asked.error().hints.at(0).starts_with("did you mean \"GeForce RTX 4"));
  overrides = {};
  overrides.os = "debian-21";
  asked = solver::request_of(spec::with_overrides({}, overrides).value(), real_matrix());
  REQUIRE_FALSE(asked);
  CHECK(asked.error().message == "the manifests know no operating system \"debian-21\"");
}

TEST_CASE("where only the default index may be used, that is a reason too") {
  auto asked = request({.pytorch = "2.8", .cuda = "12.6"});
  CHECK(chosen(resolved(asked)) == "2.8.0+cu126 pytorch");
  asked.indexes = solver::Indexes::default_only;
  CHECK(core_of(refused(asked)) ==
        Texts{"PyTorch 2.8 is required", "CUDA 12.6 is required",
              "2.8.0+cu126 is not on the default index, the only one to take packages from here",
              "PyTorch 2.8.0 of the default index is built for CUDA 12.8"});
  asked = request({.pytorch = ">=2.11", .gpus = {"V100"}});
  asked.indexes = solver::Indexes::default_only;
  CHECK(core_of(refused(asked)).at(2) ==
        "6 builds that would do are not on the default index, the only one to take packages from here");
  CHECK(refused(asked).fixes.at(0).resolution.pytorch.to_string() == "2.10.0");
}

TEST_CASE("a compat package is offered as a fix where it is all that is missing, and only there") {
  const auto conflict = refused({.pytorch = "2.15", .driver = "535.104.05", .gpus = {"A100"}});
  CHECK(fixes_of(conflict).at(2) ==
        "cuda-compat-13-2 put into the image => torchkiln resolve --pytorch 2.15 --driver "
        "535.104.05 --forward-compat --gpu A100 => 2.15.0+cu132 default");
  for (const auto& fix : refused({.pytorch = "2.15", .driver = "535.104.05", .gpus = {"RTX 4090"}}).fixes)
    CHECK_FALSE(fix.overrides.forward_compat);
}

TEST_CASE("a fact of a conflict carries its row's grade, date and source") {
  const auto conflict = refused({.pytorch = "2.8", .driver = "470.82.01"});
  CHECK_FALSE(conflict.core[0].grade);
  CHECK(conflict.core[3].grade == matrix::Grade::documented);
  CHECK(conflict.core[3].date == "2026-11-21");
  CHECK(conflict.core[3].origin == "NVIDIA CUDA compatibility guide: minor-version compatibility");
}

TEST_CASE("what comes nearest on the default index is named in full, as a command that locks") {
  const auto nearest = [](const Wishes& wishes) {
    const auto fix = solver::nearest_on_default_index(request(wishes), real_matrix());
    REQUIRE(fix);
    return fix->command;
  };
  CHECK(nearest({.gpus = {"V100"}}) == "torchkiln lock --pytorch 2.10.0+cu128 --gpu V100");
  CHECK(nearest({.pytorch = "2.8", .cuda = "12.6"}) == "torchkiln lock --pytorch 2.7.1+cu126 --cuda 12.6");
}
