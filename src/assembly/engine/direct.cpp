#include "assembly/engine/direct.hpp"

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

std::vector<layer::CachedDeb> debs_of(const lock::Lock& lock, BuildRoot build_root) {
  std::vector<layer::CachedDeb> debs;
  for (const auto& deb : lock.debs)
    if (deb.role == lock::DebRole::base || build_root == BuildRoot::wanted)
      debs.push_back({deb.name, deb.version, deb.architecture, deb.digest});
  return debs;
}

std::string debian_architecture(const lock::Lock& lock) {
  return lock.resolution.architecture == "aarch64" ? "arm64" : "amd64";
}

/// The work that make_parts does, once it is known what is missing.
class PartsBuilder {
 public:
  PartsBuilder(const lock::Lock& lock, const recipe::Recipe& recipe, BuildRoot build_root, const Cache& cache,
               sys::HttpClient& http, base::Progress& progress)
      : m_lock(lock),
        m_recipe(recipe),
        m_build_root(build_root),
        m_cache(cache),
        m_http(http),
        m_progress(progress) {}

  Result<Parts> run() {
    find_existing();
    TK_CHECK(plan_downloads());
    if (!m_downloads.empty() || !m_missing_layers.empty() || m_wants_system || m_wants_build_root) {
      TK_CHECK(check_space());
      TK_CHECK(work());
    }
    Parts parts;
    parts.system = std::move(*m_system);
    if (m_build_root == BuildRoot::wanted) parts.build_root = std::move(m_build_root_facts);
    for (std::size_t i = 0; i < m_recipe.wheel_layers.size(); ++i)
      parts.wheels.push_back({*m_layers[i], made_by(i)});
    return parts;
  }

 private:
  struct Awaited {
    std::set<base::Digest> missing;
    std::function<void()> start;
  };

  layer::BaseRequest system_request() const {
    return {m_lock.resolution.suite, debian_architecture(m_lock), m_system_debs};
  }
  layer::BaseRequest build_request() const {
    return {m_lock.resolution.suite, debian_architecture(m_lock), m_build_debs};
  }

  void find_existing() {
    m_system_debs = debs_of(m_lock, BuildRoot::not_wanted);
    m_build_debs = debs_of(m_lock, BuildRoot::wanted);
    m_system = layer::find_base(system_request(), m_cache.catalog(), m_cache.blobs());
    m_wants_system = !m_system;
    if (m_build_root == BuildRoot::wanted) {
      m_build_root_facts = layer::find_base(build_request(), m_cache.catalog(), m_cache.blobs());
      m_wants_build_root = !m_build_root_facts;
    }
    m_layers.resize(m_recipe.wheel_layers.size());
    for (std::size_t i = 0; i < m_recipe.wheel_layers.size(); ++i) {
      m_layers[i] = m_cache.catalog().find(layer_key(i));
      if (m_layers[i] && sys::size_of_file(m_cache.blobs().path(m_layers[i]->digest)) == m_layers[i]->size_bytes)
        continue;
      m_layers[i].reset();
      m_missing_layers.push_back(i);
    }
  }

  std::string layer_key(std::size_t i) const {
    std::vector<base::Digest> digests;
    for (const auto wheel : m_recipe.wheel_layers[i]) digests.push_back(m_lock.wheels[wheel].digest);
    return layer::wheel_layer_key(digests, m_recipe.scheme);
  }

  std::string made_by(std::size_t i) const {
    std::vector<std::string> names;
    for (const auto wheel : m_recipe.wheel_layers[i])
      names.push_back(m_lock.wheels[wheel].name + "==" + m_lock.wheels[wheel].version);
    return "torchkiln wheels " + base::join(names, " ");
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
    auto bootstrap = [&](BuildRoot kind) -> Result<void> {
      Awaited awaited;
      for (const auto& deb : m_lock.debs)
        if (deb.role == lock::DebRole::base || kind == BuildRoot::wanted)
          TK_CHECK(want(deb.url, deb.digest, deb.size_bytes, awaited));
      awaited.start = [this, kind] { submit_bootstrap(kind); };
      m_awaited.push_back(std::move(awaited));
      return {};
    };
    if (m_wants_system) TK_CHECK(bootstrap(BuildRoot::not_wanted));
    if (m_wants_build_root) TK_CHECK(bootstrap(BuildRoot::wanted));
    auto by_size = m_missing_layers;
    std::sort(by_size.begin(), by_size.end(),
              [&](std::size_t a, std::size_t b) { return layer_bytes(a) > layer_bytes(b); });
    for (const auto i : by_size) {
      Awaited awaited;
      for (const auto wheel : m_recipe.wheel_layers[i]) {
        const auto& one = m_lock.wheels[wheel];
        TK_CHECK(want(one.url, one.digest, one.size_bytes, awaited));
      }
      awaited.start = [this, i] { submit_layer(i); };
      m_awaited.push_back(std::move(awaited));
    }
    return {};
  }

  std::uint64_t layer_bytes(std::size_t i) const {
    std::uint64_t total = 0;
    for (const auto wheel : m_recipe.wheel_layers[i]) total += m_lock.wheels[wheel].size_bytes;
    return total;
  }

  Result<void> check_space() const {
    std::uint64_t needed = m_download_bytes;
    for (const auto i : m_missing_layers) needed += layer_bytes(i);
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
    std::uint64_t conversion_bytes = 0;
    for (const auto i : m_missing_layers) conversion_bytes += layer_bytes(i);
    m_conversion_bytes = conversion_bytes;
    if (!m_missing_layers.empty())
      m_conversion = std::make_unique<base::Step>(m_progress, "Converting",
                                                  fmt::format("{} layers of wheels", m_missing_layers.size()));
    for (auto& awaited : m_awaited)
      if (awaited.missing.empty()) awaited.start();
    TK_CHECK(download());
    TK_CHECK(workers.wait());
    if (m_conversion)
      m_conversion->end(fmt::format("{}, nothing recompressed", base::format_bytes(conversion_bytes)));
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

  void submit_bootstrap(BuildRoot kind) {
    m_workers->submit(
        [this, kind]() -> Result<void> {
          const bool system = kind == BuildRoot::not_wanted;
          base::Step step(m_progress, "Bootstrapping", system ? "the Debian base" : "the verifier's build root");
          const auto request = system ? system_request() : build_request();
          TK_TRY(auto facts, layer::make_base(request, m_cache.blobs(), m_cache.blobs(), m_cache.catalog(),
                                              sys::processor_count(), step));
          step.end(
              fmt::format("{} packages, {}", request.packages.size(), base::format_bytes(facts.layer.size_bytes)));
          (system ? m_system : m_build_root_facts) = std::move(facts);
          return {};
        },
        std::numeric_limits<std::int64_t>::max());
  }

  void submit_layer(std::size_t i) {
    m_workers->submit(
        [this, i]() -> Result<void> {
          std::vector<wheel::Wheel> wheels;
          for (const auto index : m_recipe.wheel_layers[i]) {
            const auto& locked = m_lock.wheels[index];
            TK_TRY(auto opened, wheel::Wheel::open(m_cache.blobs().path(locked.digest), locked.file_name));
            wheels.push_back(std::move(opened));
          }
          TK_TRY(m_layers[i], layer::make_wheel_layer(wheels, m_recipe.scheme, m_cache.blobs()));
          TK_CHECK(m_cache.catalog().add(layer_key(i), *m_layers[i]));
          if (m_recipe.wheel_layers[i].size() == 1)
            if (const auto& only = m_lock.wheels[m_recipe.wheel_layers[i][0]];
                only.size_bytes >= recipe::k_own_layer_bytes)
              TK_CHECK(m_cache.blobs().remove(only.digest));
          m_conversion->update(m_converted += layer_bytes(i), m_conversion_bytes);
          return {};
        },
        static_cast<std::int64_t>(layer_bytes(i)));
  }

  const lock::Lock& m_lock;
  const recipe::Recipe& m_recipe;
  BuildRoot m_build_root;
  const Cache& m_cache;
  sys::HttpClient& m_http;
  base::Progress& m_progress;

  std::vector<layer::CachedDeb> m_system_debs, m_build_debs;
  std::optional<layer::BaseFacts> m_system, m_build_root_facts;
  bool m_wants_system = false, m_wants_build_root = false;
  std::vector<std::optional<layer::LayerFacts>> m_layers;
  std::vector<std::size_t> m_missing_layers;
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

Result<Parts> make_parts(const lock::Lock& lock, const recipe::Recipe& recipe, BuildRoot build_root,
                         const Cache& cache, sys::HttpClient& http, base::Progress& progress) {
  return PartsBuilder(lock, recipe, build_root, cache, http, progress).run();
}

Result<layer::BaseFacts> make_system(const lock::Lock& lock, const Cache& cache, sys::HttpClient& http,
                                     base::Progress& progress) {
  recipe::Recipe none;
  TK_TRY(auto parts, make_parts(lock, none, BuildRoot::not_wanted, cache, http, progress));
  return std::move(parts.system);
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
                                            const layer::BaseFacts& system, const Cache& cache) {
  TK_TRY(auto files, recipe::configuration_files(lock, recipe, system.files));
  TK_TRY(const auto facts, make_file_layer(std::move(files), layer::k_layer_time_s, cache.blobs()));
  return ReadyLayer{facts, fmt::format("torchkiln configuration {}", name(recipe.variant))};
}

void record_layers(lock::Lock& lock, const recipe::Recipe& recipe, const Parts& parts) {
  for (std::size_t i = 0; i < recipe.wheel_layers.size(); ++i)
    for (const auto wheel : recipe.wheel_layers[i]) {
      const auto& facts = parts.wheels[i].facts;
      lock.wheels[wheel].layer = lock::LockedLayer{facts.digest, facts.diff_id, facts.size_bytes};
    }
}

}  // namespace torchkiln::engine
