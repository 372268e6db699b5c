#include "assembly/engine/shared_catalog.hpp"

#include "foundation/sys/files.hpp"

namespace torchkiln::engine {

using base::ErrorCode;
using base::Result;
namespace fs = std::filesystem;

namespace {

/// How often others may come first before we give up adding.
constexpr unsigned k_merge_attempts = 10;

Result<layer::CatalogEntries> read_document(const registry::Document& document,
                                            const registry::Repository& repository, const std::string& name,
                                            const fs::path& work) {
  const auto what = repository.to_string() + ":" + name;
  const auto bad = [&](const std::string& why) {
    return base::fail_at(ErrorCode::input_invalid, {what, 0, 0}, why,
                         {"torchkiln cache catalog push makes a layer catalog"});
  };
  TK_TRY(const auto manifest, oci::parse_manifest(document.bytes, what));
  if (manifest.artifact_type != k_catalog_artifact_type || manifest.layers.size() != 1 ||
      manifest.layers.front().media_type != layer::k_catalog_media_type)
    return bad("is no layer catalog");
  const auto& blob = manifest.layers.front();
  if (blob.size_bytes > layer::k_catalog_limit_bytes)
    return bad("is a layer catalog of " + std::to_string(blob.size_bytes) + " bytes; the limit is " +
               std::to_string(layer::k_catalog_limit_bytes));
  TK_TRY(const auto folder, sys::TemporaryDirectory::create(work, "catalog-"));
  const auto file = folder.path() / "catalog.json";
  TK_CHECK(repository.pull_blob(blob, file, [](std::uint64_t) {}));
  TK_TRY(const auto text, sys::read_file(file));
  return layer::parse_catalog(text, what);
}

Result<void> push_bytes(const registry::Repository& repository, const oci::Descriptor& descriptor,
                        std::string_view bytes, const fs::path& folder) {
  const auto file = folder / descriptor.digest.hex();
  TK_CHECK(sys::write_file(file, bytes));
  TK_CHECK(repository.push_blob(descriptor, file, {}, [](std::uint64_t) {}));
  return {};
}

}  // namespace

Result<layer::CatalogEntries> pull_catalog(const registry::Repository& repository, const std::string& tag_or_digest,
                                           const fs::path& work) {
  TK_TRY(const auto document, repository.fetch(tag_or_digest));
  if (!document)
    return base::fail(ErrorCode::network_failed,
                      "there is nothing under " + repository.to_string() + ":" + tag_or_digest,
                      {"torchkiln cache catalog push makes it"});
  return read_document(*document, repository, tag_or_digest, work);
}

Result<PushedCatalog> push_catalog(const layer::CatalogEntries& entries, const registry::Repository& repository,
                                   const std::string& tag, const fs::path& work) {
  TK_TRY(const auto folder, sys::TemporaryDirectory::create(work, "catalog-"));
  for (unsigned attempt = 1; attempt <= k_merge_attempts; ++attempt) {
    TK_TRY(const auto before, repository.fetch(tag));
    layer::CatalogEntries all;
    if (before) {
      TK_TRY(all, read_document(*before, repository, tag, work));
    }
    PushedCatalog pushed;
    for (const auto& [key, entry] : entries) {
      const auto found = all.find(key);
      if (found == all.end() || !(found->second == entry)) ++pushed.added;
      all.insert_or_assign(key, entry);
    }
    pushed.entries = all.size();
    if (before && pushed.added == 0) {
      pushed.digest = before->digest;
      return pushed;
    }
    const auto bytes = layer::format_catalog(all);
    oci::Manifest manifest;
    manifest.artifact_type = k_catalog_artifact_type;
    manifest.config = oci::empty_descriptor();
    manifest.layers.push_back({std::string(layer::k_catalog_media_type), base::Digest::of(bytes), bytes.size()});
    TK_CHECK(push_bytes(repository, manifest.config, oci::k_empty_blob, folder.path()));
    TK_CHECK(push_bytes(repository, manifest.layers.front(), bytes, folder.path()));
    TK_TRY(auto text, oci::to_bytes(manifest));
    const auto digest = base::Digest::of(text);
    const registry::Document document{std::move(text), std::string(oci::k_manifest_type), digest,
                                      before ? before->etag : ""};
    TK_TRY(const auto stored, repository.store(document, tag));
    if (!stored) continue;  // somebody else was faster
    pushed.digest = digest;
    return pushed;
  }
  return base::fail(ErrorCode::network_failed,
                    "others kept changing " + repository.to_string() + ":" + tag + " at the same time",
                    {"try again"});
}

}  // namespace torchkiln::engine
