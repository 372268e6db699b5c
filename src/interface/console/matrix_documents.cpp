#include "interface/console/matrix_documents.hpp"

#include "foundation/base/text.hpp"

#include <algorithm>
#include <array>
#include <set>

#include <fmt/format.h>

namespace torchkiln::console {

using document::Json;

namespace {

using Texts = std::vector<std::string>;

/// What stands between the columns of a table.
constexpr std::string_view k_gap = "  ";

/// "3.9 3.10 3.11"; a dash for what is not known, "none" for an empty list.
std::string cell_text(const Json& cell) {
  if (cell.is_null()) return "-";
  if (cell.is_string()) return cell.get<std::string>();
  if (!cell.is_array()) return cell.dump();
  Texts texts;
  for (const auto& item : cell) texts.push_back(cell_text(item));
  return texts.empty() ? "none" : base::join(texts, " ");
}

Texts provenance_cells(const matrix::Provenance& from) {
  return {std::string(matrix::name(from.grade)), from.source, from.date, from.place.to_string()};
}

/// Columns as wide as their widest cell; none for a table without rows.
std::string aligned(const std::vector<Texts>& rows, const std::string& indent, const Paint& paint,
                    std::size_t heading_rows) {
  std::vector<std::size_t> widths;
  for (const auto& row : rows)
    for (std::size_t i = 0; i < row.size(); ++i) {
      if (widths.size() <= i) widths.push_back(0);
      widths[i] = std::max(widths[i], row[i].size());
    }
  std::string text;
  for (std::size_t r = 0; r < rows.size(); ++r) {
    std::string line = indent;
    for (std::size_t i = 0; i < rows[r].size(); ++i) {
      line += rows[r][i];
      if (i + 1 < rows[r].size()) line += std::string(widths[i] - rows[r][i].size(), ' ') + std::string(k_gap);
    }
    text += (r < heading_rows ? paint.bold(line) : line) + "\n";
  }
  return text;
}

std::string list_text(const MatrixList& list, const std::string& indent, const Paint& paint) {
  std::vector<Texts> rows;
  Texts heading;
  if (!list.rows.empty())
    for (const auto& cell : list.rows.front().cells) heading.push_back(base::replace_all(cell.first, "_", " "));
  heading.insert(heading.end(), {"grade", "source", "date", "row"});
  for (const auto& row : list.rows) {
    Texts cells;
    for (const auto& cell : row.cells) cells.push_back(cell_text(cell.second));
    const auto from = provenance_cells(row.from);
    cells.insert(cells.end(), from.begin(), from.end());
    rows.push_back(std::move(cells));
  }
  if (!rows.empty()) rows.insert(rows.begin(), std::move(heading));
  auto text = aligned(rows, indent, paint, 1);
  if (rows.empty()) text += indent + "none\n";
  for (const auto& remark : list.remarks) text += indent + remark + "\n";
  return text;
}

void add_provenance(Json& json, const matrix::Provenance& from) {
  json["source"] = from.source;
  json["grade"] = matrix::name(from.grade);
  json["date"] = from.date;
  json["place"] = from.place.to_string();
  if (!from.note.empty()) json["note"] = from.note;
}

Json list_json(const MatrixList& list) {
  Json rows = Json::array();
  for (const auto& row : list.rows) {
    Json json = Json::object();
    for (const auto& cell : row.cells) json[cell.first] = cell.second;
    add_provenance(json, row.from);
    rows.push_back(std::move(json));
  }
  return Json{{"what", list.what}, {"rows", rows}, {"remarks", list.remarks}};
}

/// TOML on one line.
std::string one_line(const std::string& value) {
  Texts parts;
  for (const auto line : base::lines(value)) parts.emplace_back(base::trim(line));
  return base::join(parts, " ");
}

std::string change_text(const upstream::Change& change, const Paint& paint) {
  using Kind = upstream::Change::Kind;
  const std::string kind(upstream::name(change.kind));
  const std::string padded = kind + std::string(8 - kind.size(), ' ');
  const bool is_new = change.kind == Kind::added;
  std::string text = (is_new ? paint.green(padded) : paint.yellow(padded)) +
                     fmt::format("{} {}", upstream::name(change.row.table), change.row.label) +
                     paint.dim("  " + (is_new ? change.row.file : change.ours.place.to_string())) + "\n";
  if (change.kind == Kind::gone) return text + "          " + change.reason + "; the row stays\n";
  if (is_new) {
    for (const auto& field : change.row.fields)
      if (field.role != upstream::Role::identity)
        text += fmt::format("          {} = {}\n", field.key, one_line(field.value));
    for (const auto& extra : change.row.extras) text += fmt::format("          {} = {}\n", extra.key, extra.value);
    return text;
  }
  for (const auto& field : change.fields)
    text += fmt::format("          {}: {} -> {}\n", field.key, field.before.empty() ? "-" : one_line(field.before),
                        one_line(field.after));
  if (change.kind == Kind::kept)
    text += fmt::format("          ours is {}, upstream's only {}: it becomes a note\n",
                        matrix::name(change.ours.grade), matrix::name(change.row.from.grade));
  return text;
}

Json change_json(const upstream::Change& change) {
  using Kind = upstream::Change::Kind;
  Json json{{"kind", upstream::name(change.kind)},
            {"table", upstream::name(change.row.table)},
            {"row", change.row.label},
            {"file", change.row.file}};
  if (change.kind != Kind::added) json["place"] = change.ours.place.to_string();
  if (!change.reason.empty()) json["reason"] = change.reason;
  Json fields = Json::array();
  if (change.kind == Kind::added) {
    for (const auto& field : change.row.fields) fields.push_back({{"key", field.key}, {"after", field.value}});
    for (const auto& extra : change.row.extras)
      fields.push_back({{"key", "extras." + extra.key}, {"after", extra.value}});
  }
  for (const auto& field : change.fields) {
    Json entry{{"key", field.key}};
    if (!field.before.empty()) entry["before"] = field.before;
    entry["after"] = field.after;
    fields.push_back(std::move(entry));
  }
  json["fields"] = std::move(fields);
  if (change.kind != Kind::gone) {
    json["source"] = change.row.from.source;
    json["grade"] = matrix::name(change.row.from.grade);
    json["date"] = change.row.from.date;
  }
  return json;
}

std::string proof_text(const matrix::Proof& proof) {
  return fmt::format("{} for {} with Python {} on {}: {} on {}, driver {}, {}\n", proof.build(),
                     matrix::name(proof.architecture), proof.python, proof.system, matrix::name(proof.level),
                     proof.gpu, proof.driver.to_string(), proof.from.date);
}

Json proofs_json(const std::vector<matrix::Proof>& proofs) {
  Json rows = Json::array();
  for (const auto& proof : proofs)
    rows.push_back({{"build", proof.build()},
                    {"architecture", matrix::name(proof.architecture)},
                    {"python", proof.python},
                    {"system", proof.system},
                    {"gpu", proof.gpu},
                    {"compute", proof.compute.to_string()},
                    {"driver", proof.driver.to_string()},
                    {"level", matrix::name(proof.level)},
                    {"stamp", proof.from.source},
                    {"date", proof.from.date}});
  return rows;
}

}  // namespace

std::string matrix_list_text(const MatrixList& list, const DataAge& age, const Paint& paint) {
  return list_text(list, "", paint) +
         fmt::format("{}: {}, data as of {}\n", list.what, list.rows.size(), age.to_string());
}

Json matrix_list_json(const MatrixList& list, const DataAge& age) {
  Json json{{"schema", "torchkiln.matrix-list/1"}, {"data", age.date}, {"data_age_days", age.days}};
  json.update(list_json(list));
  return json;
}

std::string matrix_show_text(const std::vector<MatrixEntry>& entries, const DataAge& age, const Paint& paint) {
  std::string text;
  for (const auto& entry : entries) {
    text += paint.bold(entry.title) + "\n";
    std::vector<Texts> facts;
    for (const auto& fact : entry.facts) {
      Texts cells = {fact.text};
      const auto from = provenance_cells(fact.from);
      cells.insert(cells.end(), from.begin(), from.end());
      facts.push_back(std::move(cells));
    }
    text += aligned(facts, "  ", paint, 0);
    std::set<std::string> told;
    for (const auto& fact : entry.facts)
      if (!fact.from.note.empty() && told.insert(fact.from.note).second) text += "  note: " + fact.from.note + "\n";
    for (const auto& list : entry.lists) text += "\n" + list_text(list, "  ", paint);
    text += "\n";
  }
  return text + "data as of " + age.to_string() + "\n";
}

Json matrix_show_json(const std::vector<MatrixEntry>& entries, const DataAge& age) {
  Json list = Json::array();
  for (const auto& entry : entries) {
    Json facts = Json::array();
    for (const auto& fact : entry.facts) {
      Json json{{"text", fact.text}};
      add_provenance(json, fact.from);
      facts.push_back(std::move(json));
    }
    Json lists = Json::array();
    for (const auto& rows : entry.lists) lists.push_back(list_json(rows));
    list.push_back({{"kind", entry.kind}, {"title", entry.title}, {"facts", facts}, {"lists", lists}});
  }
  return Json{
      {"schema", "torchkiln.matrix-show/1"}, {"data", age.date}, {"data_age_days", age.days}, {"entries", list}};
}

std::string matrix_refresh_text(const MatrixRefresh& refresh, const Paint& paint) {
  using Kind = upstream::Change::Kind;
  std::string text;
  std::array<std::size_t, 4> counts{};
  for (const auto& change : refresh.changes) {
    text += change_text(change, paint);
    ++counts[static_cast<std::size_t>(change.kind)];
  }
  for (const auto& sentence : refresh.open) text += paint.yellow("open    ") + sentence + "\n";
  const auto count = [&](Kind kind) { return counts[static_cast<std::size_t>(kind)]; };
  text += fmt::format("{} added, {} changed, {} kept, {} gone", count(Kind::added), count(Kind::changed),
                      count(Kind::kept), count(Kind::gone));
  if (refresh.mode == MatrixRefresh::Mode::look)
    text += count(Kind::added) + count(Kind::changed) + count(Kind::kept) == 0
                ? ": the matrix is up to date\n"
                : "; nothing was written, --write does\n";
  else
    text +=
        refresh.written.empty() ? "; nothing to write\n" : "; written: " + base::join(refresh.written, ", ") + "\n";
  return text;
}

Json matrix_refresh_json(const MatrixRefresh& refresh) {
  Json changes = Json::array();
  for (const auto& change : refresh.changes) changes.push_back(change_json(change));
  return Json{{"schema", "torchkiln.matrix-refresh/1"},
              {"changes", changes},
              {"open", refresh.open},
              {"written", refresh.written}};
}

std::string matrix_addition_text(const MatrixAddition& addition, const Paint& paint) {
  std::string text;
  for (const auto& proof : addition.added) text += paint.green("added   ") + proof_text(proof);
  for (const auto& proof : addition.known) text += "known   " + proof_text(proof);
  for (const auto& refused : addition.refused) {
    text += paint.yellow("refused ") + fmt::format("{}: {}\n", refused.reason, refused.text);
    if (!refused.remedy.empty()) text += "        " + refused.remedy + "\n";
  }
  text += fmt::format("{} added, {} known, {} refused", addition.added.size(), addition.known.size(),
                      addition.refused.size());
  return text + (addition.added.empty() ? "; nothing to write\n" : "; written: " + addition.file + "\n");
}

Json matrix_addition_json(const MatrixAddition& addition) {
  Json refused = Json::array();
  for (const auto& one : addition.refused)
    refused.push_back(
        {{"stamp", one.stamp.to_string()}, {"reason", one.reason}, {"text", one.text}, {"remedy", one.remedy}});
  return Json{{"schema", "torchkiln.matrix-add/1"},
              {"image", addition.image},
              {"file", addition.file},
              {"added", proofs_json(addition.added)},
              {"known", proofs_json(addition.known)},
              {"refused", refused}};
}

}  // namespace torchkiln::console
