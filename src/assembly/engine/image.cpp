#include "assembly/engine/image.hpp"

#include "foundation/base/text.hpp"

#include <fmt/format.h>

namespace torchkiln::engine {

using base::Result;

Result<oci::Image> put_image(const lock::Lock& lock, const recipe::Recipe& recipe, const Parts& parts,
                             const std::vector<ReadyLayer>& extra, const Cache& cache, const oci::Layout& layout) {
  std::vector<ReadyLayer> layers = {{parts.system.layer, fmt::format("torchkiln system {}", lock.resolution.os)}};
  layers.insert(layers.end(), parts.wheels.begin(), parts.wheels.end());
  TK_TRY(auto configuration, make_configuration_layer(lock, recipe, parts.system, cache));
  layers.push_back(std::move(configuration));
  layers.insert(layers.end(), extra.begin(), extra.end());

  oci::ImageParts image;
  image.tag = recipe.tag;
  image.name = recipe.reference;
  auto& config = image.config;
  config.created = base::format_time(recipe.created_s);
  config.architecture = lock.resolution.architecture == "aarch64" ? "arm64" : "amd64";
  config.execution.user = recipe.user;
  for (const auto& [key, value] : recipe.environment) config.execution.environment.push_back(key + "=" + value);
  config.execution.entrypoint = recipe.entrypoint;
  config.execution.command = recipe.command;
  config.execution.working_directory = recipe.working_directory;
  config.execution.labels = recipe.labels;
  for (const auto& one : layers) {
    TK_TRY(auto descriptor, layout.add_file(cache.blobs().path(one.facts.digest), one.facts.digest,
                                            layer::k_layer_media_type, oci::Trust::digest_as_given));
    image.layers.push_back(std::move(descriptor));
    config.diff_ids.push_back(one.facts.diff_id);
    config.history.push_back({config.created, one.made_by});
  }
  for (const char* key :
       {"org.opencontainers.image.title", "org.opencontainers.image.version", "org.opencontainers.image.created"})
    image.annotations[key] = recipe.labels.at(key);
  TK_TRY(auto descriptor, layout.put_image(image));
  return oci::Image{std::move(descriptor), recipe.tag, recipe.reference};
}

}  // namespace torchkiln::engine
