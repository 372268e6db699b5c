#pragma once
// A layer catalog that a team keeps in a registry: an artifact (OCI image-spec v1.1, "Guidelines for Artifact
// Usage") with one blob, the catalog.

#include "assembly/layer/catalog.hpp"
#include "assembly/registry/repository.hpp"

#include <filesystem>
#include <string>

namespace torchkiln::engine {

inline constexpr std::string_view k_catalog_artifact_type = "application/vnd.torchkiln.catalog.v1";

/// The catalog under a tag or digest. An Error when there is none, or when it is something else.
base::Result<layer::CatalogEntries> pull_catalog(const registry::Repository& repository,
                                                 const std::string& tag_or_digest,
                                                 const std::filesystem::path& work);

struct PushedCatalog {
  base::Digest digest;      ///< of its manifest
  std::size_t added = 0;    ///< entries that were not there, or were different
  std::size_t entries = 0;  ///< now
};
/// Adds the entries to the catalog under the tag, beside what others add meanwhile; makes it where there is none.
base::Result<PushedCatalog> push_catalog(const layer::CatalogEntries& entries,
                                         const registry::Repository& repository, const std::string& tag,
                                         const std::filesystem::path& work);

}  // namespace torchkiln::engine
