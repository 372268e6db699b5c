#pragma once
// Python's bytecode of the wheels that all variants share, as a layer of its own above them: who may not write into
// the image compiles every module at each start otherwise. The image's own interpreter makes it, in one process and
// with a fixed hash seed, so that it has the same bytes each time.

#include "assembly/engine/direct.hpp"

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace torchkiln::engine {

/// What the history says of the layer.
inline constexpr std::string_view k_bytecode_made_by = "torchkiln bytecode";

/// The layer for an image of these parts. `compiler` is images/bytecode. Made once for each combination of compiler,
/// interpreter and wheels.
base::Result<ReadyLayer> make_bytecode_layer(const lock::Lock& lock, const recipe::Recipe& recipe,
                                             const ImageLayers& image, const std::filesystem::path& compiler,
                                             const Cache& cache, base::Progress& progress);

/// SHA-256 of what compiles.
base::Result<base::Digest> bytecode_compiler_digest(const std::filesystem::path& compiler);

/// The catalog key of the layer. `interpreter_diff_id` is that of the layer which Python comes in.
std::string bytecode_key(const base::Digest& compiler, const base::Digest& interpreter_diff_id,
                         const std::vector<base::Digest>& wheel_diff_ids);

}  // namespace torchkiln::engine
