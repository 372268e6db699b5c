// The second half of the direct engine: makes what the survey found missing. Downloads, the bootstraps of Debian
// bases and the conversion of wheels overlap.

#include "assembly/engine/bytecode.hpp"
#include "assembly/engine/download_list.hpp"
#include "assembly/engine/layer_survey.hpp"
#include "assembly/engine/verifier.hpp"
#include "assembly/layer/wheel_layer.hpp"
#include "foundation/base/text.hpp"
#include "foundation/sys/environment.hpp"
#include "foundation/sys/workers.hpp"

#include <algorithm>
#include <atomic>
#include <future>
#include <limits>
#include <memory>

#include <fmt/format.h>

namespace torchkiln::engine {

using base::Result;

namespace {

/// What has to come before something can be made of it.
struct Awaited {
  std::set<base::Digest> missing;
  std::function<void()> start;
};

class LayersBuilder {
 public:
  LayersBuilder(const LayersRequest& request, LayerSurvey& survey, const Cache& cache, sys::HttpClient& http,
                base::Progress& progress)
      : m_request(request), m_survey(survey), m_cache(cache), m_http(http), m_progress(progress) {}

  /// A second round is for wheels in the cache that turned out to be damaged.
  Result<void> run() {
    TK_CHECK(check_packages());
    for (int round = 0; round < 2 && (round == 0 || !missing_layers().empty()); ++round) TK_CHECK(make_missing());
    TK_ASSERT(missing_layers().empty(), "what was fetched just now is whole");
    return make_deltas();
  }

  Result<std::vector<ImageLayers>> images() const {
    std::vector<ImageLayers> images;
    for (std::size_t i = 0; i < m_request.recipes.size(); ++i) images.push_back(layers_of(i));
    return images;
  }

 private:
  const lock::Lock& lock() const { return m_request.lock; }
  const wheel::InstallScheme& scheme() const { return m_request.recipes.front().scheme; }

  std::vector<SurveyedWheels*> missing_layers() const {
    std::vector<SurveyedWheels*> missing;
    for (auto& [key, layer] : m_survey.wheel_layers)
      if (!layer.facts) missing.push_back(&layer);
    // Large ones first, for an even end.
    std::stable_sort(missing.begin(), missing.end(), [&](const SurveyedWheels* a, const SurveyedWheels* b) {
      return m_survey.wheel_bytes(*a) > m_survey.wheel_bytes(*b);
    });
    return missing;
  }

  /// Nothing else proves a Debian package or an archive once it is unpacked; a wheel is checked while it becomes a
  /// layer.
  Result<void> check_packages() {
    std::set<base::Digest> checked;
    const auto check = [&](const base::Digest& digest, const std::string& url) -> Result<void> {
      if (!m_cache.blobs().contains(digest) || !checked.insert(digest).second) return {};
      TK_TRY(const bool whole, m_cache.blobs().contains_whole(digest));
      if (!whole) warn_damaged(url);
      return {};
    };
    for (const auto& [key, root] : m_survey.roots)
      if (root.is_missing)
        for (const auto* deb : root.debs) TK_CHECK(check(deb->digest, deb->url));
    for (const auto* archives : {&m_survey.python, &m_survey.toolkit})
      if (*archives && (*archives)->is_missing)
        for (const auto* archive : (*archives)->archives) TK_CHECK(check(archive->digest, archive->url));
    return {};
  }
  void warn_damaged(const std::string& url) {
    m_progress.warn("the cached copy of " + base::without_credentials(url) + " was damaged; fetching it again");
  }

  /// The small Debian packages come first, since their bootstrap takes longest, then large wheels before small
  /// ones.
  Result<void> make_missing() {
    DownloadList downloads;
    std::vector<Awaited> awaited;
    for (auto& [key, root] : m_survey.roots) {
      if (!root.is_missing) continue;
      Awaited one;
      for (const auto* deb : root.debs)
        downloads.want(m_cache, deb->url, deb->digest, deb->size_bytes, one.missing);
      one.start = [this, &root = root] { submit_bootstrap(root); };
      awaited.push_back(std::move(one));
    }
    for (auto* archives : {&m_survey.python, &m_survey.toolkit}) {
      if (!*archives || !(*archives)->is_missing) continue;
      Awaited one;
      for (const auto* archive : (*archives)->archives)
        downloads.want(m_cache, archive->url, archive->digest, archive->size_bytes, one.missing);
      one.start = [this, archives] { submit_archives(**archives); };
      awaited.push_back(std::move(one));
    }
    const auto layers = missing_layers();
    m_conversion_bytes = 0;
    m_converted = 0;
    for (auto* layer : layers) {
      Awaited one;
      for (const auto wheel : layer->wheels) {
        const auto& locked = lock().wheels[wheel];
        downloads.want(m_cache, locked.url, locked.digest, locked.size_bytes, one.missing);
      }
      m_conversion_bytes += m_survey.wheel_bytes(*layer);
      one.start = [this, layer] { submit_layer(*layer); };
      awaited.push_back(std::move(one));
    }
    if (awaited.empty()) return {};
    TK_CHECK(check_space(downloads.total_bytes + m_conversion_bytes));
    for (const auto& file : downloads.files) m_fetched.insert(file.digest);
    return work(downloads, awaited, layers.size());
  }

  Result<void> check_space(std::uint64_t needed) const {
    TK_TRY(const auto free, sys::free_space_bytes(m_cache.root()));
    if (free >= needed) return {};
    return base::fail(base::ErrorCode::disk_full,
                      fmt::format("{} has {} free, and this image needs {} there", m_cache.root().string(),
                                  base::format_bytes(free), base::format_bytes(needed)),
                      {"free some space, or name another folder with --cache DIR"});
  }

  Result<void> work(const DownloadList& downloads, std::vector<Awaited>& awaited, std::size_t layers) {
    sys::Workers workers(sys::processor_count() + 1);  // one for programs that wait for others
    m_workers = &workers;
    if (layers > 0)
      m_conversion =
          std::make_unique<base::Step>(m_progress, "Converting", fmt::format("{} layers of wheels", layers));
    for (auto& one : awaited)
      if (one.missing.empty()) one.start();
    TK_CHECK(download(downloads, awaited));
    TK_CHECK(workers.wait());
    if (m_conversion)
      m_conversion->end(fmt::format("{}, nothing recompressed", base::format_bytes(m_conversion_bytes)));
    m_conversion.reset();
    return {};
  }

  Result<void> download(const DownloadList& downloads, std::vector<Awaited>& awaited) {
    if (downloads.files.empty()) return {};
    base::Step step(m_progress, "Downloading", fmt::format("{} files", downloads.files.size()));
    std::uint64_t arrived = 0;
    TK_CHECK(m_http.download_all(
        downloads.files,
        [&](std::size_t i) -> Result<void> {
          if (m_workers->failed()) return m_workers->wait();
          for (auto& one : awaited)
            if (one.missing.erase(downloads.files[i].digest) && one.missing.empty()) one.start();
          return {};
        },
        [&](std::uint64_t bytes) {
          arrived += bytes;
          step.update(arrived, downloads.total_bytes);
        }));
    step.end(base::format_bytes(arrived));
    return {};
  }

  void submit_bootstrap(SurveyedRoot& root) {
    m_workers->submit(
        [this, &root]() -> Result<void> {
          base::Step step(m_progress, "Bootstrapping", root.what);
          TK_TRY(root.facts, layer::make_base(root.request(), m_cache.blobs(), m_cache.blobs(), m_cache.catalog(),
                                              sys::processor_count(), step));
          root.is_missing = false;
          step.end(fmt::format("{} packages, {}", root.packages.size(),
                               base::format_bytes(root.facts->layer.size_bytes)));
          return {};
        },
        std::numeric_limits<std::int64_t>::max());
  }

  void submit_archives(SurveyedArchives& archives) {
    m_workers->submit(
        [this, &archives]() -> Result<void> {
          base::Step step(m_progress, "Converting", "archives for /" + archives.folder);
          TK_TRY(archives.facts, layer::make_archive_layer(archives.cached, archives.folder, m_cache.blobs(),
                                                           m_cache.work(), sys::processor_count()));
          archives.is_missing = false;
          TK_CHECK(m_cache.catalog().add(archives.key, {*archives.facts}));
          for (const auto& archive : archives.cached) TK_CHECK(m_cache.blobs().remove(archive.digest));
          step.end(base::format_bytes(archives.facts->size_bytes));
          return {};
        },
        std::numeric_limits<std::int64_t>::max());
  }

  void submit_layer(SurveyedWheels& layer) {
    m_workers->submit([this, &layer] { return convert(layer); },
                      static_cast<std::int64_t>(m_survey.wheel_bytes(layer)));
  }

  Result<void> convert(SurveyedWheels& layer) {
    TK_TRY(auto facts, layer.claim ? copy(layer) : std::optional<layer::LayerFacts>());
    if (!facts) {
      TK_TRY(facts, make(layer));
    }
    if (!facts) return {};  // a wheel was damaged: once more, from what is fetched then
    layer.facts = facts;
    if (layer.wheels.size() == 1)
      if (const auto& only = lock().wheels[layer.wheels[0]]; only.size_bytes >= recipe::k_own_layer_bytes)
        TK_CHECK(m_cache.blobs().remove(only.digest));
    m_conversion->update(m_converted += m_survey.wheel_bytes(layer), m_conversion_bytes);
    return {};
  }

  Result<std::vector<wheel::Wheel>> open(const SurveyedWheels& layer) const {
    std::vector<wheel::Wheel> wheels;
    for (const auto index : layer.wheels) {
      const auto& locked = lock().wheels[index];
      TK_TRY(auto opened, wheel::Wheel::open(m_cache.blobs().path(locked.digest), locked.file_name));
      wheels.push_back(std::move(opened));
    }
    return wheels;
  }

  /// The layer that is claimed, if the wheels give it. Its digest proves the wheels too.
  Result<std::optional<layer::LayerFacts>> copy(const SurveyedWheels& layer) {
    const auto wheels = open(layer);
    if (!wheels) return std::optional<layer::LayerFacts>();  // make() says what is wrong
    auto copied = layer::copy_wheel_layer(*wheels, scheme(), layer.claim->digest, m_cache.blobs());
    if (copied && *copied) {
      TK_CHECK(note(layer, *wheels, *layer.claim));
      return layer.claim;
    }
    if (!copied && copied.error().code != base::ErrorCode::input_invalid &&
        copied.error().code != base::ErrorCode::integrity_failed)
      return base::fail(std::move(copied).error());
    return std::optional<layer::LayerFacts>();
  }

  /// Makes the layer, and checks the wheels meanwhile where nobody did. Nothing when one of them is damaged.
  Result<std::optional<layer::LayerFacts>> make(const SurveyedWheels& layer) {
    auto checked = std::async(std::launch::async, [&] { return check_wheels(layer); });
    const auto wheels = open(layer);
    auto facts = wheels ? layer::make_wheel_layer(*wheels, scheme(), m_cache.blobs())
                        : Result<layer::LayerFacts>(base::fail(wheels.error()));
    TK_TRY(const bool whole, checked.get());
    if (!whole) {
      if (facts) TK_CHECK(m_cache.blobs().remove(facts->digest));
      return std::optional<layer::LayerFacts>();
    }
    if (!facts) return base::fail(std::move(facts).error());
    if (layer.claim && !(*layer.claim == *facts))
      m_progress.warn("what is said about the layer of " + wheels_made_by(lock(), layer.wheels) +
                      " is wrong: it was made anew");
    TK_CHECK(note(layer, *wheels, *facts));
    return std::optional(*facts);
  }

  /// Whether all wheels have the bytes they should have; those that have not are removed.
  Result<bool> check_wheels(const SurveyedWheels& layer) {
    bool all = true;
    for (const auto index : layer.wheels) {
      const auto& locked = lock().wheels[index];
      if (m_fetched.count(locked.digest)) continue;
      TK_TRY(const bool whole, m_cache.blobs().contains_whole(locked.digest));
      if (!whole) warn_damaged(locked.url);
      all = all && whole;
    }
    return all;
  }

  Result<void> note(const SurveyedWheels& layer, std::span<const wheel::Wheel> wheels,
                    const layer::LayerFacts& facts) const {
    const auto pythons = layer::pythons_of(wheels);
    layer::CatalogEntry entry{facts, "", {pythons == layer::Pythons::one ? scheme().python_version : ""}};
    std::vector<base::Digest> digests;
    for (const auto index : layer.wheels) {
      entry.origin.wheels.emplace_back(lock().wheels[index].file_name, lock().wheels[index].digest);
      digests.push_back(lock().wheels[index].digest);
    }
    return m_cache.catalog().add(wheel_layer_key(digests, scheme(), pythons), entry);
  }

  /// Each unpacks two roots: one after the other.
  Result<void> make_deltas() {
    for (auto& [key, delta] : m_survey.deltas) {
      if (!delta.is_missing) continue;
      const auto &lower = m_survey.roots.at(delta.lower), &upper = m_survey.roots.at(delta.upper);
      base::Step step(m_progress, "Comparing", fmt::format("{} with {}", upper.what, lower.what));
      TK_TRY(delta.facts, layer::make_delta(key, *lower.facts, *upper.facts, m_cache.blobs(), m_cache.catalog(),
                                            m_cache.work(), sys::processor_count()));
      step.end(base::format_bytes(delta.facts->layer.size_bytes));
    }
    return {};
  }

  std::vector<ReadyLayer> ready(const recipe::WheelLayers& plan) const {
    std::vector<ReadyLayer> layers;
    for (const auto& wheels : plan)
      layers.push_back(
          {*m_survey.wheel_layers.at(m_survey.wheels_key(wheels)).facts, wheels_made_by(lock(), wheels)});
    return layers;
  }

  ImageLayers layers_of(std::size_t image) const {
    const auto& recipe = m_request.recipes[image];
    const auto delta = [this](const SurveyedRoot& lower, const SurveyedRoot& upper) {
      return m_survey.deltas.at(LayerSurvey::delta_key(lower, upper)).facts;
    };
    ImageLayers layers;
    layers.system = *m_survey.roots.at(m_survey.root_for({}).key()).facts;
    layers.image = m_survey.image_layers();
    if (m_survey.has_system_packages())
      layers.system_packages = delta(m_survey.image_root(), m_survey.root_for({}));
    if (m_survey.python) layers.python = ReadyLayer{*m_survey.python->facts, python_made_by(lock())};
    if (m_request.build_root == BuildRoot::wanted)
      layers.build_root = m_survey.roots.at(m_survey.build_root().key()).facts;
    if (m_request.build_root == BuildRoot::wanted_as_delta)
      layers.build_packages = delta(m_survey.root_for({}), m_survey.build_root());
    if (const auto& verifier = m_survey.verifiers[image])
      layers.verifier = ReadyLayer{*verifier, verifier_made_by(*m_request.verifier_source)};
    layers.wheels = ready(recipe.wheel_layers);
    if (m_survey.bytecode) layers.bytecode = ReadyLayer{*m_survey.bytecode, std::string(k_bytecode_made_by)};
    spec::Variant below;
    for (const auto& plan : recipe.parts) {
      PartLayers part;
      if (plan.has_packages) part.packages = delta(m_survey.root_for(below), m_survey.root_for(plan.up_to));
      if (plan.has_archives) part.archives = ReadyLayer{*m_survey.toolkit->facts, toolkit_made_by(lock())};
      part.wheels = ready(plan.wheel_layers);
      below = plan.up_to;
      layers.parts.push_back(std::move(part));
    }
    for (std::size_t i = 0; i < recipe.extensions.size(); ++i) {
      ExtensionLayers extension;
      if (recipe.extensions[i].has_packages)
        extension.packages = delta(m_survey.root_for(recipe.variant, i), m_survey.root_for(recipe.variant, i + 1));
      extension.wheels = ready(recipe.extensions[i].wheel_layers);
      layers.extensions.push_back(std::move(extension));
    }
    return layers;
  }

  const LayersRequest& m_request;
  LayerSurvey& m_survey;
  const Cache& m_cache;
  sys::HttpClient& m_http;
  base::Progress& m_progress;

  std::set<base::Digest> m_fetched;  ///< just now, and checked on the way
  std::uint64_t m_conversion_bytes = 0;
  std::atomic<std::uint64_t> m_converted{0};
  std::unique_ptr<base::Step> m_conversion;
  sys::Workers* m_workers = nullptr;
};

}  // namespace

Result<std::vector<ImageLayers>> make_layers(const LayersRequest& request, const Cache& cache,
                                             sys::HttpClient& http, base::Progress& progress) {
  TK_ASSERT(!request.recipes.empty(), "there is an image to make layers for");
  TK_TRY(auto survey, LayerSurvey::make(request, cache));
  LayersBuilder builder(request, survey, cache, http, progress);
  TK_CHECK(builder.run());
  return builder.images();
}

}  // namespace torchkiln::engine
