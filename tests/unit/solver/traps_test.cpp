// The traps where official sources contradict each other or the wheels, as questions to the solver. The numbers are
// those of the project's collection of facts.

#include "knowledge/matrix/query.hpp"
#include "unit/solver/real.hpp"

using namespace torchkiln;
using Texts = std::vector<std::string>;

namespace {

/// The builds of a release, "cu128 cu126 …", those of the default index first.
std::string variants(std::string_view pytorch, matrix::Architecture architecture = matrix::Architecture::x86_64) {
  std::string text;
  for (const auto& build : real_matrix().builds)
    if (build.pytorch.to_string() == pytorch && build.architecture == architecture)
      text += (text.empty() ? "" : " ") + build.variant;
  return text;
}

const matrix::Build& build(std::string_view full_version,
                           matrix::Architecture architecture = matrix::Architecture::x86_64) {
  for (const auto& row : real_matrix().builds)
    if (row.full_version().to_string() == full_version && row.architecture == architecture) return row;
  FAIL("no build " << full_version);
  return real_matrix().builds.front();
}

}  // namespace

TEST_CASE("T1: a V100 runs on cu128 of 2.8 to 2.10, whatever the release notes say") {
  for (const char* pytorch : {"2.8.0+cu128", "2.9.0+cu128", "2.9.1+cu128", "2.10.0+cu128"}) {
    INFO(pytorch);
    CHECK(goes({.pytorch = pytorch, .gpus = {"V100"}}));
  }
}

TEST_CASE("T2: a V100 does not run on cu128 of 2.7, but on its cu126") {
  CHECK_FALSE(goes({.pytorch = "2.7.1+cu128", .gpus = {"V100"}}));
  CHECK_FALSE(goes({.pytorch = "2.7.0+cu128", .gpus = {"V100"}}));
  CHECK(chosen({.pytorch = "2.7", .gpus = {"V100"}}) == "2.7.1+cu126 default");
}

TEST_CASE("T3: from 2.11 on a V100 needs cu126") {
  CHECK_FALSE(goes({.pytorch = "2.11.0+cu128", .gpus = {"V100"}}));
  for (const char* pytorch : {"2.11", "2.12", "2.13", "2.14"}) {
    INFO(pytorch);
    CHECK(resolved({.pytorch = pytorch, .gpus = {"V100"}}).build == "cu126");
  }
}

TEST_CASE("T4: 2.15 has no CUDA 12 build: nothing for Volta and nothing for drivers below 580") {
  CHECK(variants("2.15.0") == "cu132 cu130");
  for (const char* gpu : {"V100", "P100", "GTX 1080 Ti", "M60"})
    CHECK_FALSE(goes({.pytorch = "2.15", .gpus = {gpu}}));
  CHECK_FALSE(goes({.pytorch = "2.15", .driver = "575.57.08"}));
  CHECK(goes({.pytorch = "2.15", .driver = "580.65.06"}));
}

TEST_CASE("T5: the build that 2.15's own warning recommends does not exist") {
  CHECK_FALSE(goes({.pytorch = "2.15.0+cu126"}));
}

TEST_CASE("T6: no wheel of the default index carries PTX from 2.11 on") {
  for (const auto& row : real_matrix().builds)
    if (row.index == "default" && row.pytorch >= version::Version::of({2, 11})) CHECK(row.ptx.empty());
}

TEST_CASE("T7: 2.11's cuDNN is what the wheel pins, not what the table says") {
  CHECK(resolved({.pytorch = "2.11.0+cu130"}).cudnn->to_string() == "9.19.0.56");
  CHECK(build("2.11.0+cu130").from.grade == matrix::Grade::measured);
}

TEST_CASE("T8, T9: the floor of glibc is 2.17 up to 2.6 and 2.28 from 2.7, whatever tag or text says") {
  CHECK(build("2.6.0+cu124").glibc.to_string() == "2.17");
  CHECK(build("1.13.1+cu117").glibc.to_string() == "2.17");
  CHECK(build("2.7.0+cu126").glibc.to_string() == "2.28");
  CHECK(build("2.15.0+cu132").glibc.to_string() == "2.28");
}

TEST_CASE("T10: the wheels' tags say which Pythons there are, not Requires-Python") {
  CHECK_FALSE(build("2.5.1+cu124").has_python("3.8"));
  CHECK_FALSE(build("2.14.1+cu130").has_python("3.15"));
  CHECK_FALSE(build("2.15.0+cu132").has_python("3.10"));
  CHECK(build("2.15.0+cu132").has_python("3.15"));
  CHECK(build("2.12.0+cu130").has_python("3.13t"));
  CHECK_FALSE(build("2.12.1+cu130").has_python("3.13t"));
}

TEST_CASE("T11: the default index's aarch64 wheels have no CUDA up to 2.10") {
  for (const char* pytorch : {"2.4.1", "2.5.1", "2.6.0", "2.7.1", "2.8.0", "2.9.1", "2.10.0"}) {
    INFO(pytorch);
    CHECK_FALSE(build(std::string(pytorch) + "+cpu", matrix::Architecture::aarch64).cuda);
  }
  CHECK(build("2.11.0+cu130", matrix::Architecture::aarch64).index == "default");
  CHECK(build("2.15.0+cu132", matrix::Architecture::aarch64).index == "default");
}

TEST_CASE("T12: the CUDA of the default index, release by release") {
  const std::pair<const char*, const char*> defaults[] = {
      {"1.13.0", "cu117"}, {"1.13.1", "cu117"}, {"2.0.0", "cu117"},  {"2.0.1", "cu117"},  {"2.1.0", "cu121"},
      {"2.1.1", "cu121"},  {"2.1.2", "cu121"},  {"2.2.0", "cu121"},  {"2.2.1", "cu121"},  {"2.2.2", "cu121"},
      {"2.3.0", "cu121"},  {"2.3.1", "cu121"},  {"2.4.0", "cu121"},  {"2.4.1", "cu121"},  {"2.5.0", "cu124"},
      {"2.5.1", "cu124"},  {"2.6.0", "cu124"},  {"2.7.0", "cu126"},  {"2.7.1", "cu126"},  {"2.8.0", "cu128"},
      {"2.9.0", "cu128"},  {"2.9.1", "cu128"},  {"2.10.0", "cu128"}, {"2.11.0", "cu130"}, {"2.12.0", "cu130"},
      {"2.12.1", "cu130"}, {"2.13.0", "cu130"}, {"2.14.0", "cu130"}, {"2.14.1", "cu130"}, {"2.15.0", "cu132"}};
  CHECK(std::size(defaults) == real_matrix().releases.size());
  for (const auto& [pytorch, variant] : defaults) {
    INFO(pytorch);
    auto asked = request({.pytorch = pytorch});
    asked.indexes = solver::Indexes::default_only;
    // Python 3.7 to 3.11 of the older releases: any system that is known may be named.
    CHECK(resolved(asked).build == variant);
    CHECK(build(std::string(pytorch) + "+" + variant).from.grade == matrix::Grade::measured);
  }
}

TEST_CASE("T13: cu129 of 2.9 to 2.13 is known, and never chosen unless it is the only one") {
  for (const char* pytorch : {"2.9.1", "2.10.0", "2.11.0", "2.12.1", "2.13.0"})
    CHECK(build(std::string(pytorch) + "+cu129").status == matrix::Status::unadvertised);
  CHECK(build("2.8.0+cu129").status == matrix::Status::experimental);
  CHECK(chosen({.cuda = ">=12.9,<13"}) == "2.8.0+cu129 pytorch");
}

TEST_CASE("T15: torchaudio ends at 2.11.0 and torchvision's pairs are exact") {
  const std::pair<const char*, std::pair<const char*, const char*>> pairs[] = {
      {"2.15.0", {"0.29.2", "2.11.0"}}, {"2.14.1", {"0.29.1", "2.11.0"}}, {"2.14.0", {"0.29.0", "2.11.0"}},
      {"2.13.0", {"0.28.0", "2.11.0"}}, {"2.12.1", {"0.27.1", "2.11.0"}}, {"2.11.0", {"0.26.0", "2.11.0"}},
      {"2.10.0", {"0.25.0", "2.10.0"}}, {"2.9.1", {"0.24.1", "2.9.1"}},   {"2.8.0", {"0.23.0", "2.8.0"}},
      {"2.7.1", {"0.22.1", "2.7.1"}},   {"2.6.0", {"0.21.0", "2.6.0"}},   {"2.5.1", {"0.20.1", "2.5.1"}},
      {"2.4.1", {"0.19.1", "2.4.1"}},   {"2.3.1", {"0.18.1", "2.3.1"}},   {"2.2.2", {"0.17.2", "2.2.2"}},
      {"2.1.2", {"0.16.2", "2.1.2"}},   {"2.0.1", {"0.15.2", "2.0.2"}},   {"2.0.0", {"0.15.1", "2.0.1"}}};
  for (const auto& [pytorch, companions] : pairs) {
    INFO(pytorch);
    const auto resolution = resolved({.pytorch = pytorch});
    CHECK(resolution.torchvision->to_string() == companions.first);
    CHECK(resolution.torchaudio->to_string() == companions.second);
  }
  // 1.13's torchvision and torchaudio have no wheels for Python 3.11, which debian-12 brings.
  CHECK_FALSE(resolved({.pytorch = "1.13.1"}).torchvision);
}

TEST_CASE("T26: a driver need not be the toolkit's own, only of the family") {
  CHECK(goes({.pytorch = "2.6.0+cu124", .driver = "545.23.06"}));
  CHECK(goes({.pytorch = "2.7.1+cu126", .driver = "545.23.06"}));
  CHECK(goes({.pytorch = "2.8.0+cu128", .driver = "550.127.05", .gpus = {"A10"}}));
  CHECK(goes({.pytorch = "2.8.0+cu129", .driver = "535.54.03", .gpus = {"A100"}}));
  CHECK_FALSE(goes({.pytorch = "2.9.1+cu130", .driver = "570.26"}));
  CHECK(goes({.pytorch = "2.7.1+cu118", .driver = "450.80.02"}));
  CHECK_FALSE(goes({.pytorch = "2.7.1+cu118", .driver = "450.51.06"}));
}

TEST_CASE("T14: torchvision's cu129 wheels leave Blackwell out, although PyTorch's do not") {
  CHECK(goes({.pytorch = "2.9.1+cu129", .gpus = {"RTX 5090"}}));
  CHECK(goes({.pytorch = "2.9.1+cu129", .gpus = {"A100"}, .packages = {"torchvision"}}));
  const auto conflict = refused({.pytorch = "2.9.1+cu129", .gpus = {"RTX 5090"}, .packages = {"torchvision"}});
  CHECK(core_of(conflict) == Texts{"PyTorch 2.9.1+cu129 is required",
                                   "GeForce RTX 5090 (compute capability 12.0) must be served",
                                   "torchvision must be installed",
                                   "torchvision's cu129 wheels of this time have code for 5.0 to 9.0 and no PTX"});
  CHECK(conflict.core.back().source.starts_with("manifests/broken.toml:"));
}

TEST_CASE(
    "T16: torchvision refuses another CUDA major version only, so 0.29.2 goes with cu130 and not with cu126") {
  const auto with = resolved({.pytorch = "2.14.1", .packages = {"torchvision==0.29.2"}});
  CHECK(chosen(with) == "2.14.1+cu130 default");
  CHECK(with.torchvision->to_string() == "0.29.2");
  CHECK(resolved({.pytorch = "2.14.1", .packages = {"torchvision"}}).torchvision->to_string() == "0.29.1");
  const auto conflict = refused({.pytorch = "2.14.1", .cuda = "12.6", .packages = {"torchvision==0.29.2"}});
  CHECK(core_of(conflict).back().starts_with("torchvision 0.29.2 exists for CUDA 13.2 only"));
  // And there is no torchaudio for CUDA 13.2 to take from PyTorch's own index (T15).
  CHECK_FALSE(goes({.pytorch = "2.14.1", .cuda = "13.2", .packages = {"torchaudio"}}));
  CHECK_FALSE(resolved({.pytorch = "2.14.1", .cuda = "13.2"}).torchaudio);
  CHECK(goes({.pytorch = "2.15", .packages = {"torchaudio"}}));
}

TEST_CASE("T19: minor-version compatibility does not cover PTX") {
  // 12.1 runs the machine code of 12.0; a GPU of 13.0 would have PTX alone.
  CHECK(goes({.pytorch = "2.8.0+cu129", .driver = "575.51.03", .gpus = {"13.0"}}));
  CHECK_FALSE(goes({.pytorch = "2.8.0+cu129", .driver = "570.26", .gpus = {"13.0"}}));
}

TEST_CASE("T20: architecture-specific code is no GPU's, and plain 10.0 code runs on 10.3") {
  CHECK_FALSE(version::ComputeCapability::parse("sm_100a"));
  CHECK(resolved({.pytorch = "2.9.1+cu130", .gpus = {"B300"}}).gpus.at(0).kernels == solver::KernelMode::sass);
}

TEST_CASE("T21: CUDA 13 needs R580, whatever container notes say") {
  CHECK_FALSE(goes({.pytorch = "2.11.0+cu130", .driver = "570.172.08"}));
  CHECK(goes({.pytorch = "2.11.0+cu130", .driver = "580.65.06"}));
}

TEST_CASE("T22: of two dates for R580's end of life the newer page's is the row and the other is in the note") {
  const auto* branch = matrix::find_branch(real_matrix(), 580);
  REQUIRE(branch);
  CHECK(branch->end_of_life == "2028-06");
  CHECK(branch->from.note.find("2028-08") != std::string::npos);
}

TEST_CASE("T23: a Volta or Pascal machine with R580 does not get CUDA 13") {
  for (const char* gpu : {"V100", "GTX 1080 Ti"})
    CHECK(resolved({.driver = "580.95.05", .gpus = {gpu}}).cuda.major == 12);
}

TEST_CASE(
    "T24, T25: compat packages only over the branches of NVIDIA's table, never an older one, never on GeForce") {
  const auto with_compat = [](Wishes wishes) {
    auto asked = request(wishes);
    asked.forward_compat = solver::ForwardCompat::allowed;
    const auto outcome = solver::solve(asked, real_matrix());
    const auto* resolution = std::get_if<solver::Resolution>(&outcome);
    return resolution && resolution->driver_mode == solver::DriverMode::forward_compat;
  };
  for (const char* driver : {"535.104.05", "570.26"})
    CHECK(with_compat({.pytorch = "2.11.0+cu130", .driver = driver, .gpus = {"A100"}}));
  for (const char* driver : {"470.82.01", "525.60.13", "550.54.14", "560.28.03", "565.57.01", "575.51.03"})
    CHECK_FALSE(with_compat({.pytorch = "2.11.0+cu130", .driver = driver, .gpus = {"A100"}}));
  CHECK_FALSE(with_compat({.pytorch = "2.8.0+cu128", .driver = "580.65.06", .gpus = {"A100"}}));  // direct
  CHECK_FALSE(with_compat({.pytorch = "2.11.0+cu130", .driver = "535.104.05", .gpus = {"RTX 4090"}}));
}

TEST_CASE("the CUDA builds of every release") {
  CHECK(variants("1.13.1") == "cu117 cu116");
  CHECK(variants("2.0.1") == "cu117 cu118");
  CHECK(variants("2.1.2") == "cu121 cu118");
  CHECK(variants("2.3.1") == "cu121 cu118");
  CHECK(variants("2.4.1") == "cu121 cu118 cu124");
  CHECK(variants("2.5.1") == "cu124 cu121 cu118");
  CHECK(variants("2.6.0") == "cu124 cu118 cu126");
  CHECK(variants("2.7.1") == "cu126 cu118 cu128");
  CHECK(variants("2.8.0") == "cu128 cu126 cu129");
  CHECK(variants("2.9.1") == "cu128 cu126 cu130 cu129");
  CHECK(variants("2.10.0") == "cu128 cu126 cu130 cu129");
  CHECK(variants("2.11.0") == "cu130 cu128 cu126 cu129");
  CHECK(variants("2.12.1") == "cu130 cu126 cu132 cu129");
  CHECK(variants("2.13.0") == "cu130 cu126 cu132 cu129");
  CHECK(variants("2.14.1") == "cu130 cu132 cu126");
  CHECK(variants("2.8.0", matrix::Architecture::aarch64) == "cpu cu129");
  CHECK(variants("2.14.1", matrix::Architecture::aarch64) == "cu130 cu132 cu126");
}
