#include "assembly/engine/wheel_catalog.hpp"

#include "assembly/layer/wheel_layer.hpp"
#include "foundation/base/text.hpp"
#include "foundation/sys/environment.hpp"
#include "foundation/sys/workers.hpp"
#include "plan/recipe/recipe.hpp"

#include <algorithm>
#include <mutex>

#include <fmt/format.h>

namespace torchkiln::engine {

using base::Result;

namespace {

/// Wheels on the disk at once, beside their layers.
constexpr std::size_t k_fetched_at_once = 4;

Result<std::pair<std::string, layer::CatalogEntry>> entry_of(const lock::LockedWheel& locked,
                                                             const wheel::InstallScheme& scheme,
                                                             const std::filesystem::path& file,
                                                             const sys::BlobStore& store) {
  TK_TRY(const auto opened, wheel::Wheel::open(file, locked.file_name));
  const std::span<const wheel::Wheel> only(&opened, 1);
  TK_TRY(const auto facts, layer::make_wheel_layer(only, scheme, store));
  TK_CHECK(store.remove(facts.digest));
  const auto pythons = layer::pythons_of(only);
  const layer::LayerOrigin origin{pythons == layer::Pythons::one ? scheme.python_version : "",
                                  {{locked.file_name, locked.digest}}};
  return std::pair(wheel_layer_key(std::span(&locked.digest, 1), scheme, pythons),
                   layer::CatalogEntry{facts, "", origin});
}

}  // namespace

Result<layer::CatalogEntries> catalog_wheels(std::span<const lock::LockedWheel> wheels,
                                             const wheel::InstallScheme& scheme, const layer::CatalogEntries& known,
                                             const Cache& cache, sys::HttpClient& http, base::Progress& progress) {
  std::vector<const lock::LockedWheel*> wanted;
  std::uint64_t total_bytes = 0;
  for (const auto& one : wheels) {
    const std::span<const base::Digest> digest(&one.digest, 1);
    if (one.size_bytes < recipe::k_own_layer_bytes ||
        known.count(wheel_layer_key(digest, scheme, layer::Pythons::every)) ||
        known.count(wheel_layer_key(digest, scheme, layer::Pythons::one)))
      continue;
    wanted.push_back(&one);
    total_bytes += one.size_bytes;
  }
  layer::CatalogEntries found;
  if (wanted.empty()) return found;
  base::Step step(progress, "Converting", fmt::format("{} wheels, for the catalog alone", wanted.size()));
  TK_TRY(const auto folder, sys::TemporaryDirectory::create(cache.work(), "catalog-"));
  const sys::BlobStore store(folder.path() / "blobs");
  std::mutex mutex;
  sys::Workers workers(sys::processor_count());
  std::uint64_t arrived = 0;
  for (std::size_t first = 0; first < wanted.size(); first += k_fetched_at_once) {
    const std::span<const lock::LockedWheel* const> group =
        std::span(wanted).subspan(first, std::min(k_fetched_at_once, wanted.size() - first));
    std::vector<sys::Download> downloads;
    for (const auto* one : group)
      downloads.push_back({one->url, store.path(one->digest), one->digest, one->size_bytes});
    const auto convert = [&](const lock::LockedWheel& one) -> Result<void> {
      TK_TRY(auto entry, entry_of(one, scheme, store.path(one.digest), store));
      TK_CHECK(store.remove(one.digest));
      const std::lock_guard guard(mutex);
      found.insert(std::move(entry));
      return {};
    };
    const auto on_done = [&](std::size_t i) -> Result<void> {
      if (workers.failed()) return workers.wait();
      workers.submit([&convert, one = group[i]] { return convert(*one); });
      return {};
    };
    auto fetched = http.download_all(downloads, on_done, [&](std::uint64_t bytes) {
      arrived += bytes;
      step.update(arrived, total_bytes);
    });
    const auto converted = workers.wait();  // before what they use goes
    TK_CHECK(std::move(fetched));
    TK_CHECK(converted);
  }
  step.end(base::format_bytes(total_bytes));
  return found;
}

}  // namespace torchkiln::engine
