#include "interface/console/registry_documents.hpp"

#include "foundation/base/text.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace torchkiln::console {

namespace {

using OrderedJson = nlohmann::ordered_json;

std::string line(std::string_view label, std::string_view value) {
  return fmt::format("  {:<10} {}\n", label, value);
}

std::string moved_text(const registry::Moved& moved, std::string_view how) {
  return fmt::format("{} {} ({})", moved.blobs, how, base::format_bytes(moved.size_bytes));
}

OrderedJson moved_json(const registry::Moved& moved) {
  return {{"blobs", moved.blobs}, {"size", moved.size_bytes}};
}

OrderedJson digests_of(const std::vector<oci::Descriptor>& descriptors) {
  auto list = OrderedJson::array();
  for (const auto& one : descriptors) list.push_back(one.digest.to_string());
  return list;
}

std::string bytes_of(const OrderedJson& root) {
  return root.dump(2, ' ', false, OrderedJson::error_handler_t::replace) + "\n";
}

}  // namespace

std::string push_text(const PushSummary& summary, const Paint& paint) {
  std::string text;
  for (const auto& pushed : summary.pushed) {
    text += paint.bold(pushed.reference) + "\n";
    text += line("digest", pushed.digest.to_string());
    text += line("blobs", moved_text(pushed.uploaded, "sent") + ", " + moved_text(pushed.mounted, "mounted") +
                              ", " + moved_text(pushed.present, "were there"));
    if (!pushed.referrers.empty()) text += line("referrers", std::to_string(pushed.referrers.size()));
  }
  return text;
}

std::string push_json(const PushSummary& summary) {
  auto list = OrderedJson::array();
  for (const auto& pushed : summary.pushed)
    list.push_back({{"reference", pushed.reference},
                    {"digest", pushed.digest.to_string()},
                    {"uploaded", moved_json(pushed.uploaded)},
                    {"mounted", moved_json(pushed.mounted)},
                    {"present", moved_json(pushed.present)},
                    {"referrers", digests_of(pushed.referrers)}});
  return bytes_of({{"schema", "torchkiln.push/1"}, {"pushed", list}, {"seconds", summary.seconds}});
}

std::string pull_text(const PullSummary& summary, const Paint& paint) {
  const auto& pulled = summary.pulled;
  auto text = paint.bold(summary.reference) + "\n";
  text += line("digest", pulled.image.descriptor.digest.to_string());
  text += line("size", fmt::format("{} in {} layers", base::format_bytes(pulled.size_bytes), pulled.layers));
  text += line("fetched",
               fmt::format("{} in {} blobs", base::format_bytes(pulled.fetched_bytes), pulled.fetched_blobs));
  if (!pulled.referrers.empty()) text += line("referrers", std::to_string(pulled.referrers.size()));
  text += line("image", summary.layout.empty() ? "in the cache" : "oci:" + summary.layout + ":" + pulled.image.tag);
  return text;
}

std::string pull_json(const PullSummary& summary) {
  const auto& pulled = summary.pulled;
  return bytes_of({{"schema", "torchkiln.pull/1"},
                   {"reference", summary.reference},
                   {"digest", pulled.image.descriptor.digest.to_string()},
                   {"platform", oci::to_string(*pulled.image.descriptor.platform)},
                   {"size", pulled.size_bytes},
                   {"layers", pulled.layers},
                   {"fetched", {{"blobs", pulled.fetched_blobs}, {"size", pulled.fetched_bytes}}},
                   {"referrers", digests_of(pulled.referrers)},
                   {"layout", summary.layout.empty() ? OrderedJson() : OrderedJson(summary.layout)},
                   {"tag", pulled.image.tag},
                   {"seconds", summary.seconds}});
}

}  // namespace torchkiln::console
