// NVIDIA_REQUIRE_* of images beside what their wheels need (T17, T18, T24).

#include "unit/audit/audit_fixture.hpp"

using namespace torchkiln;
using Texts = std::vector<std::string>;

namespace {
bool says(const audit::Judgement& judgement, const std::string& part) {
  for (const auto& reason : judgement.reasons)
    if (reason.text.find(part) != std::string::npos) return true;
  return false;
}
}  // namespace

TEST_CASE("a requirement alone is judged with the brands that GPUs of its kind report") {
  const auto of_12_8 = requirement(requirement_of_cuda_12_8());
  CHECK(verdict("driver=550.127.05,gpu=V100,runtime=legacy", of_12_8) == "minor-version");
  CHECK(verdict("driver=550.54.15,gpu=T4,runtime=legacy", of_12_8) == "minor-version");
  CHECK(verdict("driver=550.144.03,gpu=RTX 3090,runtime=legacy", of_12_8) == "requirement-refused");
  CHECK(verdict("driver=570.26,gpu=RTX 3090,runtime=legacy", of_12_8) == "direct");
  CHECK(verdict("driver=555.42.06,gpu=V100,runtime=legacy", of_12_8) == "requirement-refused");
  CHECK(verdict("driver=550.54.15,gpu=RTX A2000,runtime=legacy", of_12_8) == "minor-version");
  CHECK(verdict("driver=550.54.15,gpu=sm_86,runtime=legacy", of_12_8) == "unknown");
}

TEST_CASE("a brand that the host names counts more than what its kind reports") {
  auto host = machine("driver=550.54.15,gpu=T4,runtime=legacy");
  const auto only_tesla = requirement("cuda>=12.8 brand=tesla,driver>=550,driver<551");
  CHECK(name(judge(host, only_tesla).verdict) == "unknown");
  host.gpus[0].brand = "NVIDIA";
  CHECK(name(judge(host, only_tesla).verdict) == "requirement-refused");
  host.gpus[0].brand = "Tesla";
  CHECK(name(judge(host, only_tesla).verdict) == "minor-version");
}

TEST_CASE("one GPU that is refused refuses the host") {
  CHECK(verdict("driver=550.54.15,gpu=T4+RTX 3090,runtime=legacy", requirement(requirement_of_cuda_12_8())) ==
        "requirement-refused");
}

TEST_CASE("T17: CDI mode does not check a requirement, legacy mode does, and an unnamed mode counts as if it did") {
  const auto image = requiring(release("2.8.0+cu128"), "cuda>=12.8");
  CHECK(verdict("driver=550.54.15,gpu=A100,runtime=legacy", image) == "requirement-refused");
  CHECK(verdict("driver=550.54.15,gpu=A100", image) == "requirement-refused");
  const auto cdi = judge("driver=550.54.15,gpu=A100,runtime=cdi", image);
  CHECK(name(cdi.verdict) == "minor-version");
  CHECK(says(cdi,
             "NVIDIA_REQUIRE_CUDA does not hold for this host, but the runtime is in CDI mode and does not check "
             "it"));
  CHECK(says(judge("driver=550.54.15,gpu=A100", image), "the host does not say which it has"));
}

TEST_CASE("T18: a GeForce is refused by the requirement although the wheels run there, and both are told") {
  const auto image = requiring(release("2.8.0+cu128"), requirement_of_cuda_12_8());
  const auto judgement = judge("driver=550.144.03,gpu=RTX 3090,runtime=legacy", image);
  CHECK(name(judgement.verdict) == "requirement-refused");
  CHECK(says(judgement, "the wheels themselves would run, in mode minor-version"));
  CHECK(judgement.reasons[0].source == "--pytorch, --host, manifests/cuda.toml:8");
  CHECK(fixes(judgement).front() == "driver 570.26 or newer");
  CHECK(has_fix(judgement, "start it with NVIDIA_DISABLE_REQUIRE=1, or through CDI: nothing else is in the way"));
}

TEST_CASE("T24: the requirement accepts a branch that NVIDIA's forward-compatibility table does not") {
  const auto image = requiring(release("2.11.0+cu130"), requirement_of_cuda_13_0());
  const auto judgement = judge("driver=550.54.15,gpu=A100,runtime=legacy", image);
  CHECK(name(judgement.verdict) == "driver-too-old");
  CHECK(says(judgement, "NVIDIA_REQUIRE_CUDA accepts this host all the same"));
  // Alone, on a branch of the table: the image brings its own cuda-compat package.
  const auto alone = requirement(requirement_of_cuda_13_0());
  CHECK(verdict("driver=535.104.05,gpu=A100,runtime=legacy", alone) == "forward-compat");
  CHECK(verdict("driver=550.54.15,gpu=A100,runtime=legacy", alone) == "driver-too-old");
}

TEST_CASE("a malformed requirement is a finding of its own") {
  const auto image = requiring(release("2.8.0+cu128"), "cuda=>12.8");
  const auto judgement = judge("driver=570.26,gpu=A100,runtime=legacy", image);
  CHECK(name(judgement.verdict) == "requirement-refused");
  CHECK(says(judgement, "NVIDIA_REQUIRE_CUDA is malformed, \"cuda=>12.8\": there is no comparison =>"));
  CHECK(verdict("driver=570.26,gpu=A100,runtime=cdi", image) == "direct");
  CHECK(
      says(judge("driver=570.26,gpu=A100", requiring(release("2.8.0+cu128"), "cuda>=12.0 oops")),
           "NVIDIA_REQUIRE_CUDA is malformed (\"oops\": there is no comparison in it), after what holds already"));
}

TEST_CASE("every NVIDIA_REQUIRE_ variable must hold, and NVIDIA_DISABLE_REQUIRE switches all off") {
  auto image = requiring(release("2.8.0+cu128"), "cuda>=12.0");
  image.requirements.emplace_back("NVIDIA_REQUIRE_DRIVER", "driver>=580");
  image.requirements.emplace_back("NVIDIA_REQUIRE_JETPACK", "csv-mounts=all");
  CHECK(verdict("driver=570.26,gpu=A100", image) == "requirement-refused");
  CHECK(verdict("driver=580.65.06,gpu=A100", image) == "direct");
  image.requirements.emplace_back("NVIDIA_DISABLE_REQUIRE", "true");
  CHECK(verdict("driver=570.26,gpu=A100", image) == "direct");
  image.requirements.back().second = "no";
  CHECK(verdict("driver=570.26,gpu=A100", image) == "requirement-refused");
}

TEST_CASE("CUDA_VERSION is a requirement where there is no NVIDIA_REQUIRE_CUDA") {
  audit::Image image;
  image.requirements.emplace_back("CUDA_VERSION", "12.8.1");
  CHECK(verdict("driver=550.54.15,gpu=A100", image) == "requirement-refused");
  CHECK(verdict("driver=570.26,gpu=A100", image) == "direct");
  CHECK(verdict("driver=550.54.15,gpu=A100", requiring(image, "cuda>=12.0")) == "direct");
}

TEST_CASE("an image of which nothing is known is unknown") {
  CHECK(verdict("driver=570.26,gpu=A100", audit::Image{}) == "unknown");
}
