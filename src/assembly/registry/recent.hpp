#pragma once
// The repositories that this machine pushed to last. A registry gives their blobs to another repository of its own
// when it is told where they are (cross-repository mount; OCI distribution-spec 1.1), so that nothing is sent twice.

#include "foundation/base/error.hpp"

#include <filesystem>
#include <string>
#include <vector>

namespace torchkiln::registry {

/// How many are remembered of each registry. Each costs a request for a blob that none of them has.
inline constexpr std::size_t k_recent_repositories = 2;

/// Those of `host`, newest first. They only save time: what cannot be read or is no repository's name is left out.
std::vector<std::string> recent_repositories(const std::filesystem::path& folder, const std::string& host);

/// Puts `repository` before the others.
base::Result<void> note_repository(const std::filesystem::path& folder, const std::string& host,
                                   const std::string& repository);

}  // namespace torchkiln::registry
