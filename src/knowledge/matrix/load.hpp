#pragma once
// Reading manifests/ and judging it.

#include "foundation/base/error.hpp"
#include "knowledge/matrix/matrix.hpp"

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace torchkiln::matrix {

/// Limits of a manifests folder.
inline constexpr std::size_t k_manifest_files_max = 256;
inline constexpr std::size_t k_manifest_bytes_max = 4U << 20;

/// A manifest file given as text, for tests and for load().
struct ManifestFile {
  std::string name;  ///< "pytorch-2.8.toml"
  std::string text;
};

/// Every *.toml of `directory`. Fails with file:line for what is no TOML, an unknown key, a missing or bad value;
/// rows that contradict each other are left to check().
base::Result<Matrix> load(const std::filesystem::path& directory);
/// The same from texts; `directory` is the name that Places begin with.
base::Result<Matrix> read(const std::vector<ManifestFile>& files, const std::string& directory);

/// Something wrong with the data, or missing from it.
struct Finding {
  enum class Kind { error, gap };
  Kind kind = Kind::error;
  base::Place place;
  std::string text;
};

/// References to rows that do not exist, duplicates, impossible ranges and dates (errors), and facts nobody knows
/// yet (gaps); in the order of places.
std::vector<Finding> check(const Matrix& matrix);

}  // namespace torchkiln::matrix
