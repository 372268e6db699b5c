#include "knowledge/upstream/comparison.hpp"

#include "foundation/base/text.hpp"

#include <algorithm>
#include <set>
#include <tuple>

#include <fmt/format.h>

namespace torchkiln::upstream {

namespace {

/// glibc is read out of some of a wheel's libraries: another one may need a newer version, as ours says.
bool is_weaker_bound(const Field& upstream, const Field& ours) {
  if (upstream.key != "glibc") return false;
  const auto number = [](const std::string& toml) {
    return version::Version::parse(base::trim(base::replace_all(toml, "\"", "")));
  };
  const auto theirs = number(upstream.value), known = number(ours.value);
  return theirs && known && *theirs < *known;
}

void compare_fields(const std::vector<Field>& upstream, const std::vector<Field>& ours, const std::string& prefix,
                    std::vector<FieldChange>& changes) {
  for (const auto& field : upstream) {
    if (field.role != Role::observed) continue;
    const auto known =
        std::find_if(ours.begin(), ours.end(), [&](const Field& other) { return other.key == field.key; });
    if (known == ours.end())
      changes.push_back({prefix + field.key, "", field.value});
    else if (known->value != field.value && !is_weaker_bound(field, *known))
      changes.push_back({prefix + field.key, known->value, field.value});
  }
}

/// Our row against upstream's; nothing when they agree.
std::optional<Change> compare_rows(const Row& ours, const Row& theirs) {
  Change change;
  change.row = theirs;
  change.ours = ours.from;
  compare_fields(theirs.fields, ours.fields, "", change.fields);
  compare_fields(theirs.extras, ours.extras, "extras.", change.fields);
  const bool is_surer = theirs.from.grade < ours.from.grade;  // measured comes first
  if (theirs.from.grade > ours.from.grade) {
    change.kind = Change::Kind::kept;
    // Told once: what stands in the note already is no news.
    std::erase_if(change.fields, [&](const FieldChange& field) {
      return ours.from.note.find(note_of(field, theirs.from)) != std::string::npos;
    });
    return change.fields.empty() ? std::nullopt : std::optional(std::move(change));
  }
  change.kind = Change::Kind::changed;
  const bool is_whole = theirs.extent == Extent::whole;
  if (change.fields.empty() && !(is_surer && is_whole)) return std::nullopt;
  // A row that is read anew from end to end has a new source; one of which a listing says one thing has not.
  const auto add = [&change](const char* key, std::string before, std::string after) {
    if (before != after) change.fields.push_back({key, std::move(before), std::move(after)});
  };
  if (is_whole) {
    add("source", toml_text(ours.from.source), toml_text(theirs.from.source));
    add("grade", toml_text(matrix::name(ours.from.grade)), toml_text(matrix::name(theirs.from.grade)));
  }
  if (is_whole || ours.from.grade == theirs.from.grade) add("date", ours.from.date, theirs.from.date);
  return change;
}

}  // namespace

std::string_view name(Change::Kind kind) {
  switch (kind) {
    case Change::Kind::added:
      return "added";
    case Change::Kind::changed:
      return "changed";
    case Change::Kind::kept:
      return "kept";
    case Change::Kind::gone:
      return "gone";
  }
  return "";
}

std::string note_of(const FieldChange& lost, const matrix::Provenance& from) {
  return fmt::format("{} says {} = {}", from.source, lost.key, base::replace_all(lost.after, "\n", " "));
}

std::vector<Change> compare(const std::vector<Row>& known, const Survey& survey) {
  // Of two rows with one name (a companion of several releases) the surer one is compared.
  std::map<std::string, const Row*> ours;
  for (const auto& row : known)
    if (auto& best = ours[row.identity]; !best || row.from.grade < best->from.grade) best = &row;
  std::set<std::string> seen;
  std::vector<Change> changes;
  for (const auto& theirs : survey.rows) {
    seen.insert(theirs.identity);
    const auto found = ours.find(theirs.identity);
    if (found != ours.end()) {
      if (auto change = compare_rows(*found->second, theirs)) changes.push_back(std::move(*change));
    } else if (theirs.extent == Extent::whole) {
      Change change;
      change.row = theirs;
      changes.push_back(std::move(change));
    }
  }
  for (const auto& row : known) {
    const bool is_covered = std::find(survey.scopes.begin(), survey.scopes.end(), row.scope) != survey.scopes.end();
    if (!is_covered || seen.count(row.identity) != 0) continue;
    Change change;
    change.kind = Change::Kind::gone;
    change.row = row;
    change.ours = row.from;
    const auto yanked = survey.yanked.find(row.identity);
    if (yanked == survey.yanked.end())
      change.reason = "not listed";
    else
      change.reason = yanked->second.empty() ? "yanked" : "yanked: " + yanked->second;
    changes.push_back(std::move(change));
  }
  std::stable_sort(changes.begin(), changes.end(), [](const Change& a, const Change& b) {
    if (a.row.table != b.row.table) return a.row.table < b.row.table;
    if (a.row.order.before(b.row.order) != b.row.order.before(a.row.order)) return a.row.order.before(b.row.order);
    return a.row.identity < b.row.identity;
  });
  return changes;
}

}  // namespace torchkiln::upstream
