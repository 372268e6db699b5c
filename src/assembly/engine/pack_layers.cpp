#include "assembly/engine/pack_layers.hpp"

#include "foundation/base/text.hpp"
#include "foundation/sys/environment.hpp"
#include "foundation/sys/workers.hpp"

#include <atomic>
#include <memory>

#include <fmt/format.h>

namespace torchkiln::engine {

using base::Result;

namespace {

/// stargz-snapshotter, docs/estargz.md, and containers/storage's name for the size.
constexpr const char* k_table_digest_key = "containerd.io/snapshot/stargz/toc.digest";
constexpr const char* k_unpacked_size_key = "io.containers.estargz.uncompressed-size";

bool has(const sys::BlobStore& store, const layer::LayerFacts& facts) {
  return sys::size_of_file(store.path(facts.digest)) == facts.size_bytes;
}

oci::Descriptor descriptor_of(const layer::ConvertedLayer& layer, layer::LayerFormat format) {
  oci::Descriptor descriptor{std::string(media_type(format)), layer.facts.digest, layer.facts.size_bytes};
  if (format == layer::LayerFormat::estargz) {
    descriptor.annotations[k_table_digest_key] = layer.table_digest.to_string();
    descriptor.annotations[k_unpacked_size_key] = std::to_string(layer.facts.unpacked_bytes);
  }
  return descriptor;
}

/// Converts what is in the cache and known in no other form.
Result<void> convert_missing(const std::vector<ReadyLayer>& layers, layer::LayerFormat format, const Cache& cache,
                             const oci::Layout& layout, base::Progress& progress) {
  const sys::BlobStore in_layout(layout.directory() / "blobs");
  std::vector<const layer::LayerFacts*> missing;
  std::uint64_t total_bytes = 0;
  for (const auto& one : layers) {
    if (!one.media_type.empty()) continue;  // it stays as it is
    const auto known = known_conversion(one.facts, format, cache.catalog());
    if (known && (has(cache.blobs(), known->facts) || has(in_layout, known->facts))) continue;
    if (known && !has(cache.blobs(), one.facts)) continue;  // it is elsewhere
    missing.push_back(&one.facts);
    total_bytes += one.facts.unpacked_bytes;
  }
  if (missing.empty()) return {};
  base::Step step(progress, "Packing", fmt::format("{} layers as {}", missing.size(), name(format)));
  std::atomic<std::uint64_t> done{0};
  sys::Workers workers(sys::processor_count());
  for (const auto* facts : missing)
    workers.submit(
        [&, facts]() -> Result<void> {
          TK_TRY(const auto made, layer::convert_layer(*facts, format, cache.blobs(), 1));
          step.update(done += facts->unpacked_bytes, total_bytes);
          return cache.catalog().add(
              layer::converted_key(facts->digest, format),
              {made.facts, made.table_digest.is_none() ? "" : made.table_digest.to_string()});
        },
        static_cast<std::int64_t>(facts->unpacked_bytes));
  TK_CHECK(workers.wait());
  step.end(base::format_bytes(total_bytes));
  return {};
}

}  // namespace

std::optional<layer::ConvertedLayer> known_conversion(const layer::LayerFacts& gzip_layer,
                                                      layer::LayerFormat format,
                                                      const layer::LayerCatalog& catalog) {
  if (format == layer::LayerFormat::gzip) return layer::ConvertedLayer{gzip_layer, {}};
  const auto key = layer::converted_key(gzip_layer.digest, format);
  const auto facts = catalog.find(key);
  if (!facts) return std::nullopt;
  if (format != layer::LayerFormat::estargz) return layer::ConvertedLayer{*facts, {}};
  const auto table = base::Digest::parse(catalog.find_note(key).value_or(""));
  return table ? std::optional(layer::ConvertedLayer{*facts, *table}) : std::nullopt;
}

Result<std::vector<PackedLayer>> pack_layers(const std::vector<ReadyLayer>& layers, layer::LayerFormat format,
                                             const Cache& cache, const oci::Layout& layout,
                                             std::set<base::Digest>& elsewhere, base::Progress& progress) {
  TK_CHECK(convert_missing(layers, format, cache, layout, progress));
  std::vector<PackedLayer> packed;
  for (const auto& one : layers) {
    const bool is_ours = one.media_type.empty();
    const auto known = known_conversion(one.facts, is_ours ? format : layer::LayerFormat::gzip, cache.catalog());
    TK_ASSERT(known.has_value(), "what was not known was converted");
    const auto& facts = known->facts;
    auto descriptor = descriptor_of(*known, format);
    if (!is_ours) descriptor = {one.media_type, facts.digest, facts.size_bytes};
    if (has(cache.blobs(), facts)) {
      TK_CHECK(layout.add_file(cache.blobs().path(facts.digest), facts.digest, descriptor.media_type,
                               oci::Trust::digest_as_given));
    } else if (!layout.contains(facts.digest)) {
      elsewhere.insert(facts.digest);
    }
    packed.push_back({std::move(descriptor), facts.diff_id});
  }
  return packed;
}

}  // namespace torchkiln::engine
