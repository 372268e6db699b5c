#include "knowledge/matrix/load.hpp"
#include "knowledge/matrix/query.hpp"

#include <algorithm>
#include <catch2/catch.hpp>

using namespace torchkiln;
using matrix::Finding;

namespace {

const matrix::Matrix& real_matrix() {
  static const matrix::Matrix k_matrix = [] {
    auto loaded = matrix::load(TK_SOURCE_DIR "/manifests");
    if (!loaded) FAIL(loaded.error().where->to_string() << ": " << loaded.error().message);
    return std::move(*loaded);
  }();
  return k_matrix;
}

/// The texts of the errors (not the gaps) that a change to the real matrix brings.
template <class Change>
std::vector<std::string> errors_after(Change change) {
  matrix::Matrix changed = real_matrix();
  change(changed);
  std::vector<std::string> texts;
  for (const auto& finding : matrix::check(changed))
    if (finding.kind == Finding::Kind::error) texts.push_back(finding.text);
  return texts;
}

matrix::Build& build(matrix::Matrix& matrix, std::string_view full_version) {
  const auto at = std::find_if(matrix.builds.begin(), matrix.builds.end(), [&](const matrix::Build& row) {
    return row.architecture == matrix::Architecture::x86_64 && row.full_version().to_string() == full_version;
  });
  REQUIRE(at != matrix.builds.end());
  return *at;
}

using Texts = std::vector<std::string>;

}  // namespace

TEST_CASE("the repository's manifests have no errors, and their gaps are named") {
  std::size_t gaps = 0;
  for (const auto& finding : matrix::check(real_matrix())) {
    INFO(finding.place.to_string() << ": " << finding.text);
    CHECK(finding.kind == Finding::Kind::gap);
    ++gaps;
  }
  CHECK(gaps > 0);
}

TEST_CASE("the repository's manifests cover what they promise") {
  const auto& matrix = real_matrix();
  CHECK(matrix.releases.size() == 30);
  CHECK(matrix.releases.front().pytorch.to_string() == "2.15.0");
  CHECK(matrix.releases.back().pytorch.to_string() == "1.13.0");
  CHECK(matrix.gpus.size() >= 100);
  CHECK(matrix.systems.front().id == "debian-12");
  CHECK(matrix.branches.front().branch == 620);
  CHECK(matrix.date >= "2026-11-27");
  // Every CUDA minor release from 11.0 on but 12.7, which there never was; every driver branch since R450.
  const std::pair<unsigned, unsigned> newest[] = {{11, 8}, {12, 9}, {13, 4}};
  for (const auto& [family, last] : newest)
    for (unsigned minor = 0; minor <= last; ++minor) {
      INFO(family << "." << minor);
      CHECK((find_toolkit(matrix, {family, minor, 0}) == nullptr) == (family == 12 && minor == 7));
      CHECK(find_family(matrix, family) != nullptr);
    }
  for (const unsigned branch : {450, 455, 460, 465, 470, 495, 510, 515, 520, 525, 530, 535,
                                545, 550, 555, 560, 565, 570, 575, 580, 590, 595, 610, 615, 620})
    CHECK(find_branch(matrix, branch) != nullptr);
  for (const auto& build : matrix.builds) {
    INFO(build.full_version().to_string());
    CHECK((build.index == "pytorch" || build.from.grade == matrix::Grade::measured));
  }
}

TEST_CASE(
    "a negative fact that no build can meet, a tombstone that leads to another, and overlapping cuDNN rows are "
    "errors") {
  CHECK(errors_after([](matrix::Matrix& m) {
          m.broken.front().pytorch = version::SpecifierSet::parse("9.9").value();
        }) == Texts{"no build meets the conditions of this row"});
  CHECK(errors_after([](matrix::Matrix& m) { m.broken.front().package = "numpy"; }) ==
        Texts{"\"numpy\" is no companion of PyTorch"});
  const auto errors =
      errors_after([](matrix::Matrix& m) { m.tombstones.front().instead = "nvidia/cuda:10.2-base"; });
  REQUIRE(errors.size() == 1);
  CHECK(errors[0].starts_with("nvidia/cuda:10.2-base is gone itself, says manifests/tombstones.toml:"));
  CHECK(errors_after([](matrix::Matrix& m) { m.cudnns[1].last = version::Version::of({8, 8}); }).size() == 1);
}

TEST_CASE("a build that is known to require nothing is no gap") {
  auto real = real_matrix();
  const auto& bundled = build(real, "1.13.1+cu116");
  CHECK(bundled.requirements.empty());
  CHECK(bundled.has_all_requirements);
  CHECK_FALSE(build(real, "2.12.0+cu129").has_all_requirements);
}

TEST_CASE("an NCCL that was never packaged is an error, a cuDNN that nobody looked into a gap") {
  CHECK(errors_after([](matrix::Matrix& m) {
          build(m, "2.1.2+cu118").nccl = version::Version::of({2, 22});
        }) == Texts{"there is no package of NCCL 2.22 for CUDA 11"});
  matrix::Matrix changed = real_matrix();
  std::erase_if(changed.cudnns, [](const matrix::Cudnn& row) { return row.cuda_major == 13; });
  const auto findings = matrix::check(changed);
  CHECK(std::count_if(findings.begin(), findings.end(), [](const Finding& finding) {
          return finding.text == "which GPUs cuDNN 9.26.0.51 for CUDA 13 has code for is not known";
        }) == 1);
}

TEST_CASE("no source is given as an address: where packages come from is the user's configuration") {
  for (const auto& source : real_matrix().sources) {
    INFO(source.id);
    CHECK(source.title.find("://") == std::string::npos);
    CHECK(source.detail.find("://") == std::string::npos);
  }
}

TEST_CASE("a row whose source is not in the table is an error") {
  CHECK(errors_after([](matrix::Matrix& m) { m.families.front().from.source = "rumour"; }) ==
        Texts{"source \"rumour\" is not in the table of sources"});
}

TEST_CASE("a row that is there twice is an error that names the first") {
  const auto errors = errors_after([](matrix::Matrix& m) { m.branches.push_back(m.branches.front()); });
  REQUIRE(errors.size() == 1);
  CHECK(errors[0].starts_with("branch 620 is already at manifests/drivers.toml:"));
}

TEST_CASE("two GPUs that a driver could call by the same name are an error") {
  const auto errors =
      errors_after([](matrix::Matrix& m) { m.gpus.front().aliases.emplace_back("NVIDIA Tesla V100"); });
  REQUIRE(errors.size() == 1);
  CHECK(errors[0].starts_with("gpu v100 is already at manifests/gpus.toml:"));
}

TEST_CASE("a build that contradicts itself or its neighbours is an error") {
  CHECK(errors_after([](matrix::Matrix& m) {
          build(m, "2.8.0+cu128").cudnn = version::Version::of({9, 9, 9});
        }) == Texts{"2.8.0+cu128 for x86_64: nvidia-cudnn-cu12==9.10.2.21 contradicts the row's own version"});
  CHECK(errors_after([](matrix::Matrix& m) {
          build(m, "2.8.0+cu128").cuda = version::CudaVersion{12, 9, 0};
        }) == Texts{"2.8.0+cu128 for x86_64: CUDA 12.9 is called cu129"});
  CHECK(errors_after([](matrix::Matrix& m) {
          build(m, "2.11.0+cu130").sass->insert(build(m, "2.11.0+cu130").sass->begin(), {7, 0});
        }) == Texts{"2.11.0+cu130 for x86_64: CUDA 13.0 makes no code for 7.0"});
  CHECK(errors_after([](matrix::Matrix& m) {
          std::swap(build(m, "2.8.0+cu128").sass->at(0), build(m, "2.8.0+cu128").sass->at(1));
        }) == Texts{"2.8.0+cu128 for x86_64: architectures must be sorted and named once"});
  CHECK(errors_after([](matrix::Matrix& m) {
          build(m, "2.8.0+cu128").requirements.emplace_back("x==1; sys_platform == \"linux\"");
        }) == Texts{"2.8.0+cu128 for x86_64: \"x==1; sys_platform == \"linux\"\" is not a requirement of a wheel"});
}

TEST_CASE("a release without a build on the default index, and a build without a release, are errors") {
  CHECK(errors_after([](matrix::Matrix& m) { build(m, "2.8.0+cu128").index = "pytorch"; }) ==
        Texts{"PyTorch 2.8.0 has no x86_64 build on the default index"});
  const auto errors = errors_after([](matrix::Matrix& m) {
    std::erase_if(m.releases, [](const matrix::Release& row) { return row.pytorch.to_string() == "2.6.0"; });
  });
  CHECK(std::count(errors.begin(), errors.end(), "2.6.0+cu124 for x86_64: no such release") == 1);
  CHECK(std::count(errors.begin(), errors.end(), "torchvision 0.21.0: there is no PyTorch 2.6.0") == 1);
}

TEST_CASE("ranges that end before they begin are errors") {
  CHECK(errors_after([](matrix::Matrix& m) { std::swap(m.targets[1].first, m.targets[1].last); }) ==
        Texts{"the last CUDA is older than the first"});
  CHECK(errors_after([](matrix::Matrix& m) { m.cudnns.front().last = version::Version::of({1}); }) ==
        Texts{"the last cuDNN is older than the first"});
  CHECK(errors_after([](matrix::Matrix& m) { m.forward_compat.front().branches.push_back(777); }) ==
        Texts{"there is no branch R777"});
}

TEST_CASE("a metapackage that a wheel needs must be in the table with its extras") {
  CHECK(errors_after([](matrix::Matrix& m) {
          std::erase_if(m.metapackages, [](const auto& row) { return row.release.to_string() == "13.2.2"; });
        }).size() == 2);  // the x86_64 and the aarch64 wheel
  const auto errors = errors_after([](matrix::Matrix& m) { m.metapackages.front().extras.clear(); });
  CHECK_FALSE(errors.empty());
  CHECK(errors[0] == "cuda-toolkit 13.2.2 has no extra \"cublas\", which 2.15.0+cu132 for x86_64 needs");
}

TEST_CASE("exactly one operating system is preferred") {
  CHECK(errors_after([](matrix::Matrix& m) { m.systems[1].choice = matrix::Choice::preferred; }) ==
        Texts{"only one operating system can be preferred"});
  CHECK(errors_after([](matrix::Matrix& m) { m.systems[0].choice = matrix::Choice::possible; }) ==
        Texts{"no operating system is preferred"});
}
