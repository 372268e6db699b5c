#pragma once
// The layer catalog: what a layer's inputs are known to give. An entry is only a claim; whoever uses it checks
// that the blob is there, and the blob's name is its digest.

#include "assembly/layer/layer_writer.hpp"
#include "foundation/base/error.hpp"

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

namespace torchkiln::layer {

class LayerCatalog {
 public:
  explicit LayerCatalog(std::filesystem::path folder) : m_folder(std::move(folder)) {}

  /// The facts under `key`; nothing when unknown or unreadable (the layer is then made again).
  std::optional<LayerFacts> find(const std::string& key) const;
  base::Result<void> add(const std::string& key, const LayerFacts& facts) const;

  /// Text kept beside an entry by whoever made the layer.
  std::optional<std::string> find_note(const std::string& key) const;
  base::Result<void> add_note(const std::string& key, std::string_view text) const;

 private:
  std::filesystem::path m_folder;
};

}  // namespace torchkiln::layer
