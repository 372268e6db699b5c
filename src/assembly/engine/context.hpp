#pragma once
// Build contexts on disk: for each variant a folder with Dockerfile and all that it needs, for docker, podman or
// buildah, without torchkiln.

#include "assembly/engine/direct.hpp"
#include "plan/recipe/dockerfile.hpp"

#include <filesystem>
#include <span>
#include <vector>

namespace torchkiln::engine {

/// Where our own files lie.
struct DataFolders {
  std::filesystem::path templates, images;
};

enum class Verifier { in_the_image, left_out };

/// Writes a context for each recipe below `folder`, in a folder named as the variant is in tags; their paths. Files
/// that an earlier call left there are replaced.
base::Result<std::vector<std::filesystem::path>> write_contexts(
    const lock::Lock& lock, std::span<const recipe::Recipe> recipes, Verifier verifier, const DataFolders& data,
    const std::filesystem::path& folder, const Cache& cache, sys::HttpClient& http, base::Progress& progress);

}  // namespace torchkiln::engine
