#include "knowledge/matrix/load.hpp"

#include "foundation/base/text.hpp"
#include "foundation/document/document.hpp"
#include "foundation/sys/files.hpp"
#include "knowledge/matrix/rows.hpp"

#include <algorithm>
#include <tuple>

#include <fmt/format.h>

namespace torchkiln::matrix {

namespace fs = std::filesystem;

namespace {

using base::ErrorCode;

/// Hashes names, sizes and bytes, so that moving bytes from one file to another is a change too.
base::Digest revision_of(const std::vector<ManifestFile>& files) {
  base::Sha256 hasher;
  for (const auto& file : files) {
    hasher.update(fmt::format("{} {}\n", file.name, file.text.size()));
    hasher.update(file.text);
  }
  return hasher.finish();
}

/// The order in which answers list and prefer rows; stable for rows that are equal in it.
void sort_rows(Matrix& matrix) {
  const auto newest_first = [](const auto& a, const auto& b) { return a.pytorch > b.pytorch; };
  std::stable_sort(matrix.releases.begin(), matrix.releases.end(), newest_first);
  std::stable_sort(matrix.builds.begin(), matrix.builds.end(), [](const Build& a, const Build& b) {
    if (a.pytorch != b.pytorch) return a.pytorch > b.pytorch;
    const auto key = [](const Build& build) {
      return std::tuple(build.index != "default", build.status, !build.cuda.has_value());
    };
    if (key(a) != key(b)) return key(a) < key(b);
    return a.cuda > b.cuda;
  });
  std::stable_sort(matrix.systems.begin(), matrix.systems.end(),
                   [](const OperatingSystem& a, const OperatingSystem& b) { return a.choice < b.choice; });
  std::stable_sort(matrix.branches.begin(), matrix.branches.end(),
                   [](const DriverBranch& a, const DriverBranch& b) { return a.branch > b.branch; });
  std::stable_sort(matrix.toolkits.begin(), matrix.toolkits.end(),
                   [](const Toolkit& a, const Toolkit& b) { return a.cuda > b.cuda; });
  sort_proofs(matrix);
}

std::string newest_date(const Matrix& matrix) {
  std::string date;
  const auto see = [&](const auto& rows) {
    for (const auto& row : rows) date = std::max(date, row.from.date);
  };
  see(matrix.releases);
  see(matrix.builds);
  see(matrix.companions);
  see(matrix.metapackages);
  see(matrix.broken);
  see(matrix.tombstones);
  see(matrix.nccls);
  see(matrix.families);
  see(matrix.toolkits);
  see(matrix.targets);
  see(matrix.cudnns);
  see(matrix.branches);
  see(matrix.forward_compat);
  see(matrix.gpus);
  see(matrix.first_drivers);
  see(matrix.systems);
  return date;
}

/// "manifests" for "/usr/share/torchkiln/manifests/": places must not depend on where the folder lies.
std::string short_name(const fs::path& directory) {
  const fs::path normal = directory.lexically_normal();
  const fs::path last = normal.has_filename() ? normal.filename() : normal.parent_path().filename();
  return last.empty() || last == "." || last == ".." ? "manifests" : last.string();
}

}  // namespace

void sort_proofs(Matrix& matrix) {
  std::stable_sort(matrix.proofs.begin(), matrix.proofs.end(),
                   [](const Proof& a, const Proof& b) { return a.from.date > b.from.date; });
}

base::Result<Matrix> read(const std::vector<ManifestFile>& files, const std::string& directory) {
  Matrix matrix;
  matrix.directory = directory;
  for (const auto& file : files) {
    const std::string place = directory + "/" + file.name;
    TK_TRY(auto document, document::Document::parse(file.text, place, ErrorCode::matrix_invalid));
    read_rows(document.root(), matrix);
    TK_CHECK(document.check());
  }
  matrix.revision = revision_of(files);
  matrix.date = newest_date(matrix);
  sort_rows(matrix);
  return matrix;
}

base::Result<Matrix> load(const fs::path& directory) {
  TK_TRY(const auto names, sys::list_directory(directory));
  std::vector<ManifestFile> files;
  for (const auto& file_name : names) {
    if (!file_name.ends_with(".toml") || file_name.starts_with('.')) continue;
    TK_TRY(auto text, sys::read_file(directory / file_name, k_manifest_bytes_max));
    files.push_back({file_name, std::move(text)});
  }
  if (files.empty() || files.size() > k_manifest_files_max)
    return base::fail_at(ErrorCode::matrix_invalid, {directory.string(), 0, 0},
                         files.empty() ? "the folder has no *.toml manifests"
                                       : fmt::format("the folder has more than {} manifests", k_manifest_files_max),
                         {"--manifests DIR names another folder"});
  auto matrix = read(files, short_name(directory));
  if (!matrix) {
    base::Error error = std::move(matrix).error();
    if (error.where) error.where->file = (directory / fs::path(error.where->file).filename()).string();
    return base::fail(std::move(error));
  }
  matrix->directory = directory.string();
  return matrix;
}

}  // namespace torchkiln::matrix
