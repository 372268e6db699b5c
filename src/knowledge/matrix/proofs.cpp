#include "knowledge/matrix/proofs.hpp"

#include "foundation/document/document.hpp"
#include "foundation/sys/files.hpp"
#include "knowledge/matrix/load.hpp"
#include "knowledge/matrix/rows.hpp"

#include <algorithm>

#include <fmt/format.h>

namespace torchkiln::matrix {

namespace {

base::Result<void> read_proofs(const std::string& text, const std::string& file, Matrix& matrix) {
  TK_TRY(auto document, document::Document::parse(text, file, base::ErrorCode::matrix_invalid));
  read_proof_rows(document.root(), matrix);
  return document.check();
}

bool is_same(const Proof& a, const Proof& b) {
  return a.from.source == b.from.source && a.gpu == b.gpu;
}

std::string row_text(const Proof& proof) {
  using document::toml_text;
  std::string text = "\n[[proof]]\n";
  const auto put = [&](std::string_view key, std::string_view value) {
    text += fmt::format("{} = {}\n", key, toml_text(value));
  };
  put("pytorch", proof.pytorch.to_string());
  put("variant", proof.variant);
  put("architecture", name(proof.architecture));
  put("python", proof.python);
  put("system", proof.system);
  put("gpu", proof.gpu);
  put("compute", proof.compute.to_string());
  put("driver", proof.driver.to_string());
  put("level", name(proof.level));
  put("image", proof.image.to_string());
  put("source", proof.from.source);
  put("grade", name(proof.from.grade));
  text += fmt::format("date = {}\n", proof.from.date);
  if (!proof.from.note.empty()) put("note", proof.from.note);
  return text;
}

}  // namespace

base::Result<void> load_proofs(const std::filesystem::path& file, Matrix& matrix) {
  TK_TRY(const auto text, sys::read_file(file, k_manifest_bytes_max));
  if (auto read = read_proofs(text, file.filename().string(), matrix); !read) {
    base::Error error = std::move(read).error();
    if (error.where) error.where->file = file.string();
    return base::fail(std::move(error));
  }
  sort_proofs(matrix);
  return {};
}

base::Result<ExtendedProofs> with_proofs(const std::string& text, const std::string& file,
                                         const std::vector<Proof>& proofs) {
  Matrix there;
  if (!text.empty()) TK_CHECK(read_proofs(text, file, there));
  ExtendedProofs result;
  result.text =
      text.empty()
          ? fmt::format("# What stamps have proven; torchkiln matrix add writes it.\nschema = \"{}\"\n", k_schema)
          : text;
  if (!result.text.ends_with('\n')) result.text += '\n';
  for (const auto& proof : proofs) {
    const bool is_known = std::any_of(there.proofs.begin(), there.proofs.end(),
                                      [&](const Proof& row) { return is_same(row, proof); });
    (is_known ? result.known : result.added).push_back(proof);
    if (is_known) continue;
    there.proofs.push_back(proof);
    result.text += row_text(proof);
  }
  // A file with its rows in one line ("proof = [") cannot be added to in this way.
  Matrix after;
  TK_CHECK(read_proofs(result.text, file, after));
  return result;
}

}  // namespace torchkiln::matrix
