#include "assembly/registry/push.hpp"

#include "assembly/oci/platform.hpp"
#include "foundation/base/text.hpp"
#include "foundation/sys/workers.hpp"

#include <map>
#include <mutex>

#include <fmt/format.h>

namespace torchkiln::registry {

using base::Result;

namespace {

/// Blobs on their way at once. One blob cannot be sent in parallel, several can.
constexpr unsigned k_pushed_at_once = 5;

/// What a manifest or an index leads to, each once.
struct Content {
  std::map<base::Digest, oci::Descriptor> blobs;
  std::vector<oci::Descriptor> manifests;  ///< those of an index, before the index
};

Result<void> collect(const oci::Layout& layout, const oci::Descriptor& descriptor, unsigned depth,
                     Content& content) {
  if (oci::is_index_type(descriptor.media_type)) {
    if (depth == oci::k_index_depth_limit)
      return base::fail_at(base::ErrorCode::input_invalid, {layout.blob_path(descriptor.digest).string(), 0, 0},
                           "is an index inside too many others");
    TK_TRY(const auto index, layout.read_index(descriptor));
    for (const auto& inner : index.manifests) TK_CHECK(collect(layout, inner, depth + 1, content));
  } else {
    TK_TRY(const auto manifest, layout.read_manifest(descriptor));
    content.blobs.emplace(manifest.config.digest, manifest.config);
    for (const auto& layer : manifest.layers) content.blobs.emplace(layer.digest, layer);
  }
  content.manifests.push_back(descriptor);
  return {};
}

Result<Document> document_of(const oci::Layout& layout, const oci::Descriptor& descriptor) {
  TK_TRY(auto bytes, layout.read_blob(descriptor));
  return Document{std::move(bytes), descriptor.media_type, descriptor.digest, ""};
}

/// Has all blobs in the repository.
Result<void> push_blobs(const oci::Layout& layout, const Content& content, const Repository& repository,
                        const std::vector<std::string>& from, const OnBytes& on_bytes, Pushed& pushed) {
  std::mutex mutex;
  sys::Workers workers(k_pushed_at_once);
  for (const auto& entry : content.blobs) {
    const auto& blob = entry.second;
    const auto push_it = [&]() -> Result<void> {
      std::uint64_t sent_bytes = 0;
      const auto count = [&](std::uint64_t bytes) {
        sent_bytes += bytes;
        on_bytes(bytes);
      };
      TK_TRY(const auto arrival, repository.push_blob(blob, layout.blob_path(blob.digest), from, count));
      on_bytes(blob.size_bytes - sent_bytes);
      const std::lock_guard guard(mutex);
      auto& moved = arrival == Arrival::uploaded  ? pushed.uploaded
                    : arrival == Arrival::mounted ? pushed.mounted
                                                  : pushed.present;
      ++moved.blobs;
      moved.size_bytes += blob.size_bytes;
      return {};
    };
    workers.submit(push_it, static_cast<std::int64_t>(blob.size_bytes));  // large ones first, for an even end
  }
  return workers.wait();
}

Result<Referring> push_manifests(const oci::Layout& layout, const Content& content, const Repository& repository,
                                 const std::string& tag) {
  auto referring = Referring::by_registry;
  for (const auto& manifest : content.manifests) {
    TK_TRY(const auto document, document_of(layout, manifest));
    const bool is_last = &manifest == &content.manifests.back();
    TK_TRY(const auto stored,
           repository.store(document, is_last && !tag.empty() ? tag : manifest.digest.to_string()));
    referring = *stored;  // there was no condition
  }
  return referring;
}

}  // namespace

Result<std::vector<oci::Descriptor>> push_referrers(const oci::Layout& layout, const base::Digest& subject,
                                                    const Repository& repository,
                                                    const std::vector<std::string>& from) {
  TK_TRY(auto referrers, layout.referrers(subject));
  Pushed counted;
  for (const auto& referrer : referrers.found) {
    Content content;
    TK_CHECK(collect(layout, referrer, 0, content));
    TK_CHECK(push_blobs(
        layout, content, repository, from, [](std::uint64_t) {}, counted));
    TK_TRY(const auto referring, push_manifests(layout, content, repository, ""));
    if (referring == Referring::by_tag) TK_CHECK(repository.list_referrer(subject, referrer));
  }
  return std::move(referrers.found);
}

namespace {

/// Pushes the image, under its digest where there is no tag.
Result<Pushed> push_one(const oci::Layout& layout, const oci::Image& image, const Repository& repository,
                        const std::string& tag, const std::vector<std::string>& from, base::Progress& progress) {
  Pushed pushed;
  pushed.digest = image.descriptor.digest;
  pushed.reference = repository.to_string() + (tag.empty() ? "@" + pushed.digest.to_string() : ":" + tag);
  Content content;
  TK_CHECK(collect(layout, image.descriptor, 0, content));
  std::uint64_t total_bytes = 0;
  for (const auto& [digest, blob] : content.blobs) total_bytes += blob.size_bytes;

  base::Step step(progress, "Pushing", pushed.reference);
  std::mutex mutex;
  std::uint64_t done_bytes = 0;
  const auto on_bytes = [&](std::uint64_t bytes) {
    const std::lock_guard guard(mutex);
    step.update(done_bytes += bytes, total_bytes);
  };
  TK_CHECK(push_blobs(layout, content, repository, from, on_bytes, pushed));
  TK_CHECK(push_manifests(layout, content, repository, tag));
  for (const auto& manifest : content.manifests) {
    TK_TRY(auto referrers, push_referrers(layout, manifest.digest, repository, from));
    pushed.referrers.insert(pushed.referrers.end(), referrers.begin(), referrers.end());
  }
  step.end(fmt::format("{} sent of {}, {} of {} blobs were there", base::format_bytes(pushed.uploaded.size_bytes),
                       base::format_bytes(total_bytes), pushed.present.blobs + pushed.mounted.blobs,
                       content.blobs.size()));
  return pushed;
}

void add(Moved& sum, const Moved& moved) {
  sum.blobs += moved.blobs;
  sum.size_bytes += moved.size_bytes;
}

}  // namespace

Result<Pushed> push(const oci::Layout& layout, const oci::Image& image, const Repository& repository,
                    const std::string& tag, const std::vector<std::string>& from, base::Progress& progress) {
  TK_ASSERT(!tag.empty(), "an image is pushed under a tag");
  return push_one(layout, image, repository, tag, from, progress);
}

namespace {

/// What an index says of an image: what it is for, and what it calls itself.
Result<oci::Descriptor> index_entry(const oci::Layout& layout, const oci::Image& image) {
  TK_TRY(const auto manifest, layout.read_manifest(image.descriptor));
  TK_TRY(const auto config, layout.read_config(manifest));
  oci::Descriptor entry{manifest.media_type, image.descriptor.digest, image.descriptor.size_bytes};
  entry.platform = oci::Platform{config.architecture, config.os, config.variant};
  for (const auto key : {oci::k_variant_key, oci::k_version_key})
    if (const auto label = config.execution.labels.find(std::string(key)); label != config.execution.labels.end())
      entry.annotations.insert(*label);
  return entry;
}

Result<void> expect_another(const oci::Index& index, const oci::Descriptor& entry) {
  const auto variant = oci::value_of(entry.annotations, oci::k_variant_key);
  for (const auto& other : index.manifests)
    if (other.platform == entry.platform && oci::value_of(other.annotations, oci::k_variant_key) == variant)
      return base::fail(base::ErrorCode::usage,
                        "two images are for " + oci::to_string(*entry.platform) +
                            (variant.empty() ? "" : ", both the variant " + variant),
                        {"an index has one for each platform and variant"});
  return {};
}

}  // namespace

Result<Pushed> push_index(const std::vector<IndexedImage>& images, const Repository& repository,
                          const std::string& tag, const std::vector<std::string>& from, base::Progress& progress) {
  oci::Index index;
  Pushed all;
  for (const auto& [layout, image] : images) {
    TK_TRY(auto entry, index_entry(*layout, *image));
    TK_CHECK(expect_another(index, entry));
    TK_TRY(const auto one, push_one(*layout, *image, repository, "", from, progress));
    add(all.uploaded, one.uploaded);
    add(all.mounted, one.mounted);
    add(all.present, one.present);
    all.referrers.insert(all.referrers.end(), one.referrers.begin(), one.referrers.end());
    index.manifests.push_back(std::move(entry));
  }
  TK_TRY(const auto bytes, oci::to_bytes(index));
  all.digest = base::Digest::of(bytes);
  all.reference = repository.to_string() + ":" + tag;
  TK_CHECK(repository.store({bytes, std::string(oci::k_index_type), all.digest, ""}, tag));
  return all;
}

}  // namespace torchkiln::registry
