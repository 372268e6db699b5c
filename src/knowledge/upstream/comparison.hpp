#pragma once
// What upstream says against what the matrix says. The higher grade wins; the loser is kept as a note. Pure.

#include "foundation/base/error.hpp"
#include "knowledge/upstream/row.hpp"

#include <map>
#include <string>
#include <vector>

namespace torchkiln::upstream {

/// What upstream says now.
struct Survey {
  std::vector<Row> rows;
  std::vector<std::string> scopes;            ///< what was listed to its end, as Row::scope names it
  std::map<std::string, std::string> yanked;  ///< identity → the reason that upstream gives, which may be empty
  std::vector<std::string> open;              ///< what could not be found out, a sentence each
};

struct FieldChange {
  std::string key;
  std::string before;  ///< as TOML; empty: the row did not say
  std::string after;
};

struct Change {
  enum class Kind {
    added,    ///< the matrix has no such row
    changed,  ///< upstream is at least as sure as our row
    kept,     ///< our row is surer: upstream's word becomes a note
    gone,     ///< upstream no longer has the row; it stays
  };
  Kind kind = Kind::added;
  Row row;                  ///< upstream's; ours for what is gone
  matrix::Provenance ours;  ///< of our row, except for what is added
  std::vector<FieldChange> fields;
  std::string reason;  ///< of what is gone
};
std::string_view name(Change::Kind kind);

/// In the order: by table, then as the manifests order their rows.
std::vector<Change> compare(const std::vector<Row>& known, const Survey& survey);

/// What a note says about a value that lost.
std::string note_of(const FieldChange& lost, const matrix::Provenance& from);

}  // namespace torchkiln::upstream
