// prefer = "proven": what stamps have proven on the GPU asked for comes first.

#include "unit/solver/real.hpp"

#include <algorithm>

using namespace torchkiln;
using Texts = std::vector<std::string>;

namespace {

/// 2.8.0+cu126 with Python 3.11 on debian-12, on an A100 with driver 535.104.05; a test changes what it is about.
matrix::Proof a_proof() {
  matrix::Proof proof;
  proof.pytorch = version::Version::parse("2.8.0").value();
  proof.variant = "cu126";
  proof.python = "3.11";
  proof.system = "debian-12";
  proof.gpu = "NVIDIA A100-SXM4-80GB";
  proof.compute = {8, 0};
  proof.driver = version::DriverVersion::parse("535.104.05").value();
  proof.image = base::Digest::of("image");
  proof.from = {
      {"proofs.toml", 4, 0}, base::Digest::of("stamp").to_string(), matrix::Grade::measured, "2026-11-20", ""};
  return proof;
}

matrix::Matrix with(std::vector<matrix::Proof> proofs) {
  auto matrix = real_matrix();
  matrix.proofs = std::move(proofs);
  return matrix;
}

solver::Resolution answer(const Wishes& wishes, const matrix::Matrix& matrix) {
  auto asked = request(wishes);
  asked.prefer = spec::Prefer::proven;
  const auto outcome = solver::solve(asked, matrix);
  if (const auto* conflict = std::get_if<solver::Conflict>(&outcome)) FAIL(conflict->summary);
  return std::get<solver::Resolution>(outcome);
}

std::string note_of(const solver::Resolution& resolution) {
  for (const auto& warning : resolution.warnings)
    if (warning.code == "not-proven") return warning.text;
  return "";
}

}  // namespace

TEST_CASE("what is proven on the GPU is chosen before what is newer, and the evidence names the stamp") {
  const auto resolution = answer({.pytorch = ">=2.8", .gpus = {"A100"}}, with({a_proof()}));
  CHECK(chosen(resolution) == "2.8.0+cu126 pytorch");
  CHECK(resolution.os.id == "debian-12");
  REQUIRE(resolution.proofs.size() == 1);
  CHECK(note_of(resolution).empty());
  const auto& evidence = resolution.evidence.back();
  CHECK(evidence.fact ==
        "2.8.0+cu126 with Python 3.11 on debian-12 passed the level gpu on NVIDIA A100-SXM4-80GB with driver "
        "535.104.05");
  CHECK(evidence.source == "proofs.toml:4");
  CHECK(evidence.origin ==
        "stamp " + base::Digest::of("stamp").to_string() + " on image " + base::Digest::of("image").to_string());
  CHECK(evidence.grade == matrix::Grade::measured);
  CHECK(evidence.date == "2026-11-20");
}

TEST_CASE("of several proofs the newest is chosen") {
  auto newer = a_proof();
  newer.variant = "cu128";
  newer.from.date = "2026-11-21";
  CHECK(chosen(answer({.pytorch = "2.8", .gpus = {"A100"}}, with({newer, a_proof()}))) == "2.8.0+cu128 default");
  newer.variant = "cu126";
  auto older = a_proof();
  older.variant = "cu128";
  CHECK(chosen(answer({.pytorch = "2.8", .gpus = {"A100"}}, with({newer, older}))) == "2.8.0+cu126 pytorch");
}

TEST_CASE("a proof on another GPU counts for a bare compute capability alone") {
  const auto matrix = with({a_proof()});
  CHECK(chosen(answer({.pytorch = "2.8", .gpus = {"sm_80"}}, matrix)) == "2.8.0+cu126 pytorch");
  const auto other = answer({.pytorch = "2.8", .gpus = {"A30"}}, matrix);
  CHECK(chosen(other) == "2.8.0+cu128 default");
  CHECK(note_of(other) == "the matrix has no proof on A30: chosen as --prefer stable does");
}

TEST_CASE("a proof with a newer driver than the one asked for does not count") {
  const auto matrix = with({a_proof()});
  CHECK(chosen(answer({.pytorch = "2.8", .driver = "535.104.05", .gpus = {"A100"}}, matrix)) ==
        "2.8.0+cu126 pytorch");
  const auto older = answer({.pytorch = "2.8", .driver = "530.30.02", .gpus = {"A100"}}, matrix);
  CHECK(chosen(older) == "2.8.0+cu128 default");
  CHECK(note_of(older) ==
        "the matrix has no proof on A100 with driver 530.30.02 or older: chosen as --prefer stable does");
}

TEST_CASE("a proof that does not fit the request is no reason to refuse it") {
  const auto resolution = answer({.pytorch = "2.9", .gpus = {"A100"}}, with({a_proof()}));
  CHECK(resolution.pytorch.starts_with(version::Version::parse("2.9").value()));
  CHECK(note_of(resolution) == "what is proven on A100 does not fit: chosen as --prefer stable does");
  CHECK(resolution.proofs.empty());
}

TEST_CASE("several GPUs must all be proven") {
  auto other = a_proof();
  other.gpu = "NVIDIA H100 80GB HBM3";
  other.compute = {9, 0};
  const Wishes both{.pytorch = "2.8", .gpus = {"A100", "H100"}};
  CHECK(chosen(answer(both, with({a_proof()}))) == "2.8.0+cu128 default");
  const auto resolution = answer(both, with({other, a_proof()}));
  CHECK(chosen(resolution) == "2.8.0+cu126 pytorch");
  CHECK(resolution.proofs.size() == 2);
}

TEST_CASE("without a GPU a proof on any counts") {
  CHECK(chosen(answer({.pytorch = "2.8"}, with({a_proof()}))) == "2.8.0+cu126 pytorch");
  CHECK(note_of(answer({.pytorch = "2.8"}, with({}))) ==
        "the matrix has no proof on any GPU: chosen as --prefer stable does");
}

TEST_CASE("a refusal is the same whatever is proven") {
  auto asked = request({.pytorch = "2.15", .gpus = {"V100"}});
  const auto expected = refused(asked);
  asked.prefer = spec::Prefer::proven;
  const auto outcome = solver::solve(asked, with({a_proof()}));
  REQUIRE(std::holds_alternative<solver::Conflict>(outcome));
  const auto& conflict = std::get<solver::Conflict>(outcome);
  CHECK(conflict.summary == expected.summary);
  CHECK(core_of(conflict) == core_of(expected));
}
