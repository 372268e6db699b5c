// What the direct engine would do, without doing it.

#include "assembly/engine/bytecode.hpp"
#include "assembly/engine/download_list.hpp"
#include "assembly/engine/layer_survey.hpp"
#include "assembly/engine/pack_layers.hpp"
#include "assembly/engine/verifier.hpp"

#include <fmt/format.h>

namespace torchkiln::engine {

using base::Result;

Result<LayersPlan> plan_layers(const LayersRequest& request, layer::LayerFormat format, const Cache& cache) {
  TK_ASSERT(!request.recipes.empty(), "there is an image to plan");
  TK_TRY(auto survey, LayerSurvey::make(request, cache));
  LayersPlan plan;
  DownloadList downloads;
  std::set<base::Digest> missing;
  for (const auto& [key, root] : survey.roots)
    if (root.is_missing)
      for (const auto* deb : root.debs) downloads.want(cache, deb->url, deb->digest, deb->size_bytes, missing);
  for (const auto& [key, layer] : survey.wheel_layers)
    if (!layer.facts)
      for (const auto wheel : layer.wheels) {
        const auto& locked = request.lock.wheels[wheel];
        downloads.want(cache, locked.url, locked.digest, locked.size_bytes, missing);
      }
  for (const auto* archives : {&survey.python, &survey.toolkit})
    if (*archives && (*archives)->is_missing)
      for (const auto* archive : (*archives)->archives)
        downloads.want(cache, archive->url, archive->digest, archive->size_bytes, missing);
  plan.downloads = downloads.files.size();
  plan.download_bytes = downloads.total_bytes;

  const auto planned = [&](std::string what, std::vector<std::size_t> wheels,
                           const std::optional<layer::LayerFacts>& facts) {
    PlannedLayer layer{std::move(what), std::move(wheels), facts, {}, Presence::absent};
    if (!facts) return layer;
    layer.presence = survey.presence(*facts);
    if (format == layer::LayerFormat::raw)
      layer.blob_bytes = facts->unpacked_bytes;
    else if (const auto known = known_conversion(*facts, format, cache.catalog()))
      layer.blob_bytes = known->facts.size_bytes;
    return layer;
  };
  const auto layer_of = [](const auto& facts) {
    return facts ? std::optional(facts->layer) : std::optional<layer::LayerFacts>();
  };
  for (std::size_t i = 0; i < request.recipes.size(); ++i) {
    const auto& recipe = request.recipes[i];
    std::vector<PlannedLayer> layers;
    const auto add_wheels = [&](const recipe::WheelLayers& all) {
      for (const auto& wheels : all)
        layers.push_back(planned(wheels_made_by(request.lock, wheels), wheels,
                                 survey.wheel_layers.at(survey.wheels_key(wheels)).claim));
    };
    const auto add_packages = [&](std::string what, const SurveyedRoot& lower, const SurveyedRoot& upper) {
      const auto& delta = survey.deltas.at(LayerSurvey::delta_key(lower, upper));
      layers.push_back(planned(std::move(what), {}, layer_of(delta.facts)));
    };
    for (auto& one : survey.image_layers()) {
      auto layer = planned(std::move(one.made_by), {}, one.facts);
      layer.blob_bytes = one.facts.size_bytes;
      layers.push_back(std::move(layer));
    }
    if (layers.empty())
      layers.push_back(planned("torchkiln system " + request.lock.resolution.os, {},
                               layer_of(survey.roots.at(survey.root_for({}).key()).facts)));
    if (survey.has_system_packages())
      add_packages("torchkiln packages of " + request.lock.resolution.os, survey.image_root(), survey.root_for({}));
    if (survey.python) layers.push_back(planned(python_made_by(request.lock), {}, survey.python->facts));
    add_wheels(recipe.wheel_layers);
    if (request.bytecode_compiler) layers.push_back(planned(std::string(k_bytecode_made_by), {}, survey.bytecode));
    if (request.verifier_source)
      layers.push_back(planned(verifier_made_by(*request.verifier_source), {}, survey.verifiers[i]));
    spec::Variant below;
    for (const auto& part : recipe.parts) {
      if (part.has_packages)
        add_packages(fmt::format("torchkiln packages {}", name(part.part)), survey.root_for(below),
                     survey.root_for(part.up_to));
      if (part.has_archives) layers.push_back(planned(toolkit_made_by(request.lock), {}, survey.toolkit->facts));
      add_wheels(part.wheel_layers);
      below = part.up_to;
    }
    for (std::size_t k = 0; k < recipe.extensions.size(); ++k) {
      if (recipe.extensions[k].has_packages)
        add_packages("torchkiln packages of the extension", survey.root_for(recipe.variant, k),
                     survey.root_for(recipe.variant, k + 1));
      add_wheels(recipe.extensions[k].wheel_layers);
    }
    plan.images.push_back(std::move(layers));
  }
  return plan;
}

}  // namespace torchkiln::engine
