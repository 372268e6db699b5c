#include "assembly/oci/contents.hpp"

#include <set>

namespace torchkiln::oci {

using base::Result;

Result<Contents> read_contents(const Layout& layout, const Image& image) {
  Contents contents;
  TK_TRY(contents.manifest, layout.read_manifest(image.descriptor));
  TK_TRY(contents.config, layout.read_config(contents.manifest));
  const auto& manifest = contents.manifest;
  const auto& config = contents.config;
  if (manifest.layers.size() != config.diff_ids.size())
    return base::fail_at(base::ErrorCode::input_invalid, {layout.blob_path(image.descriptor.digest).string(), 0, 0},
                         "has " + std::to_string(manifest.layers.size()) + " layers, its configuration " +
                             std::to_string(config.diff_ids.size()));
  std::vector<std::string> made_by;
  for (const auto& entry : config.history)
    if (entry.kind == HistoryKind::layer) made_by.push_back(entry.created_by);
  made_by.resize(manifest.layers.size());
  for (std::size_t i = 0; i < manifest.layers.size(); ++i)
    contents.layers.push_back({manifest.layers[i], config.diff_ids[i], made_by[i]});
  contents.documents_bytes = image.descriptor.size_bytes + manifest.config.size_bytes;
  return contents;
}

Difference compare(const std::vector<LayerContent>& has, const std::vector<LayerContent>& gets) {
  Difference difference;
  std::set<base::Digest> present, wanted;
  for (const auto& layer : has) present.insert(layer.descriptor.digest);
  for (const auto& layer : gets) {
    if (!wanted.insert(layer.descriptor.digest).second) continue;
    const bool is_here = present.contains(layer.descriptor.digest);
    (is_here ? difference.shared : difference.to_fetch).push_back(layer);
    (is_here ? difference.shared_bytes : difference.fetch_bytes) += layer.descriptor.size_bytes;
  }
  for (const auto& layer : has)
    if (!wanted.contains(layer.descriptor.digest)) difference.left.push_back(layer);
  return difference;
}

}  // namespace torchkiln::oci
