#pragma once
// The layer catalog: what a layer's inputs are known to give. An entry is only a claim. When the layer is made, its
// digest proves the claim; when a layer of that digest is there already, wherever an image goes, nothing does: so
// an entry comes from what this machine made, from torchkiln itself, or from a catalog that somebody asked for by
// name.

#include "assembly/layer/layer_writer.hpp"
#include "foundation/base/error.hpp"

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace torchkiln::layer {

inline constexpr std::string_view k_catalog_media_type = "application/vnd.torchkiln.layers.v1+json";
/// A catalog with more bytes is not read.
inline constexpr std::uint64_t k_catalog_limit_bytes = 64ULL << 20;

/// The wheels that a layer was made of, so that a reader can see what an entry is about.
struct LayerOrigin {
  std::string python;                                             ///< "3.11"; empty: the same for every Python
  std::vector<std::pair<std::string, base::Digest>> wheels = {};  ///< file name and digest, by name
  bool operator==(const LayerOrigin&) const = default;
};

struct CatalogEntry {
  LayerFacts facts;
  std::string note = {};  ///< text kept by whoever made the layer
  LayerOrigin origin = {};
  bool operator==(const CatalogEntry&) const = default;
};

/// Entries by key, as they travel: "torchkiln.layers/1".
using CatalogEntries = std::map<std::string, CatalogEntry>;
std::string format_catalog(const CatalogEntries& entries);
/// Reads a whole catalog; what is wrong in it is an Error with the entry's key.
base::Result<CatalogEntries> parse_catalog(std::string_view json, const std::string& file);

class LayerCatalog {
 public:
  /// Entries of this machine lie in `folder`, a file each; `shipped` holds catalogs (*.json) that are only read,
  /// and need not exist.
  explicit LayerCatalog(std::filesystem::path folder, std::filesystem::path shipped = {});

  /// The facts under `key`; nothing when unknown or unreadable (the layer is then made again).
  std::optional<LayerFacts> find(const std::string& key) const;
  /// Text kept beside an entry by whoever made the layer.
  std::optional<std::string> find_note(const std::string& key) const;
  base::Result<void> add(const std::string& key, const CatalogEntry& entry) const;

  /// All entries of this machine; what cannot be read is left out.
  base::Result<CatalogEntries> own_entries() const;

 private:
  std::optional<CatalogEntry> find_entry(const std::string& key) const;

  struct Shipped;
  std::filesystem::path m_folder;
  std::shared_ptr<Shipped> m_shipped;  ///< read when it is first needed
};

}  // namespace torchkiln::layer
