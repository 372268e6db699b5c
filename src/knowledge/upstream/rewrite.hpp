#pragma once
// Changes to rows as changes to the manifests' text: lines that do not change stay as they are, comments included.
// Pure but for reading the folder.

#include "foundation/base/error.hpp"
#include "knowledge/matrix/load.hpp"
#include "knowledge/upstream/comparison.hpp"

#include <filesystem>
#include <vector>

namespace torchkiln::upstream {

/// The *.toml of a folder, sorted by name.
base::Result<std::vector<matrix::ManifestFile>> read_manifests(const std::filesystem::path& directory);

/// The files with what was added, changed and kept; what is gone stays. New rows stand where the order of their
/// table puts them, in a new file where their release has none. Checked before it is given back: the manifests can
/// be read, `matrix check` finds no error that it did not find before, and comparing them with the survey again
/// finds nothing to change. matrix_invalid otherwise, with what is wrong in the notes.
base::Result<std::vector<matrix::ManifestFile>> rewrite(const std::vector<matrix::ManifestFile>& files,
                                                        const std::vector<Change>& changes, const Survey& survey);

}  // namespace torchkiln::upstream
