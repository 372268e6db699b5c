#pragma once
// Rows of the matrix that fit conditions, a function a kind of row. Internal to the questions of matrix_query.hpp.

#include "interface/cli/matrix_query.hpp"
#include "knowledge/matrix/query.hpp"

#include <optional>
#include <string>
#include <vector>

namespace torchkiln::cli {

/// The query with its values understood.
struct RowConditions {
  std::vector<matrix::NamedGpu> gpus;
  std::optional<version::DriverVersion> driver;
  version::SpecifierSet cuda, pytorch;
  std::string python;
  std::optional<matrix::Architecture> architecture;
};
base::Result<RowConditions> understand(const matrix::Matrix& matrix, const MatrixQuery& query);

console::MatrixList list_builds(const matrix::Matrix& matrix, const RowConditions& asked);
console::MatrixList list_companions(const matrix::Matrix& matrix, const RowConditions& asked);
console::MatrixList list_proofs(const matrix::Matrix& matrix, const RowConditions& asked);
console::MatrixList list_toolkits(const matrix::Matrix& matrix, const RowConditions& asked);

}  // namespace torchkiln::cli
