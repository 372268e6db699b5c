#pragma once
// From TOML tables to rows: one function a kind of row. Internal to the room.

#include "foundation/document/document.hpp"
#include "knowledge/matrix/matrix.hpp"

namespace torchkiln::matrix {

/// The schema that every manifest file names in its first line.
inline constexpr std::string_view k_schema = "torchkiln.matrix/1";

/// Adds the rows of one manifest file to the matrix. What is wrong is remembered by the document.
void read_rows(document::Table root, Matrix& matrix);
/// The same for a file that may hold proofs and nothing else.
void read_proof_rows(document::Table root, Matrix& matrix);
/// Newest first; those of one day as they were read.
void sort_proofs(Matrix& matrix);

}  // namespace torchkiln::matrix
