#pragma once
// Questions to the matrix: which rows, and what is known about one thing. What runs where is decided by the
// solver's rules.

#include "foundation/base/error.hpp"
#include "interface/console/matrix_documents.hpp"
#include "knowledge/matrix/matrix.hpp"

#include <string>
#include <vector>

namespace torchkiln::cli {

/// As given on the command line; empty: not asked.
struct MatrixQuery {
  std::string what = "";
  std::vector<std::string> gpus;
  std::string driver, cuda, pytorch, python, architecture;
};

/// What list_rows() knows: "builds", "releases", "gpus", …
std::vector<std::string> listable();

/// The rows of a kind (builds, where none is named) that fit all of the query. Errors: usage for values that cannot
/// be read, for GPUs nobody knows, and for conditions that say nothing about rows of the kind.
base::Result<console::MatrixList> list_rows(const matrix::Matrix& matrix, const MatrixQuery& query);

/// What is known about the thing that the query names; several entries where the name means several things. Errors:
/// usage when it means nothing, with the nearest known name.
base::Result<std::vector<console::MatrixEntry>> show_entries(const matrix::Matrix& matrix,
                                                             const MatrixQuery& query);

}  // namespace torchkiln::cli
