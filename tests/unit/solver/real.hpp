#pragma once
// The repository's own manifests, and requests as a user would type them.

#include "decision/solver/solver.hpp"
#include "knowledge/matrix/load.hpp"

#include <catch2/catch.hpp>
#include <string>

namespace torchkiln {

inline const matrix::Matrix& real_matrix() {
  static const matrix::Matrix k_matrix = [] {
    auto loaded = matrix::load(TK_SOURCE_DIR "/manifests");
    if (!loaded) FAIL(loaded.error().message);
    return std::move(*loaded);
  }();
  return k_matrix;
}

/// The options of a request: {.pytorch = "2.8", .gpus = {"A100"}}.
struct Wishes {
  std::string pytorch = {}, python = {}, cuda = {}, cudnn = {}, nccl = {}, os = {}, driver = {};
  std::vector<std::string> gpus = {};
  std::vector<std::string> packages = {};
};

inline spec::Overrides overrides_of(const Wishes& wishes) {
  spec::Overrides overrides;
  const auto set = [](std::optional<std::string>& field, const std::string& text) {
    if (!text.empty()) field = text;
  };
  set(overrides.pytorch, wishes.pytorch);
  set(overrides.python, wishes.python);
  set(overrides.cuda, wishes.cuda);
  set(overrides.cudnn, wishes.cudnn);
  set(overrides.nccl, wishes.nccl);
  set(overrides.os, wishes.os);
  set(overrides.driver, wishes.driver);
  overrides.gpus = wishes.gpus;
  return overrides;
}

inline solver::Request request(const Wishes& wishes) {
  auto spec = spec::with_overrides(spec::Spec{}, overrides_of(wishes));
  if (!spec) FAIL(spec.error().message);
  auto result = solver::request_of(*spec, real_matrix());
  if (!result) FAIL(result.error().message);
  for (const auto& package : wishes.packages) {
    spec::PythonPackage wanted;
    const auto end = std::min(package.find_first_of("<>=!~"), package.size());
    wanted.name = package.substr(0, end);
    if (end < package.size()) wanted.versions = version::SpecifierSet::parse(package.substr(end)).value();
    wanted.text = package;
    wanted.place = {"kiln.toml", 9, 11};
    result->packages.push_back(std::move(wanted));
  }
  return *result;
}

/// Whether there is an answer.
inline bool goes(const Wishes& wishes) {
  return std::holds_alternative<solver::Resolution>(solver::solve(request(wishes), real_matrix()));
}

inline solver::Resolution resolved(const solver::Request& asked) {
  const auto outcome = solver::solve(asked, real_matrix());
  if (const auto* conflict = std::get_if<solver::Conflict>(&outcome)) FAIL(conflict->summary);
  return std::get<solver::Resolution>(outcome);
}
inline solver::Resolution resolved(const Wishes& wishes) {
  return resolved(request(wishes));
}

inline solver::Conflict refused(const solver::Request& asked) {
  const auto outcome = solver::solve(asked, real_matrix());
  if (const auto* resolution = std::get_if<solver::Resolution>(&outcome))
    FAIL("resolved to " << resolution->pytorch.to_string() << "+" << resolution->build);
  return std::get<solver::Conflict>(outcome);
}
inline solver::Conflict refused(const Wishes& wishes) {
  return refused(request(wishes));
}

/// "2.8.0+cu128 default".
inline std::string chosen(const solver::Resolution& resolution) {
  return resolution.pytorch.to_string() + "+" + resolution.build + " " + resolution.index;
}
inline std::string chosen(const Wishes& wishes) {
  return chosen(resolved(wishes));
}

inline std::vector<std::string> warnings_of(const solver::Resolution& resolution) {
  std::vector<std::string> codes;
  for (const auto& warning : resolution.warnings) codes.push_back(warning.code);
  return codes;
}

/// The statements of a core, without their sources.
inline std::vector<std::string> core_of(const solver::Conflict& conflict) {
  std::vector<std::string> statements;
  for (const auto& statement : conflict.core) statements.push_back(statement.statement);
  return statements;
}

}  // namespace torchkiln
