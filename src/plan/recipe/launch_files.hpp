#pragma once
// The files that start the images of a family, beside their build contexts: compose.yaml, docker-bake.hcl,
// devcontainer.json, pod.yaml (Kubernetes) and an Apptainer definition for each variant. All grant as little as
// PyTorch needs: no new privileges, no capabilities, a read-only root where the tool allows it, enough shared
// memory.

#include "foundation/base/error.hpp"
#include "plan/lock/lock.hpp"
#include "plan/recipe/dockerfile.hpp"
#include "plan/recipe/recipe.hpp"

#include <filesystem>
#include <span>
#include <vector>

namespace torchkiln::recipe {

/// Paths are relative to the folder that holds the contexts, in which each recipe's is called as its variant is in
/// tags. `templates` is the folder of *.mustache files.
base::Result<std::vector<ContextFile>> render_launch_files(const lock::Lock& lock, std::span<const Recipe> recipes,
                                                           const std::filesystem::path& templates);

}  // namespace torchkiln::recipe
