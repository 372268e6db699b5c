#include "assembly/registry/pull.hpp"

#include "foundation/base/text.hpp"
#include "foundation/sys/files.hpp"
#include "foundation/sys/workers.hpp"

#include <algorithm>
#include <map>
#include <mutex>

#include <fmt/format.h>

namespace torchkiln::registry {

using base::ErrorCode;
using base::fail;
using base::Result;

namespace {

constexpr unsigned k_pulled_at_once = 6;
/// What may refer to an image, and how much of it is fetched: stamps and lists of packages are small.
constexpr std::size_t k_referrer_limit = 1000;
constexpr std::uint64_t k_referrer_blob_limit_bytes = 256ULL << 20;

class Puller {
 public:
  Puller(const PullRequest& request, const std::vector<Repository>& repositories, const oci::Layout& layout)
      : m_request(request), m_repositories(repositories), m_layout(layout) {}

  Result<Document> fetch(const std::string& tag_or_digest) const {
    std::optional<base::Error> first;
    for (const auto& repository : m_repositories) {
      auto document = repository.fetch(tag_or_digest);
      if (document && *document) return std::move(**document);
      if (!document && document.error().code == ErrorCode::interrupted) return fail(document.error());
      if (!document) first = std::move(document).error();  // the last one asked is the registry itself
    }
    if (first) return fail(std::move(*first));
    const auto& own = m_repositories.back();
    const bool is_digest = tag_or_digest.starts_with("sha256:");
    return fail(ErrorCode::network_failed,
                "there is no " + own.to_string() + (is_digest ? "@" : ":") + tag_or_digest + " in the registry");
  }

  /// The image's manifest, kept in the layout.
  Result<oci::Descriptor> manifest() {
    const auto& reference = m_request.reference;
    const auto name = oci::to_string(reference);
    TK_TRY(auto document, fetch(reference.digest ? reference.digest->to_string() : *reference.tag));
    std::optional<oci::Platform> platform;
    for (unsigned depth = 0; oci::is_index_type(document.media_type); ++depth) {
      if (depth == oci::k_index_depth_limit)
        return fail(ErrorCode::input_invalid, name + " is an index inside too many others");
      TK_TRY(const auto index, oci::parse_index(document.bytes, name));
      TK_TRY(const auto chosen, oci::choose(index, m_request.platform, m_request.variant, name));
      TK_TRY(document, fetch(chosen.digest.to_string()));
      platform = chosen.platform;
    }
    if (!oci::is_manifest_type(document.media_type))
      return fail(ErrorCode::input_invalid,
                  name + " is a " + document.media_type.substr(0, 200) + ", not an image");
    TK_TRY(auto descriptor, m_layout.add_bytes(document.bytes, document.media_type));
    descriptor.platform = std::move(platform);
    return descriptor;
  }

  /// Has the blob in the layout; from a known store, from the first mirror that has it, or from the registry.
  Result<void> blob(const oci::Descriptor& blob, const OnBytes& on_bytes) {
    const auto path = m_layout.blob_path(blob.digest);
    if (const auto present = sys::size_of_file(path)) {
      if (*present == blob.size_bytes) return {};
      TK_CHECK(sys::BlobStore(m_layout.directory() / "blobs").remove(blob.digest));
    }
    if (m_request.known && sys::size_of_file(m_request.known->path(blob.digest)) == blob.size_bytes) {
      const auto added = m_layout.add_file(m_request.known->path(blob.digest), blob.digest, blob.media_type,
                                           oci::Trust::hash_again);
      if (added) return {};
    }
    Result<void> outcome;
    for (const auto& repository : m_repositories) {
      outcome = repository.pull_blob(blob, path, on_bytes);
      if (outcome || outcome.error().code == ErrorCode::interrupted || outcome.error().code == ErrorCode::disk_full)
        break;
    }
    if (!outcome) return outcome;
    const std::lock_guard guard(m_mutex);
    ++m_fetched_blobs;
    m_fetched_bytes += blob.size_bytes;
    return {};
  }

  /// What refers to the image, as far as it does so itself.
  Result<std::vector<oci::Descriptor>> referrers(const base::Digest& subject, base::Progress& progress) {
    TK_TRY(auto listed, m_repositories.back().referrers(subject));
    if (listed.size() > k_referrer_limit) {
      progress.warn(
          fmt::format("{} things refer to the image; the first {} are fetched", listed.size(), k_referrer_limit));
      listed.resize(k_referrer_limit);
    }
    std::vector<oci::Descriptor> found;
    for (const auto& entry : listed) {
      auto kept = referrer(entry, subject);
      if (kept) {
        found.push_back(std::move(*kept));
        continue;
      }
      if (kept.error().code == ErrorCode::interrupted || kept.error().code == ErrorCode::disk_full)
        return fail(std::move(kept).error());
      progress.warn("left out what the registry lists as referring to the image: " + kept.error().message);
    }
    return found;
  }

  std::size_t fetched_blobs() const { return m_fetched_blobs; }
  std::uint64_t fetched_bytes() const { return m_fetched_bytes; }

 private:
  Result<oci::Descriptor> referrer(const oci::Descriptor& entry, const base::Digest& subject) {
    TK_TRY(const auto document, fetch(entry.digest.to_string()));
    const auto name = entry.digest.to_string();
    if (!oci::is_manifest_type(document.media_type))
      return fail(ErrorCode::input_invalid, name + " is no manifest");
    TK_TRY(const auto manifest, oci::parse_manifest(document.bytes, name));
    if (!manifest.subject || manifest.subject->digest != subject)
      return fail(ErrorCode::input_invalid, name + " is about something else");
    auto blobs = manifest.layers;
    blobs.push_back(manifest.config);
    for (const auto& one : blobs) {
      if (one.size_bytes > k_referrer_blob_limit_bytes)
        return fail(ErrorCode::input_invalid,
                    name + " is larger than " + base::format_bytes(k_referrer_blob_limit_bytes));
      TK_CHECK(blob(one, {}));
    }
    TK_TRY(const auto descriptor, m_layout.add_bytes(document.bytes, document.media_type));
    TK_CHECK(m_layout.list_referrer(descriptor));
    return descriptor;
  }

  const PullRequest& m_request;
  const std::vector<Repository>& m_repositories;
  const oci::Layout& m_layout;
  std::mutex m_mutex;
  std::size_t m_fetched_blobs = 0;
  std::uint64_t m_fetched_bytes = 0;
};

}  // namespace

Result<Pulled> pull(const PullRequest& request, const std::vector<Repository>& repositories,
                    const oci::Layout& layout, base::Progress& progress) {
  TK_ASSERT(!repositories.empty(), "a reference is asked for somewhere");
  const auto name = oci::to_string(request.reference);
  base::Step step(progress, "Pulling", name);
  Puller puller(request, repositories, layout);
  Pulled pulled;
  TK_TRY(pulled.image.descriptor, puller.manifest());
  pulled.source = repositories.back().to_string();
  TK_TRY(const auto manifest, layout.read_manifest(pulled.image.descriptor));
  if (!oci::is_config_type(manifest.config.media_type))
    return fail(ErrorCode::input_invalid,
                name + " is an artifact (" + manifest.config.media_type + "), not an image");
  TK_CHECK(puller.blob(manifest.config, {}));
  TK_TRY(const auto config, layout.read_config(manifest));
  if (config.diff_ids.size() != manifest.layers.size())
    return fail(ErrorCode::input_invalid,
                name + ": manifest and configuration disagree about the number of layers");
  if (!request.variant.empty()) {
    const auto is = oci::value_of(config.execution.labels, oci::k_variant_key);
    if (is != request.variant)
      return fail(
          ErrorCode::input_invalid,
          name + " is " + (is.empty() ? "no variant of ours" : "the variant " + is) + ", not " + request.variant);
  }
  if (!pulled.image.descriptor.platform)
    pulled.image.descriptor.platform = oci::Platform{config.architecture, config.os, config.variant};
  pulled.image.tag = request.reference.tag.value_or("");
  pulled.image.name = request.reference.tag ? repositories.back().to_string() + ":" + *request.reference.tag : "";
  pulled.layers = manifest.layers.size();

  struct Layer {
    oci::Descriptor blob;
    base::Digest diff_id;
  };
  std::map<base::Digest, Layer> layers;
  for (std::size_t i = 0; i < manifest.layers.size(); ++i) {
    pulled.size_bytes += manifest.layers[i].size_bytes;
    const bool is_needed = !request.is_unpacked || !request.is_unpacked(config.diff_ids[i]);
    if (request.wanted == Wanted::everything && is_needed)
      layers.emplace(manifest.layers[i].digest, Layer{manifest.layers[i], config.diff_ids[i]});
  }
  std::uint64_t total_bytes = 0, done_bytes = 0;
  for (const auto& [digest, layer] : layers) total_bytes += layer.blob.size_bytes;
  std::mutex mutex;
  sys::Workers workers(k_pulled_at_once);
  for (const auto& entry : layers) {
    const auto& layer = entry.second;
    const auto fetch_it = [&request, &puller, &layer, &mutex, &done_bytes, &step, total_bytes]() -> Result<void> {
      TK_CHECK(puller.blob(layer.blob, [&](std::uint64_t bytes) {
        const std::lock_guard guard(mutex);
        step.update(done_bytes += bytes, total_bytes);
      }));
      if (request.on_layer) request.on_layer(layer.blob, layer.diff_id);
      return {};
    };
    workers.submit(fetch_it, static_cast<std::int64_t>(layer.blob.size_bytes));
  }
  TK_CHECK(workers.wait());
  if (request.wanted != Wanted::documents) {
    TK_TRY(pulled.referrers, puller.referrers(pulled.image.descriptor.digest, progress));
  }
  pulled.fetched_blobs = puller.fetched_blobs();
  pulled.fetched_bytes = puller.fetched_bytes();
  step.end(fmt::format("{} fetched of {} in {} layers", base::format_bytes(pulled.fetched_bytes),
                       base::format_bytes(pulled.size_bytes), pulled.layers));
  return pulled;
}

}  // namespace torchkiln::registry
