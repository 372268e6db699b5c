#pragma once
// Specs that extend others: `extends = "../base/kiln.toml"`. The image of such a spec is that of the spec below
// with more on top, so it has all of its layers.

#include "foundation/base/error.hpp"
#include "knowledge/spec/spec.hpp"

#include <filesystem>
#include <vector>

namespace torchkiln::spec {

/// How many specs may stand on top of each other: each adds layers, and an image has room for so many.
inline constexpr std::size_t k_family_limit = 5;

/// The spec in `file` and those that it extends, lowest first, each with all that those before it say. spec_invalid
/// at the place of `extends` when there is no such file, when specs extend each other in a circle, or when there
/// are more than k_family_limit.
base::Result<std::vector<Spec>> read_family(const std::filesystem::path& file);

}  // namespace torchkiln::spec
