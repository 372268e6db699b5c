// proofs.toml: what stamps have proven, read beside the manifests and added to.

#include "knowledge/matrix/proofs.hpp"

#include "foundation/sys/files.hpp"
#include "knowledge/matrix/load.hpp"

#include <catch2/catch.hpp>

using namespace torchkiln;

namespace {

matrix::Proof proof_on(const std::string& gpu, const std::string& stamp, const std::string& date) {
  matrix::Proof proof;
  proof.pytorch = version::Version::parse("2.8.0").value();
  proof.variant = "cu128";
  proof.python = "3.11";
  proof.system = "debian-12";
  proof.gpu = gpu;
  proof.compute = {9, 0};
  proof.driver = version::DriverVersion::parse("570.133.20").value();
  proof.image = base::Digest::of("image");
  proof.from = {{}, base::Digest::of(stamp).to_string(), matrix::Grade::measured, date, ""};
  return proof;
}

matrix::ExtendedProofs extended(const std::string& text, const std::vector<matrix::Proof>& proofs) {
  auto result = matrix::with_proofs(text, "proofs.toml", proofs);
  if (!result) FAIL(result.error().message);
  return std::move(*result);
}

struct Folder {
  sys::TemporaryDirectory directory = sys::TemporaryDirectory::create("/tmp", "proofs-").value();

  std::filesystem::path file(const std::string& text) const {
    const auto path = directory.path() / "proofs.toml";
    REQUIRE(sys::write_file(path, text));
    return path;
  }
};

}  // namespace

TEST_CASE("proofs that are written are read again, newest first, and leave the age of the data alone") {
  const std::vector<matrix::Proof> proofs = {proof_on("NVIDIA H200", "a", "2026-03-01"),
                                             proof_on("NVIDIA \"H\" \\ 100", "b", "2026-03-02")};
  const auto result = extended("", proofs);
  CHECK(result.added.size() == 2);
  const Folder folder;
  matrix::Matrix matrix;
  matrix.date = "2026-01-01";
  REQUIRE(matrix::load_proofs(folder.file(result.text), matrix));
  REQUIRE(matrix.proofs.size() == 2);
  const auto& newest = matrix.proofs.front();
  CHECK(newest.gpu == "NVIDIA \"H\" \\ 100");
  CHECK(newest.build() == "2.8.0+cu128");
  CHECK(newest.architecture == matrix::Architecture::x86_64);
  CHECK(newest.compute.to_string() == "9.0");
  CHECK(newest.driver.to_string() == "570.133.20");
  CHECK(newest.level == matrix::Proof::Level::gpu);
  CHECK(newest.image == base::Digest::of("image"));
  CHECK(newest.from.source == base::Digest::of("b").to_string());
  CHECK(newest.from.grade == matrix::Grade::measured);
  CHECK(newest.from.date == "2026-03-02");
  CHECK(newest.from.place.to_string() == "proofs.toml:19");
  CHECK(matrix.date == "2026-01-01");
}

TEST_CASE("a stamp and a GPU are one row, however often they come, and what stands in the file stays") {
  const auto first = extended("", {proof_on("NVIDIA H200", "a", "2026-03-01")});
  const auto text = "# ours\n" + first.text;
  CHECK(extended(text, {proof_on("NVIDIA H200", "a", "2026-03-01")}).text == text);
  CHECK(extended(text, {proof_on("NVIDIA H200", "a", "2026-03-01")}).added.empty());
  const auto more = extended(text, {proof_on("NVIDIA H200", "b", "2026-03-02"), proof_on("A100", "a", "2026-03-01"),
                                    proof_on("NVIDIA H200", "b", "2026-03-02")});
  CHECK(more.added.size() == 2);
  CHECK(more.known.size() == 1);
  CHECK(more.text.starts_with(text));
}

TEST_CASE("a file that rows cannot be put behind is refused before it is written") {
  const std::vector<matrix::Proof> proofs = {proof_on("NVIDIA H200", "a", "2026-03-01")};
  for (const char* text : {"schema = \"torchkiln.matrix/1\"\nproof = []\n", "schema = \"torchkiln.matrix/2\"\n",
                           "schema = \"torchkiln.matrix/1\"\n[[gpu]]\n", "nothing\n"})
    CHECK_FALSE(matrix::with_proofs(text, "proofs.toml", proofs));
}

TEST_CASE("a file of proofs is refused at the line that is wrong") {
  const Folder folder;
  const auto good = extended("", {proof_on("NVIDIA H200", "a", "2026-03-01")}).text;
  const auto complaint = [&](std::string_view from, std::string_view to) {
    std::string text = good;
    text.replace(text.find(from), from.size(), to);
    const auto file = folder.file(text);
    matrix::Matrix matrix;
    const auto loaded = matrix::load_proofs(file, matrix);
    REQUIRE_FALSE(loaded);
    CHECK(loaded.error().code == base::ErrorCode::matrix_invalid);
    CHECK(loaded.error().where->file == file.string());
    return std::to_string(loaded.error().where->line) + ": " + loaded.error().message;
  };
  CHECK(complaint("level = \"gpu\"", "level = \"cpu\"") == "13: \"cpu\" is no value of \"level\"");
  CHECK(complaint("driver = \"570.133.20\"\n", "") == "4: \"driver\" is missing in [proof]");
  CHECK(complaint("grade", "grad").starts_with("4: \"grade\" is missing"));
  CHECK(complaint("[[proof]]", "[[gpu]]").starts_with("4: unknown key \"gpu\""));
  CHECK(complaint("source = \"sha256:", "source = \"sha512:").starts_with("15: "));
}

TEST_CASE("a proof is measured, known once, and about a build, system and GPU that there are") {
  auto loaded = matrix::load(TK_SOURCE_DIR "/manifests");
  REQUIRE(loaded);
  auto& matrix = *loaded;
  const auto findings_of = [&](matrix::Finding::Kind kind) {
    std::vector<std::string> texts;
    for (const auto& finding : matrix::check(matrix))
      if (finding.kind == kind && finding.place.file == "proofs.toml") texts.push_back(finding.text);
    return texts;
  };
  const auto errors_with = [&](auto change) {
    auto proof = proof_on("NVIDIA H200", "a", "2026-03-01");
    proof.from.place = {"proofs.toml", 4, 0};
    change(proof);
    matrix.proofs = {proof};
    return findings_of(matrix::Finding::Kind::error);
  };
  using Texts = std::vector<std::string>;
  CHECK(errors_with([](matrix::Proof&) {}).empty());
  CHECK(errors_with([](matrix::Proof& proof) { proof.from.grade = matrix::Grade::derived; }) ==
        Texts{"a proof is measured"});
  CHECK(errors_with([](matrix::Proof& proof) { proof.variant = "cu127"; }) ==
        Texts{"there is no build 2.8.0+cu127 for x86_64"});
  CHECK(errors_with([](matrix::Proof& proof) { proof.python = "3.7"; }) ==
        Texts{"2.8.0+cu128 has no wheel for Python 3.7"});
  CHECK(errors_with([](matrix::Proof& proof) { proof.system = "debian-9"; }) ==
        Texts{"there is no system debian-9"});
  CHECK(errors_with([](matrix::Proof& proof) {
          proof.compute = {8, 0};
        }) == Texts{"H200 has compute capability 9.0, not 8.0"});
  CHECK(errors_with([](matrix::Proof& proof) { proof.gpu = "NVIDIA Z9"; }).empty());
  CHECK(findings_of(matrix::Finding::Kind::gap) == Texts{"NVIDIA Z9 is not in the table of GPUs"});
  matrix.proofs = {proof_on("NVIDIA H200", "a", "2026-03-01"), proof_on("NVIDIA H200", "a", "2026-03-01")};
  for (auto& proof : matrix.proofs) proof.from.place = {"proofs.toml", 4, 0};
  CHECK(findings_of(matrix::Finding::Kind::error).size() == 1);
}
