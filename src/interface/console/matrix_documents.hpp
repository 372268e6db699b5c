#pragma once
// The matrix itself as text and JSON: lists of rows, what is known about one thing, and what a refresh found. Pure.

#include "foundation/document/json.hpp"
#include "interface/console/documents.hpp"
#include "interface/console/terminal.hpp"
#include "knowledge/matrix/matrix.hpp"
#include "knowledge/upstream/comparison.hpp"

#include <string>
#include <utility>
#include <vector>

namespace torchkiln::console {

/// One row: what its columns say, texts or lists of texts, and where that comes from.
struct MatrixRow {
  std::vector<std::pair<std::string, document::Json>> cells;
  matrix::Provenance from;
};

/// Rows of one kind. All rows have the same columns.
struct MatrixList {
  std::string what;  ///< "builds"
  std::vector<MatrixRow> rows;
  std::vector<std::string> remarks;  ///< what the rows do not show
};

/// One statement and where it comes from.
struct MatrixFact {
  std::string text;
  matrix::Provenance from;
};

/// What is known about one thing that the user named.
struct MatrixEntry {
  std::string kind;   ///< "gpu", "build", "variant", "release", "driver", "cuda", "system", "package"
  std::string title;  ///< "V100: compute capability 7.0, data center"
  std::vector<MatrixFact> facts;
  std::vector<MatrixList> lists;
};

/// What a refresh found and did.
struct MatrixRefresh {
  std::vector<upstream::Change> changes;
  std::vector<std::string> open;     ///< what could not be found out
  std::vector<std::string> written;  ///< files
  enum class Mode { look, write } mode = Mode::look;
};

/// What came of an image's stamps for the matrix.
struct MatrixAddition {
  /// A stamp that proves nothing.
  struct Refused {
    base::Digest stamp;
    std::string reason;  ///< a stamp::RefusalReason, "contradiction" or "several-models"
    std::string text, remedy;
  };
  std::string image, file;
  std::vector<matrix::Proof> added, known;
  std::vector<Refused> refused;
};

std::string matrix_list_text(const MatrixList& list, const DataAge& age, const Paint& paint);
/// torchkiln.matrix-list/1.
document::Json matrix_list_json(const MatrixList& list, const DataAge& age);

std::string matrix_show_text(const std::vector<MatrixEntry>& entries, const DataAge& age, const Paint& paint);
/// torchkiln.matrix-show/1.
document::Json matrix_show_json(const std::vector<MatrixEntry>& entries, const DataAge& age);

std::string matrix_refresh_text(const MatrixRefresh& refresh, const Paint& paint);
/// torchkiln.matrix-refresh/1. Values are TOML, as they stand in the manifests.
document::Json matrix_refresh_json(const MatrixRefresh& refresh);

std::string matrix_addition_text(const MatrixAddition& addition, const Paint& paint);
/// torchkiln.matrix-add/1.
document::Json matrix_addition_json(const MatrixAddition& addition);

}  // namespace torchkiln::console
