#pragma once
// Rows of the matrix as lists of fields, so that what upstream says and what the matrix says can be compared field
// by field and written in the manifests' own style. Pure.

#include "foundation/base/error.hpp"
#include "foundation/document/document.hpp"
#include "knowledge/matrix/matrix.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace torchkiln::upstream {

/// The tables that are kept up to date.
enum class Table { release, build, companion, metapackage, toolkit, nccl };
/// Its name in the manifests.
std::string_view name(Table table);

/// What a field is to its row: part of its name, something upstream said, or what a new row is given because it
/// must have it and upstream did not say.
enum class Role { identity, observed, assumed };

struct Field {
  std::string key;
  std::string value;  ///< as TOML
  Role role = Role::observed;
};

/// Where a row stands among those of its table: by group, then newest first.
struct Order {
  int group = 0;
  version::Version version;
  bool before(const Order& other) const {
    return group != other.group ? group < other.group : version > other.version;
  }
};

/// Whether all was looked at that a row says, or only what an index lists.
enum class Extent { whole, listing };

struct Row {
  Table table = Table::release;
  std::string identity;  ///< equal for the same row of upstream and of the matrix
  std::string scope;     ///< what has to be listed before one can say that upstream no longer has the row
  std::string label;     ///< for people: "2.8.0+cu128 for x86_64"
  std::string file;      ///< the manifest that a new row goes to
  Order order;
  std::vector<Field> fields;  ///< in the manifests' order
  std::vector<Field> extras;  ///< of a metapackage
  Extent extent = Extent::whole;
  matrix::Provenance from;

  const Field* find(std::string_view key) const;
};

using document::toml_text;
/// ["a", "b"].
std::string toml_list(const std::vector<std::string>& texts);

// Fields that are not known (empty, absent, version 0) are left out.
Row row_of(const matrix::Release& release);
Row row_of(const matrix::Build& build);
Row row_of(const matrix::Companion& companion);
Row row_of(const matrix::Metapackage& metapackage);
Row row_of(const matrix::Toolkit& toolkit);
/// The range of NCCL packages for a CUDA major version.
Row row_of(const matrix::Nccl& packages);

/// Every row of those tables; of NCCL's those that are about packages, not about the GPUs of some versions.
std::vector<Row> known_rows(const matrix::Matrix& matrix);

/// Lines of TOML for the row, without a blank line at either end.
std::string to_toml(const Row& row);

}  // namespace torchkiln::upstream
