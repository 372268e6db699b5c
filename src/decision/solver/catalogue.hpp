#pragma once
// The part of a Problem that no request changes, made once and shared by every model of one solve: the values of
// the variables, and the relations between builds, operating systems, Pythons and companions. Internal to the room.

#include "decision/solver/search.hpp"
#include "knowledge/matrix/matrix.hpp"
#include "knowledge/spec/spec.hpp"

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace torchkiln::solver {

struct Catalogue {
  const matrix::Matrix* matrix;
  matrix::Architecture architecture;

  // Values, in the order of preference.
  std::vector<const matrix::Build*> builds;  ///< those with CUDA, in the order of `prefer`
  std::vector<version::Version> full_versions;
  std::vector<const matrix::Cudnn*> cudnn_rows;  ///< of each build; null where none is about its cuDNN
  std::vector<const matrix::OperatingSystem*> systems;
  std::vector<std::string> pythons;
  std::vector<version::Version> python_versions;
  std::vector<version::CudaVersion> cudas;
  std::vector<std::optional<version::Version>> cudnns, nccls;

  Table cuda_of_build, cudnn_of_build, nccl_of_build, python_of_build, glibc_of_build, python_of_system;

  /// torchvision or torchaudio: first the rows as they are paired with PyTorch releases, then again for the
  /// releases that only their own metadata accepts. The last row is null: not installed.
  struct Companions {
    std::string package;
    std::vector<const matrix::Companion*> rows;
    Table of_build, python;
  };
  std::vector<Companions> companions;

  const Companions* find_companions(const std::string& package) const;
};

/// `matrix` must outlive the catalogue.
Catalogue make_catalogue(const matrix::Matrix& matrix, matrix::Architecture architecture,
                         spec::Prefer prefer = spec::Prefer::stable);

}  // namespace torchkiln::solver
