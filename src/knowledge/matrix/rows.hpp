#pragma once
// From TOML tables to rows: one function a kind of row. Used by load.cpp only.

#include "foundation/document/document.hpp"
#include "knowledge/matrix/matrix.hpp"

namespace torchkiln::matrix {

/// The schema that every manifest file names in its first line.
inline constexpr std::string_view k_schema = "torchkiln.matrix/1";

/// Adds the rows of one manifest file to the matrix. What is wrong is remembered by the document.
void read_rows(document::Table root, Matrix& matrix);

}  // namespace torchkiln::matrix
