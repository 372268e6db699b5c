#pragma once
// The in-image test, compiled for one image: in a root of the image's own base with a compiler added, against the
// exact torch of the image, never with the host's compiler or headers. The result is a small layer.

#include "assembly/engine/direct.hpp"

#include <filesystem>

namespace torchkiln::engine {

/// The verifier's layer for an image of these parts. `source` is images/verifier. Compiled once for each
/// combination of source, build root and wheels.
base::Result<ReadyLayer> make_verifier_layer(const lock::Lock& lock, const recipe::Recipe& recipe,
                                             const ImageLayers& image, const std::filesystem::path& source,
                                             const Cache& cache, base::Progress& progress);

/// The catalog key of the verifier's layer, compiled from these sources in this build root against these wheels'
/// layers.
std::string verifier_key(const base::Digest& source, const base::Digest& build_root_diff_id,
                         const recipe::Recipe& recipe, const std::vector<base::Digest>& wheel_diff_ids);
/// What the history says of it.
std::string verifier_made_by(const base::Digest& source);

/// SHA-256 over the names and contents of the verifier's sources.
base::Result<base::Digest> verifier_source_digest(const std::filesystem::path& source);

/// The Debian packages that compiling needs: the lines of images/verifier/build-packages.txt.
base::Result<std::vector<std::string>> verifier_build_packages(const std::filesystem::path& source);

}  // namespace torchkiln::engine
