#pragma once
// Images built from a context by docker (BuildKit), podman or buildah. What they build stays in the engine's own
// store under its full name, and its layers come into a layout, with the configuration that the recipe gives:
// engines differ in what of it they keep (buildah and podman drop a health check from OCI images).

#include "assembly/engine/cache.hpp"
#include "assembly/oci/layout.hpp"
#include "foundation/base/progress.hpp"
#include "plan/lock/lock.hpp"
#include "plan/recipe/recipe.hpp"

#include <filesystem>
#include <optional>
#include <string_view>

namespace torchkiln::engine {

enum class Builder { direct, docker, podman, buildah };
/// "direct", "docker", "podman", "buildah".
std::string_view name(Builder builder);
std::optional<Builder> parse_builder(std::string_view text);

/// Builds the context that write_contexts() made for the recipe. The wheels come from the very addresses of the
/// lock, which the engine gets as a secret, as it does the certificate authorities of this machine: nothing of
/// either stays in the image. Fails with tool_missing, or with tool_failed and the last lines that the engine said.
base::Result<oci::Image> build_context(Builder builder, const lock::Lock& lock, const recipe::Recipe& recipe,
                                       const std::filesystem::path& context, const oci::Layout& layout,
                                       const Cache& cache, base::Progress& progress);

}  // namespace torchkiln::engine
