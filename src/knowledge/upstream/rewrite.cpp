#include "knowledge/upstream/rewrite.hpp"

#include "foundation/base/text.hpp"
#include "foundation/sys/files.hpp"
#include "knowledge/matrix/query.hpp"
#include "knowledge/upstream/block.hpp"
#include "knowledge/upstream/survey.hpp"

#include <algorithm>
#include <map>
#include <set>

#include <fmt/format.h>

namespace torchkiln::upstream {

using base::ErrorCode;
using base::Result;
using matrix::ManifestFile;

namespace {

constexpr const char* k_directory = "manifests";
constexpr std::string_view k_sources_file = "sources.toml";

/// What rows from here name as their source; a manifests folder that has them keeps its own words.
struct SourceText {
  std::string_view id, title, detail;
};
constexpr SourceText k_sources[] = {
    {k_wheel_source, "Wheel of the default Python index: METADATA, torch/version.py and binaries",
     "read by HTTP range requests; architectures from the sm_ list in libtorch_python.so"},
    {k_torch_index_source, "PyTorch's own wheel index: its lists and wheels",
     "read by HTTP range requests; architectures from the sm_ list in libtorch_python.so"},
    {k_redistribution_source, "NVIDIA redistrib_*.json", "versions of the components of a release"},
};

std::string file_of(const base::Place& place) {
  return place.file.substr(place.file.rfind('/') + 1);
}

/// Lines [begin, end) of a file give way to others.
struct Edit {
  std::size_t begin = 0, end = 0;
  Lines lines;
};

/// One manifest in the making: edits are collected in lines of the file as it was, then made from its end to its
/// beginning.
class File {
 public:
  explicit File(const std::string& text) : m_lines(split_lines(text)) {}
  const Lines& lines() const { return m_lines; }
  void edit(Edit edit) { m_edits.push_back(std::move(edit)); }
  std::string text() const {
    auto edits = m_edits;
    std::stable_sort(edits.begin(), edits.end(), [](const Edit& a, const Edit& b) { return a.begin < b.begin; });
    Lines lines;
    std::size_t at = 0;
    for (const auto& edit : edits) {
      while (at < edit.begin) lines.push_back(m_lines[at++]);
      lines.insert(lines.end(), edit.lines.begin(), edit.lines.end());
      at = std::max(at, edit.end);
    }
    while (at < m_lines.size()) lines.push_back(m_lines[at++]);
    return join_lines(lines);
  }

 private:
  Lines m_lines;
  std::vector<Edit> m_edits;
};

class Rewriter {
 public:
  Rewriter(const std::vector<ManifestFile>& files, const matrix::Matrix& matrix) : m_known(known_rows(matrix)) {
    for (const auto& file : files) m_files.emplace(file.name, File(file.text));
    for (const auto& source : matrix.sources) m_known_sources.insert(source.id);
  }

  void apply(const std::vector<Change>& changes) {
    std::map<std::pair<std::string, int>, std::vector<const Change*>> by_place;
    for (const auto& change : changes) {
      if (change.kind == Change::Kind::gone) continue;
      if (change.kind == Change::Kind::added)
        add(change.row);
      else
        by_place[{change.ours.place.file, change.ours.place.line}].push_back(&change);
      if (change.kind != Change::Kind::kept) need_source(change.row.from.source);
    }
    for (const auto& entry : by_place) mend(entry.second);
  }

  std::vector<ManifestFile> files() const {
    std::vector<ManifestFile> files;
    for (const auto& [name, file] : m_files) files.push_back({name, file.text()});
    return files;
  }

 private:
  File& file(const std::string& name, const Row& row) {
    const auto found = m_files.find(name);
    if (found != m_files.end()) return found->second;
    const auto& version = row.order.version;
    const std::string title =
        name.starts_with("pytorch-")
            ? fmt::format("PyTorch {}.{}: releases and builds.", version.part(0), version.part(1))
            : fmt::format("Rows of the table {}.", upstream::name(row.table));
    return m_files
        .emplace(name, File(fmt::format(
                           "# {} docs/matrix.md explains the fields.\nschema = \"torchkiln.matrix/1\"\n", title)))
        .first->second;
  }

  void add(const Row& row) {
    std::vector<const Row*> others;  // of the same table in the same file, in its order
    for (const auto& known : m_known)
      if (known.table == row.table && file_of(known.from.place) == row.file) others.push_back(&known);
    std::stable_sort(others.begin(), others.end(),
                     [](const Row* a, const Row* b) { return a->from.place.line < b->from.place.line; });
    auto& target = file(row.file, row);
    const auto next = std::find_if(others.begin(), others.end(),
                                   [&](const Row* other) { return row.order.before(other->order); });
    const bool is_inline = !others.empty() && block_at(target.lines(), others.front()->from.place.line).is_inline;
    auto lines = is_inline ? Lines{to_inline_toml(row)} : split_lines(to_toml(row));
    Edit edit;
    if (next != others.end()) {
      edit.begin = block_at(target.lines(), (*next)->from.place.line).begin;
      while (edit.begin > 0 && target.lines()[edit.begin - 1].starts_with('#')) --edit.begin;
      if (!is_inline) lines.emplace_back();
    } else {
      edit.begin =
          others.empty() ? target.lines().size() : block_at(target.lines(), others.back()->from.place.line).end;
      if (!is_inline) lines.insert(lines.begin(), "");
    }
    edit.end = edit.begin;
    edit.lines = std::move(lines);
    target.edit(std::move(edit));
  }

  /// Changes of the rows that one block of a file is about. A block that names several releases is taken apart
  /// where not all of them change alike.
  void mend(const std::vector<const Change*>& changes) {
    const auto& place = changes.front()->ours.place;
    auto& target = m_files.at(file_of(place));
    const auto block = block_at(target.lines(), place.line);
    const Lines original(target.lines().begin() + static_cast<std::ptrdiff_t>(block.begin),
                         target.lines().begin() + static_cast<std::ptrdiff_t>(block.end));
    std::vector<std::pair<Lines, std::vector<std::string>>> variants;  // a block's lines, and its releases
    std::set<std::string> changed;
    for (const auto* change : changes) {
      auto lines = original;
      edit_fields(lines, *change);
      const auto release = change->row.order.version.to_string();
      changed.insert(release);
      const auto same = std::find_if(variants.begin(), variants.end(),
                                     [&](const auto& variant) { return variant.first == lines; });
      if (same == variants.end())
        variants.push_back({std::move(lines), {release}});
      else
        same->second.push_back(release);
    }
    std::vector<std::string> unchanged;
    for (const auto& known : m_known)
      if (known.from.place == place && changed.count(known.order.version.to_string()) == 0)
        unchanged.push_back(known.order.version.to_string());
    const bool is_split = variants.size() > 1 || !unchanged.empty();
    if (!unchanged.empty()) variants.push_back({original, unchanged});
    Edit edit{block.begin, block.end, {}};
    for (auto& [lines, releases] : variants) {
      if (is_split) set_key(lines, "pytorch", toml_list(releases));
      if (!edit.lines.empty()) edit.lines.emplace_back();
      edit.lines.insert(edit.lines.end(), lines.begin(), lines.end());
    }
    target.edit(std::move(edit));
  }

  static void edit_fields(Lines& lines, const Change& change) {
    std::string note = change.ours.note;
    const auto remark = [&note](const std::string& sentence) {
      if (note.find(sentence) == std::string::npos) note += (note.empty() ? "" : " ") + sentence + ".";
    };
    const bool is_kept = change.kind == Change::Kind::kept;
    for (const auto& field : change.fields) {
      const bool is_provenance = field.key == "source" || field.key == "grade" || field.key == "date";
      if (is_kept) {
        remark(note_of(field, change.row.from));
        continue;
      }
      set_key(lines, field.key, field.after);
      if (!is_provenance && !field.before.empty() && change.row.from.grade < change.ours.grade)
        remark(note_of({field.key, "", field.before}, change.ours));
    }
    if (note != change.ours.note) set_key(lines, "note", toml_text(note));
  }

  void need_source(const std::string& id) {
    if (!m_known_sources.insert(id).second) return;
    for (const auto& source : k_sources) {
      if (source.id != id) continue;
      const auto name = std::string(k_sources_file);
      auto& target = m_files.try_emplace(name, File("schema = \"torchkiln.matrix/1\"\n")).first->second;
      const auto end = target.lines().size();
      target.edit({end,
                   end,
                   {"", "[[source]]", "id = " + toml_text(source.id), "title = " + toml_text(source.title),
                    "detail = " + toml_text(source.detail)}});
    }
  }

  std::vector<Row> m_known;
  std::set<std::string> m_known_sources;
  std::map<std::string, File> m_files;
};

std::set<std::string> errors_of(const matrix::Matrix& matrix) {
  std::set<std::string> errors;
  for (const auto& finding : matrix::check(matrix))
    if (finding.kind == matrix::Finding::Kind::error) errors.insert(finding.text);
  return errors;
}

}  // namespace

Result<std::vector<ManifestFile>> read_manifests(const std::filesystem::path& directory) {
  TK_TRY(const auto names, sys::list_directory(directory));
  std::vector<ManifestFile> files;
  for (const auto& name : names) {
    if (!name.ends_with(".toml") || name.starts_with('.')) continue;
    TK_TRY(auto text, sys::read_file(directory / name, matrix::k_manifest_bytes_max));
    files.push_back({name, std::move(text)});
  }
  return files;
}

Result<std::vector<ManifestFile>> rewrite(const std::vector<ManifestFile>& files,
                                          const std::vector<Change>& changes, const Survey& survey) {
  TK_TRY(const auto before, matrix::read(files, k_directory));
  Rewriter rewriter(files, before);
  rewriter.apply(changes);
  auto rewritten = rewriter.files();
  TK_TRY(const auto after, matrix::read(rewritten, k_directory));
  const auto known_errors = errors_of(before);
  base::Error error{
      ErrorCode::matrix_invalid, "the manifests would not be right with what upstream says", {}, {}, {}};
  for (const auto& text : errors_of(after))
    if (known_errors.count(text) == 0) error.notes.push_back(text);
  if (!error.notes.empty()) {
    error.hints = {"add the rows that are missing (docs/matrix.md); --redist brings new CUDA releases"};
    return base::fail(std::move(error));
  }
  for (const auto& change : compare(known_rows(after), survey))
    if (change.kind != Change::Kind::gone)
      error.notes.push_back(
          fmt::format("{} {} would not have been written", name(change.row.table), change.row.label));
  if (!error.notes.empty()) return base::fail(std::move(error));
  return rewritten;
}

}  // namespace torchkiln::upstream
