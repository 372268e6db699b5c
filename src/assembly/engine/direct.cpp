#include "assembly/engine/direct.hpp"

#include "assembly/layer/archive_layer.hpp"
#include "assembly/layer/wheel_layer.hpp"
#include "foundation/base/text.hpp"
#include "foundation/sys/environment.hpp"
#include "foundation/sys/workers.hpp"

#include <algorithm>
#include <atomic>
#include <mutex>
#include <set>

#include <fmt/format.h>

namespace torchkiln::engine {

using base::Result;
namespace fs = std::filesystem;

namespace {

std::string debian_architecture(const lock::Lock& lock) {
  return lock.resolution.architecture == "aarch64" ? "arm64" : "amd64";
}

/// A Debian system made of some of the lock's packages.
struct Root {
  std::vector<const lock::LockedDeb*> debs;
  std::vector<layer::CachedDeb> packages;
  std::vector<layer::ImageLayer> image;  ///< that they are put on
  std::string suite, architecture, what;
  std::optional<layer::BaseFacts> facts;

  layer::BaseRequest request() const { return {suite, architecture, packages, image}; }
  std::string key() const { return base_layer_key(request()); }
};

/// A layer of wheels that is there or will be.
struct WheelLayer {
  std::vector<std::size_t> wheels;
  std::optional<layer::LayerFacts> facts;
};

/// A layer of archives that is there or will be.
struct ArchiveLayer {
  std::vector<const lock::LockedArchive*> archives;
  std::vector<layer::CachedArchive> cached;
  std::string folder, key;
  std::optional<layer::LayerFacts> facts;
};

/// A delta between two roots that is there or will be.
struct Delta {
  std::string lower, upper;  ///< keys of roots
  std::optional<layer::DeltaFacts> facts;
};

/// The work that make_layers does: what the recipes need is gathered, each thing once, and what is missing is made.
class LayersBuilder {
  static std::vector<const lock::Lock*> levels_of(const lock::Lock& lock) {
    std::vector<const lock::Lock*> levels;
    for (const auto* level = &lock; level; level = level->below.get()) levels.insert(levels.begin(), level);
    return levels;
  }
  static std::vector<layer::ImageLayer> image_of(const lock::Lock& lock) {
    std::vector<layer::ImageLayer> image;
    if (lock.base)
      for (const auto& one : lock.base->layers) image.push_back({one.digest, one.diff_id});
    return image;
  }
  /// Whether there is a base image, and packages that are put on it.
  bool has_system_packages() const { return !m_image.empty() && !root_for({}).debs.empty(); }

 public:
  LayersBuilder(const lock::Lock& lock, std::span<const recipe::Recipe> recipes, BuildRoot build_root,
                const Cache& cache, sys::HttpClient& http, base::Progress& progress)
      : m_lock(lock),
        m_levels(levels_of(lock)),
        m_image(image_of(*m_levels.front())),
        m_recipes(recipes),
        m_build_root(build_root),
        m_cache(cache),
        m_http(http),
        m_progress(progress) {}

  Result<std::vector<ImageLayers>> run() {
    gather();
    TK_CHECK(plan_downloads());
    if (!m_awaited.empty()) {
      TK_CHECK(check_space());
      TK_CHECK(work());
    }
    TK_CHECK(make_deltas());
    std::vector<ImageLayers> images;
    for (const auto& recipe : m_recipes) images.push_back(layers_of(recipe));
    return images;
  }

 private:
  struct Awaited {
    std::set<base::Digest> missing;
    std::function<void()> start;
  };

  /// The root of the base of this level and the packages that `in` chooses.
  Root root_of(const std::function<bool(const lock::LockedDeb&)>& in, std::string what,
               std::size_t level = 0) const {
    Root root = image_root();
    root.what = std::move(what);
    for (const auto& deb : m_levels[level]->debs)
      if (deb.is_base() || in(deb)) {
        root.debs.push_back(&deb);
        root.packages.push_back({deb.name, deb.version, deb.architecture, deb.digest});
      }
    return root;
  }
  Root root_for(spec::Variant variant, std::size_t level = 0) const {
    std::string what = variant.is_runtime() ? "the Debian base" : "the Debian base with " + name(variant);
    if (level > 0) what += ", extended";
    return root_of([variant](const lock::LockedDeb& deb) { return is_in(deb, variant); }, std::move(what), level);
  }

  /// The base image as it is.
  Root image_root() const {
    Root root;
    root.suite = m_lock.resolution.suite;
    root.architecture = debian_architecture(m_lock);
    root.what = "the base image";
    root.image = m_image;
    return root;
  }

  /// Has the root made, unless it is there.
  std::string want_root(Root root) {
    const auto key = root.key();
    if (m_roots.count(key)) return key;
    root.facts = layer::find_base(root.request(), m_cache.catalog(), m_cache.blobs());
    if (!root.facts) m_missing_roots.push_back(key);
    m_roots.emplace(key, std::move(root));
    return key;
  }

  Root build_root() const {
    return root_of([](const lock::LockedDeb& deb) { return deb.in_build_root; }, "the verifier's build root");
  }

  static std::string delta_key(const Root& lower, const Root& upper) {
    return delta_layer_key(lower.request(), upper.request());
  }
  void want_delta(const Root& lower, const Root& upper) {
    const auto key = delta_key(lower, upper);
    if (m_deltas.count(key)) return;
    Delta delta{lower.key(), upper.key(), layer::find_delta(key, m_cache.catalog(), m_cache.blobs())};
    if (!delta.facts) {
      want_root(lower);
      want_root(upper);
    }
    m_deltas.emplace(key, std::move(delta));
  }

  void want_wheels(const recipe::WheelLayers& layers) {
    for (const auto& wheels : layers) {
      const auto key = layer_key(wheels);
      if (m_wheel_layers.count(key)) continue;
      WheelLayer layer{wheels, m_cache.catalog().find(key)};
      if (layer.facts && sys::size_of_file(m_cache.blobs().path(layer.facts->digest)) != layer.facts->size_bytes)
        layer.facts.reset();
      const bool is_missing = !layer.facts;
      const auto at = m_wheel_layers.emplace(key, std::move(layer)).first;
      if (is_missing) m_missing_layers.push_back(&at->second);
    }
  }

  /// Has a layer made of the archives, unless it is there.
  void want_archives(ArchiveLayer& layer, std::string folder) {
    for (const auto* archive : layer.archives) layer.cached.push_back({archive->name, archive->digest});
    layer.folder = std::move(folder);
    layer.key = layer::archive_layer_key(layer.cached, layer.folder);
    layer.facts = m_cache.catalog().find(layer.key);
    if (layer.facts && !m_cache.blobs().contains(layer.facts->digest)) layer.facts.reset();
  }

  void gather_archives() {
    if (m_lock.python) {
      m_python.emplace();
      m_python->archives = {&*m_lock.python};
      want_archives(*m_python, recipe::k_python_folder);
    }
    const bool is_wanted = std::any_of(m_recipes.begin(), m_recipes.end(), [](const recipe::Recipe& recipe) {
      return std::any_of(recipe.parts.begin(), recipe.parts.end(),
                         [](const auto& part) { return part.has_archives; });
    });
    if (!is_wanted) return;
    m_toolkit.emplace();
    for (const auto& archive : m_lock.archives) m_toolkit->archives.push_back(&archive);
    want_archives(*m_toolkit, recipe::toolkit_folder(m_lock));
  }

  void gather() {
    m_system = want_root(root_for({}));
    if (has_system_packages()) want_delta(image_root(), root_for({}));
    gather_archives();
    if (m_build_root == BuildRoot::wanted) m_build = want_root(build_root());
    if (m_build_root == BuildRoot::wanted_as_delta) want_delta(root_for({}), build_root());
    for (const auto& recipe : m_recipes) {
      want_wheels(recipe.wheel_layers);
      spec::Variant below;
      for (const auto& part : recipe.parts) {
        if (part.has_packages) want_delta(root_for(below), root_for(part.up_to));
        want_wheels(part.wheel_layers);
        below = part.up_to;
      }
      for (std::size_t i = 0; i < recipe.extensions.size(); ++i) {
        if (recipe.extensions[i].has_packages)
          want_delta(root_for(recipe.variant, i), root_for(recipe.variant, i + 1));
        want_wheels(recipe.extensions[i].wheel_layers);
      }
    }
  }

  std::string layer_key(const std::vector<std::size_t>& wheels) const {
    std::vector<base::Digest> digests;
    for (const auto wheel : wheels) digests.push_back(m_lock.wheels[wheel].digest);
    return layer::wheel_layer_key(digests, m_recipes.front().scheme);
  }

  ReadyLayer ready(const std::vector<std::size_t>& wheels) const {
    std::vector<std::string> names;
    for (const auto wheel : wheels)
      names.push_back(m_lock.wheels[wheel].name + "==" + m_lock.wheels[wheel].version);
    return {*m_wheel_layers.at(layer_key(wheels)).facts, "torchkiln wheels " + base::join(names, " ")};
  }

  ImageLayers layers_of(const recipe::Recipe& recipe) const {
    ImageLayers layers;
    layers.system = *m_roots.at(m_system).facts;
    if (const auto& base = m_levels.front()->base)
      for (const auto& one : base->layers)
        layers.image.push_back(
            {{one.digest, one.size_bytes, one.diff_id, 0}, "base image " + base->image, one.media_type});
    if (has_system_packages()) layers.system_packages = m_deltas.at(delta_key(image_root(), root_for({}))).facts;
    if (m_python)
      layers.python = ReadyLayer{*m_python->facts, "torchkiln archive of Python " + m_lock.python->version};
    if (m_build_root == BuildRoot::wanted) layers.build_root = m_roots.at(m_build).facts;
    if (m_build_root == BuildRoot::wanted_as_delta)
      layers.build_packages = m_deltas.at(delta_key(root_for({}), build_root())).facts;
    for (const auto& wheels : recipe.wheel_layers) layers.wheels.push_back(ready(wheels));
    spec::Variant below;
    for (const auto& plan : recipe.parts) {
      PartLayers part;
      if (plan.has_packages) part.packages = m_deltas.at(delta_key(root_for(below), root_for(plan.up_to))).facts;
      if (plan.has_archives)
        part.archives = ReadyLayer{*m_toolkit->facts, "torchkiln archives of CUDA " + m_lock.resolution.cuda};
      for (const auto& wheels : plan.wheel_layers) part.wheels.push_back(ready(wheels));
      below = plan.up_to;
      layers.parts.push_back(std::move(part));
    }
    for (std::size_t i = 0; i < recipe.extensions.size(); ++i) {
      ExtensionLayers extension;
      if (recipe.extensions[i].has_packages)
        extension.packages =
            m_deltas.at(delta_key(root_for(recipe.variant, i), root_for(recipe.variant, i + 1))).facts;
      for (const auto& wheels : recipe.extensions[i].wheel_layers) extension.wheels.push_back(ready(wheels));
      layers.extensions.push_back(std::move(extension));
    }
    return layers;
  }

  /// Has a file downloaded, unless it is in the cache with the bytes that it should have.
  Result<void> want(const std::string& url, const base::Digest& digest, std::uint64_t size_bytes,
                    Awaited& awaited) {
    if (m_present.count(digest)) return {};
    if (!m_wanted.count(digest) && m_cache.blobs().contains(digest)) {
      TK_TRY(const bool whole, m_cache.blobs().contains_whole(digest));
      if (whole) {
        m_present.insert(digest);
        return {};
      }
      m_progress.warn("the cached copy of " + base::without_credentials(url) + " was damaged; fetching it again");
    }
    awaited.missing.insert(digest);
    if (!m_wanted.insert(digest).second) return {};
    m_downloads.push_back(
        {url, m_cache.blobs().path(digest), digest, size_bytes ? std::optional(size_bytes) : std::nullopt});
    m_download_bytes += size_bytes;
    return {};
  }

  /// What to download, in order: the small Debian packages first, since their bootstrap takes longest, then large
  /// wheels before small ones. And what can start once which files are there.
  Result<void> plan_downloads() {
    for (const auto& key : m_missing_roots) {
      auto& root = m_roots.at(key);
      Awaited awaited;
      for (const auto* deb : root.debs) TK_CHECK(want(deb->url, deb->digest, deb->size_bytes, awaited));
      awaited.start = [this, &root] { submit_bootstrap(root); };
      m_awaited.push_back(std::move(awaited));
    }
    for (auto* layer : {&m_python, &m_toolkit}) {
      if (!*layer || (*layer)->facts) continue;
      Awaited awaited;
      for (const auto* archive : (*layer)->archives)
        TK_CHECK(want(archive->url, archive->digest, archive->size_bytes, awaited));
      awaited.start = [this, layer] { submit_archives(**layer); };
      m_awaited.push_back(std::move(awaited));
    }
    auto by_size = m_missing_layers;
    std::stable_sort(by_size.begin(), by_size.end(),
                     [&](const WheelLayer* a, const WheelLayer* b) { return wheel_bytes(*a) > wheel_bytes(*b); });
    for (auto* layer : by_size) {
      Awaited awaited;
      for (const auto wheel : layer->wheels) {
        const auto& one = m_lock.wheels[wheel];
        TK_CHECK(want(one.url, one.digest, one.size_bytes, awaited));
      }
      awaited.start = [this, layer] { submit_layer(*layer); };
      m_awaited.push_back(std::move(awaited));
    }
    return {};
  }

  std::uint64_t wheel_bytes(const WheelLayer& layer) const {
    std::uint64_t total = 0;
    for (const auto wheel : layer.wheels) total += m_lock.wheels[wheel].size_bytes;
    return total;
  }

  Result<void> check_space() const {
    std::uint64_t needed = m_download_bytes;
    for (const auto* layer : m_missing_layers) needed += wheel_bytes(*layer);
    TK_TRY(const auto free, sys::free_space_bytes(m_cache.root()));
    if (free >= needed) return {};
    return base::fail(base::ErrorCode::disk_full,
                      fmt::format("{} has {} free, and this image needs {} there", m_cache.root().string(),
                                  base::format_bytes(free), base::format_bytes(needed)),
                      {"free some space, or name another folder with --cache DIR"});
  }

  Result<void> work() {
    sys::Workers workers(sys::processor_count() + 1);  // one for programs that wait for others
    m_workers = &workers;
    for (const auto* layer : m_missing_layers) m_conversion_bytes += wheel_bytes(*layer);
    if (!m_missing_layers.empty())
      m_conversion = std::make_unique<base::Step>(m_progress, "Converting",
                                                  fmt::format("{} layers of wheels", m_missing_layers.size()));
    for (auto& awaited : m_awaited)
      if (awaited.missing.empty()) awaited.start();
    TK_CHECK(download());
    TK_CHECK(workers.wait());
    if (m_conversion)
      m_conversion->end(fmt::format("{}, nothing recompressed", base::format_bytes(m_conversion_bytes)));
    return {};
  }

  Result<void> download() {
    if (m_downloads.empty()) return {};
    base::Step step(m_progress, "Downloading", fmt::format("{} files", m_downloads.size()));
    std::uint64_t arrived = 0;
    TK_CHECK(m_http.download_all(
        m_downloads,
        [&](std::size_t i) -> Result<void> {
          if (m_workers->failed()) return m_workers->wait();
          for (auto& awaited : m_awaited)
            if (awaited.missing.erase(m_downloads[i].digest) && awaited.missing.empty()) awaited.start();
          return {};
        },
        [&](std::uint64_t bytes) {
          arrived += bytes;
          step.update(arrived, m_download_bytes);
        }));
    step.end(base::format_bytes(arrived));
    return {};
  }

  void submit_bootstrap(Root& root) {
    m_workers->submit(
        [this, &root]() -> Result<void> {
          base::Step step(m_progress, "Bootstrapping", root.what);
          TK_TRY(root.facts, layer::make_base(root.request(), m_cache.blobs(), m_cache.blobs(), m_cache.catalog(),
                                              sys::processor_count(), step));
          step.end(fmt::format("{} packages, {}", root.packages.size(),
                               base::format_bytes(root.facts->layer.size_bytes)));
          return {};
        },
        std::numeric_limits<std::int64_t>::max());
  }

  void submit_layer(WheelLayer& layer) {
    m_workers->submit(
        [this, &layer]() -> Result<void> {
          std::vector<wheel::Wheel> wheels;
          for (const auto index : layer.wheels) {
            const auto& locked = m_lock.wheels[index];
            TK_TRY(auto opened, wheel::Wheel::open(m_cache.blobs().path(locked.digest), locked.file_name));
            wheels.push_back(std::move(opened));
          }
          TK_TRY(layer.facts, layer::make_wheel_layer(wheels, m_recipes.front().scheme, m_cache.blobs()));
          TK_CHECK(m_cache.catalog().add(layer_key(layer.wheels), *layer.facts));
          if (layer.wheels.size() == 1)
            if (const auto& only = m_lock.wheels[layer.wheels[0]]; only.size_bytes >= recipe::k_own_layer_bytes)
              TK_CHECK(m_cache.blobs().remove(only.digest));
          m_conversion->update(m_converted += wheel_bytes(layer), m_conversion_bytes);
          return {};
        },
        static_cast<std::int64_t>(wheel_bytes(layer)));
  }

  void submit_archives(ArchiveLayer& layer) {
    m_workers->submit(
        [this, &layer]() -> Result<void> {
          base::Step step(m_progress, "Converting", "archives for /" + layer.folder);
          TK_TRY(layer.facts, layer::make_archive_layer(layer.cached, layer.folder, m_cache.blobs(), m_cache.work(),
                                                        sys::processor_count()));
          TK_CHECK(m_cache.catalog().add(layer.key, *layer.facts));
          for (const auto& archive : layer.cached) TK_CHECK(m_cache.blobs().remove(archive.digest));
          step.end(base::format_bytes(layer.facts->size_bytes));
          return {};
        },
        std::numeric_limits<std::int64_t>::max());
  }

  /// Deltas compare roots, so they come last. Each unpacks two of them: one after the other.
  Result<void> make_deltas() {
    for (auto& [key, delta] : m_deltas) {
      if (delta.facts) continue;
      const auto &lower = m_roots.at(delta.lower), &upper = m_roots.at(delta.upper);
      base::Step step(m_progress, "Comparing", fmt::format("{} with {}", upper.what, lower.what));
      TK_TRY(delta.facts, layer::make_delta(key, *lower.facts, *upper.facts, m_cache.blobs(), m_cache.catalog(),
                                            m_cache.work(), sys::processor_count()));
      step.end(base::format_bytes(delta.facts->layer.size_bytes));
    }
    return {};
  }

  const lock::Lock& m_lock;
  std::vector<const lock::Lock*> m_levels;  ///< the lowest one first, whose spec extends nothing; m_lock last
  std::vector<layer::ImageLayer> m_image;   ///< what the system's packages are put on
  std::span<const recipe::Recipe> m_recipes;
  BuildRoot m_build_root;
  const Cache& m_cache;
  sys::HttpClient& m_http;
  base::Progress& m_progress;

  // By key.
  std::map<std::string, Root> m_roots;
  std::map<std::string, Delta> m_deltas;
  std::map<std::string, WheelLayer> m_wheel_layers;
  std::optional<ArchiveLayer> m_python, m_toolkit;
  std::string m_system, m_build;  ///< keys of roots
  std::vector<std::string> m_missing_roots;
  std::vector<WheelLayer*> m_missing_layers;
  std::vector<Awaited> m_awaited;
  std::set<base::Digest> m_wanted, m_present;
  std::vector<sys::Download> m_downloads;
  std::uint64_t m_download_bytes = 0;
  std::uint64_t m_conversion_bytes = 0;
  std::atomic<std::uint64_t> m_converted{0};
  std::unique_ptr<base::Step> m_conversion;
  sys::Workers* m_workers = nullptr;
};

}  // namespace

const std::map<std::string, std::string>& ImageLayers::account_files(std::size_t extension) const {
  for (std::size_t i = std::min(extension, extensions.size()); i > 0; --i)
    if (const auto& packages = extensions[i - 1].packages) return packages->files;
  for (auto part = parts.rbegin(); part != parts.rend(); ++part)
    if (part->packages) return part->packages->files;
  return system.files;
}

std::vector<ReadyLayer> ImageLayers::in_order(const recipe::Recipe& recipe, const std::string& os) const {
  auto all = image;
  if (image.empty()) all.push_back({system.layer, fmt::format("torchkiln system {}", os)});
  if (system_packages) all.push_back({system_packages->layer, fmt::format("torchkiln packages of {}", os)});
  if (python) all.push_back(*python);
  all.insert(all.end(), wheels.begin(), wheels.end());
  if (verifier) all.push_back(*verifier);
  for (std::size_t i = 0; i < parts.size(); ++i) {
    if (parts[i].packages)
      all.push_back({parts[i].packages->layer, fmt::format("torchkiln packages {}", name(recipe.parts[i].part))});
    if (parts[i].archives) all.push_back(*parts[i].archives);
    all.insert(all.end(), parts[i].wheels.begin(), parts[i].wheels.end());
  }
  for (const auto& extension : extensions) {
    if (extension.configuration) all.push_back(*extension.configuration);
    if (extension.packages) all.push_back({extension.packages->layer, "torchkiln packages of the extension"});
    all.insert(all.end(), extension.wheels.begin(), extension.wheels.end());
  }
  return all;
}

Result<std::vector<ImageLayers>> make_layers(const lock::Lock& lock, std::span<const recipe::Recipe> recipes,
                                             BuildRoot build_root, const Cache& cache, sys::HttpClient& http,
                                             base::Progress& progress) {
  TK_ASSERT(!recipes.empty(), "there is an image to make layers for");
  return LayersBuilder(lock, recipes, build_root, cache, http, progress).run();
}

Result<std::vector<ImageLayers>> make_debian_layers(const lock::Lock& lock, std::vector<recipe::Recipe> recipes,
                                                    BuildRoot build_root, const Cache& cache, sys::HttpClient& http,
                                                    base::Progress& progress) {
  for (auto& recipe : recipes) {
    recipe.wheel_layers.clear();
    for (auto& part : recipe.parts) part.wheel_layers.clear();
    for (auto& extension : recipe.extensions) extension.wheel_layers.clear();
  }
  return make_layers(lock, recipes, build_root, cache, http, progress);
}

Result<fs::path> fetch_wheel(const lock::LockedWheel& wheel, const Cache& cache, sys::HttpClient& http) {
  const auto path = cache.blobs().path(wheel.digest);
  TK_TRY(const bool whole, cache.blobs().contains_whole(wheel.digest));
  if (whole) return path;
  const sys::Download download{wheel.url, path, wheel.digest,
                               wheel.size_bytes ? std::optional(wheel.size_bytes) : std::nullopt};
  TK_CHECK(http.download_all(
      std::span(&download, 1), [](std::size_t) { return Result<void>(); }, [](std::uint64_t) {}));
  return path;
}

Result<layer::LayerFacts> make_file_layer(std::vector<recipe::AddedFile> files, std::int64_t time_s,
                                          const sys::BlobStore& store) {
  std::sort(files.begin(), files.end(),
            [](const recipe::AddedFile& a, const recipe::AddedFile& b) { return a.path < b.path; });
  std::set<std::string> folders = {""};
  for (std::size_t i = 0; i < files.size(); ++i) {
    const auto& path = files[i].path;
    TK_ASSERT(i == 0 || files[i - 1].path != path, "a path is in a layer once");
    TK_ASSERT(folders.count(path.substr(0, path.find('/') == std::string::npos ? 0 : path.rfind('/'))),
              "a file comes after its folder");
    if (files[i].type == recipe::FileType::directory) folders.insert(path);
  }
  TK_TRY(auto writer, layer::LayerWriter::create(store));
  for (const auto& file : files) {
    layer::TarHeader header{file.path, layer::TarType::file, file.mode, file.uid,
                            file.gid,  file.content.size(),  time_s,    {}};
    switch (file.type) {
      case recipe::FileType::directory:
        TK_CHECK(writer.add_directory(file.path, file.mode, file.uid, file.gid, time_s));
        break;
      case recipe::FileType::symlink:
        TK_CHECK(writer.add_symlink(file.path, file.content, time_s));
        break;
      case recipe::FileType::file:
        TK_CHECK(writer.add_file(header, file.content));
        break;
    }
  }
  return writer.finish();
}

Result<ReadyLayer> make_configuration_layer(const lock::Lock& lock, const recipe::Recipe& recipe,
                                            const ImageLayers& layers, const std::vector<recipe::AddedFile>& own,
                                            const Cache& cache) {
  TK_TRY(auto files,
         recipe::configuration_files(lock, recipe, layers.account_files(recipe.extensions.size()), own));
  TK_TRY(const auto facts, make_file_layer(std::move(files), layer::k_layer_time_s, cache.blobs()));
  return ReadyLayer{facts, fmt::format("torchkiln configuration {}", name(recipe.variant))};
}

Result<void> add_configuration_layers_below(const lock::Lock& lock, spec::Variant variant,
                                            std::optional<std::int64_t> created_s, const fs::path& images,
                                            const Cache& cache, ImageLayers& layers) {
  const auto* level = lock.below.get();
  for (auto extension = layers.extensions.rbegin(); extension != layers.extensions.rend(); ++extension) {
    TK_ASSERT(level, "every extension is on top of a lock");
    // Another user's home and entries would stay behind.
    if (level->user == lock.user) {
      const auto recipe = recipe::make_recipe(*level, variant, created_s);
      TK_TRY(const auto own, recipe::own_files(images, *level, recipe));
      TK_TRY(extension->configuration, make_configuration_layer(*level, recipe, layers, own, cache));
    }
    level = level->below.get();
  }
  return {};
}

void record_layers(lock::Lock& lock, const recipe::Recipe& recipe, const ImageLayers& layers) {
  const auto record = [&lock](const recipe::WheelLayers& plan, const std::vector<ReadyLayer>& ready) {
    for (std::size_t i = 0; i < plan.size(); ++i)
      for (const auto wheel : plan[i]) {
        const auto& facts = ready[i].facts;
        lock.wheels[wheel].layer = lock::LockedLayer{facts.digest, facts.diff_id, facts.size_bytes};
      }
  };
  record(recipe.wheel_layers, layers.wheels);
  for (std::size_t i = 0; i < recipe.parts.size(); ++i)
    record(recipe.parts[i].wheel_layers, layers.parts[i].wheels);
  for (std::size_t i = 0; i < recipe.extensions.size(); ++i)
    record(recipe.extensions[i].wheel_layers, layers.extensions[i].wheels);
}

}  // namespace torchkiln::engine
