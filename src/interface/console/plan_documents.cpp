#include "interface/console/plan_documents.hpp"

#include "foundation/base/text.hpp"

#include <optional>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace torchkiln::console {

namespace {

using PlanJson = nlohmann::ordered_json;

/// A sum of sizes, some of which may not be known.
struct Amount {
  std::uint64_t bytes = 0;
  bool is_exact = true;

  void add(std::uint64_t more) { bytes += more; }
  std::string text() const { return (is_exact ? "" : "~") + base::format_bytes(bytes); }
};

std::string_view presence_word(const engine::PlannedLayer& layer) {
  switch (layer.presence) {
    case engine::Presence::in_cache:
      return "in the cache";
    case engine::Presence::at_target:
      return "at the target";
    case engine::Presence::absent:
      return layer.facts ? "to copy" : "to make";
  }
  return "";
}

/// What a layer has in a format, of what it has as gzip: measured on PyTorch 2.8.0 with what it needs.
constexpr double k_zstd_share = 0.8;

/// The size of the layer's blob: known, or about that of its wheels, whose bytes are copied. Of Debian packages
/// nothing is known before they are installed.
std::optional<Amount> blob_size(const engine::PlannedLayer& layer, const PlanSummary& summary) {
  if (layer.blob_bytes) return Amount{*layer.blob_bytes, true};
  const bool is_raw = summary.format == layer::LayerFormat::raw;
  Amount amount{0, false};
  if (layer.facts)
    amount.add(layer.facts->size_bytes);
  else if (layer.wheels.empty())
    return std::nullopt;
  else
    for (const auto index : layer.wheels) {
      const auto& wheel = summary.lock.wheels[index];
      amount.add(is_raw ? wheel.unpacked_bytes : wheel.size_bytes);
    }
  if (summary.format == layer::LayerFormat::zstd)
    amount.bytes = static_cast<std::uint64_t>(static_cast<double>(amount.bytes) * k_zstd_share);
  return amount;
}

std::optional<Amount> unpacked_size(const engine::PlannedLayer& layer, const lock::Lock& lock) {
  if (layer.facts) return Amount{layer.facts->unpacked_bytes, true};
  if (layer.wheels.empty()) return std::nullopt;
  Amount amount{0, false};
  for (const auto wheel : layer.wheels) amount.add(lock.wheels[wheel].unpacked_bytes);
  return amount;
}

struct Totals {
  Amount blobs, unpacked;
  std::uint64_t wheel_files = 0;
  std::size_t unknown = 0;  ///< layers of unknown size
};

Totals totals_of(const std::vector<engine::PlannedLayer>& layers, const PlanSummary& summary) {
  const auto& lock = summary.lock;
  Totals totals;
  const auto add = [](Amount& sum, const Amount& amount) {
    sum.add(amount.bytes);
    sum.is_exact = sum.is_exact && amount.is_exact;
  };
  for (const auto& layer : layers) {
    for (const auto wheel : layer.wheels) totals.wheel_files += lock.wheels[wheel].files;
    const auto blob = blob_size(layer, summary), unpacked = unpacked_size(layer, lock);
    if (!blob || !unpacked) {
      ++totals.unknown;
      continue;
    }
    add(totals.blobs, *blob);
    add(totals.unpacked, *unpacked);
  }
  return totals;
}

std::string layer_line(const engine::PlannedLayer& layer, const PlanSummary& summary) {
  const auto size = blob_size(layer, summary);
  std::string made_by = layer.made_by;
  constexpr std::size_t k_shown_bytes = 90;
  if (made_by.size() > k_shown_bytes) made_by = made_by.substr(0, k_shown_bytes) + "…";
  return fmt::format("  {:>9}  {:<13}  {}\n", size ? size->text() : "?", presence_word(layer), made_by);
}

PlanJson layer_json(const engine::PlannedLayer& layer, const PlanSummary& summary) {
  const auto& lock = summary.lock;
  PlanJson json = {{"made_by", layer.made_by}, {"state", std::string(presence_word(layer))}};
  if (layer.facts) {
    json["digest"] = layer.facts->digest.to_string();
    json["diff_id"] = layer.facts->diff_id.to_string();
  }
  if (const auto size = blob_size(layer, summary)) {
    json["size"] = size->bytes;
    json["unpacked_size"] = unpacked_size(layer, lock)->bytes;
    json["exact"] = size->is_exact;
  }
  for (const auto index : layer.wheels) {
    const auto& wheel = lock.wheels[index];
    PlanJson one = {{"name", wheel.name},
                    {"version", wheel.version},
                    {"size", wheel.size_bytes},
                    {"unpacked_size", wheel.unpacked_bytes}};
    if (wheel.files) one["files"] = wheel.files;
    json["wheels"].push_back(std::move(one));
  }
  return json;
}

}  // namespace

std::string plan_text(const PlanSummary& summary, const Paint& paint) {
  std::string text;
  for (std::size_t i = 0; i < summary.names.size(); ++i) {
    const auto& layers = summary.plan.images[i];
    const auto totals = totals_of(layers, summary);
    text += paint.bold(summary.names[i]) + "\n";
    for (const auto& layer : layers) text += layer_line(layer, summary);
    text += fmt::format("  {:>9}  {} layers and a small one for the configuration, {} unpacked",
                        totals.blobs.text(), layers.size(), totals.unpacked.text());
    if (totals.wheel_files) text += fmt::format(", {} files of wheels", totals.wheel_files);
    if (totals.unknown) text += fmt::format("; without {} that nobody made yet", totals.unknown);
    text += "\n";
  }
  text += fmt::format("to download: {} files, {}\nno two wheels disagree about a file\n", summary.plan.downloads,
                      base::format_bytes(summary.plan.download_bytes));
  return text;
}

std::string plan_json(const PlanSummary& summary) {
  auto images = PlanJson::array();
  for (std::size_t i = 0; i < summary.names.size(); ++i) {
    auto layers = PlanJson::array();
    for (const auto& layer : summary.plan.images[i]) layers.push_back(layer_json(layer, summary));
    const auto totals = totals_of(summary.plan.images[i], summary);
    images.push_back(PlanJson{{"name", summary.names[i]},
                              {"layers", std::move(layers)},
                              {"size", totals.blobs.bytes},
                              {"unpacked_size", totals.unpacked.bytes},
                              {"exact", totals.blobs.is_exact && totals.unknown == 0}});
  }
  const PlanJson root = {{"schema", "torchkiln.plan/1"},
                         {"images", std::move(images)},
                         {"download", {{"files", summary.plan.downloads}, {"size", summary.plan.download_bytes}}},
                         {"conflicts", PlanJson::array()}};
  return root.dump(2) + "\n";
}

}  // namespace torchkiln::console
