#include "assembly/engine/image.hpp"

#include "assembly/engine/pack_layers.hpp"
#include "foundation/base/text.hpp"

namespace torchkiln::engine {

using base::Result;

namespace {
oci::Healthcheck docker_form(const recipe::HealthCheck& health) {
  oci::Healthcheck form{{"CMD"}, health.interval_s, health.timeout_s, health.start_period_s, health.retries};
  form.test.insert(form.test.end(), health.command.begin(), health.command.end());
  return form;
}
}  // namespace

Result<oci::Image> put_image(const lock::Lock& lock, const recipe::Recipe& recipe, const ImageLayers& ready,
                             const std::vector<recipe::AddedFile>& own, layer::LayerFormat format,
                             const Cache& cache, const oci::Layout& layout, base::Progress& progress) {
  auto layers = ready.in_order(recipe, lock.resolution.os);
  TK_TRY(auto configuration, make_configuration_layer(lock, recipe, ready, own, cache));
  layers.push_back(std::move(configuration));
  StackedLayers stacked;
  TK_TRY(auto packed, pack_layers(layers, format, cache, layout, stacked.elsewhere, progress));
  for (std::size_t i = 0; i < layers.size(); ++i) {
    stacked.descriptors.push_back(std::move(packed[i].descriptor));
    stacked.diff_ids.push_back(packed[i].diff_id);
    stacked.made_by.push_back(std::move(layers[i].made_by));
  }
  return put_image(lock, recipe, std::move(stacked), layout);
}

Result<oci::Image> put_image(const lock::Lock& lock, const recipe::Recipe& recipe, StackedLayers layers,
                             const oci::Layout& layout) {
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
  config.execution.exposed_ports.insert(recipe.ports.begin(), recipe.ports.end());
  config.execution.stop_signal = "SIGTERM";
  config.execution.healthcheck = docker_form(recipe.health);
  config.diff_ids = std::move(layers.diff_ids);
  for (auto& made_by : layers.made_by) config.history.push_back({config.created, std::move(made_by)});
  image.layers = std::move(layers.descriptors);
  image.elsewhere = std::move(layers.elsewhere);
  for (const char* key :
       {"org.opencontainers.image.title", "org.opencontainers.image.version", "org.opencontainers.image.created"})
    image.annotations[key] = recipe.labels.at(key);
  TK_TRY(auto descriptor, layout.put_image(image));
  return oci::Image{std::move(descriptor), recipe.tag, recipe.reference};
}

}  // namespace torchkiln::engine
