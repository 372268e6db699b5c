#pragma once
// Proofs in a file of their own, proofs.toml: read beside the manifests, and added to as stamps come in.

#include "foundation/base/error.hpp"
#include "knowledge/matrix/matrix.hpp"

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace torchkiln::matrix {

/// What the file is called, in a folder of manifests or in the user's configuration.
inline constexpr std::string_view k_proofs_file = "proofs.toml";

/// Adds the proofs of a file that lies elsewhere than the manifests; the rest of the matrix stays as it is. The
/// file may hold no other rows. Its name alone is what Places begin with.
base::Result<void> load_proofs(const std::filesystem::path& file, Matrix& matrix);

/// A file of proofs after more of them came in.
struct ExtendedProofs {
  std::string text;
  std::vector<Proof> added;
  std::vector<Proof> known;  ///< that were there already
};
/// `text` (empty: there is no such file yet) with a row at its end for each of `proofs` that it does not have. A
/// stamp and a GPU are one row. What stands in it already stays as it is. `file` is for messages.
base::Result<ExtendedProofs> with_proofs(const std::string& text, const std::string& file,
                                         const std::vector<Proof>& proofs);

}  // namespace torchkiln::matrix
