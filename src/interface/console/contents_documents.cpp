#include "interface/console/contents_documents.hpp"

#include "assembly/oci/platform.hpp"
#include "foundation/base/text.hpp"

#include <algorithm>
#include <array>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace torchkiln::console {

namespace {

using ContentsJson = nlohmann::ordered_json;

/// Our own labels, and what they are called here.
constexpr std::array<std::pair<const char*, const char*>, 10> k_facts = {{{"pytorch", "PyTorch"},
                                                                          {"cuda", "CUDA"},
                                                                          {"cudnn", "cuDNN"},
                                                                          {"nccl", "NCCL"},
                                                                          {"python", "Python"},
                                                                          {"os", "system"},
                                                                          {"variant", "variant"},
                                                                          {"gpu-architectures", "GPUs"},
                                                                          {"driver-minimum", "driver"},
                                                                          {"requested", "requested"}}};

std::string label_of(const oci::ImageConfig& config, const std::string& name) {
  return oci::value_of(config.execution.labels, "dev.torchkiln." + name);
}

std::string fact(std::string_view name, std::string_view value) {
  return value.empty() ? "" : fmt::format("  {:<10} {}\n", name, value);
}

/// One line, printable, of what anybody may have written.
std::string shortened(std::string_view text) {
  constexpr std::size_t k_shown_bytes = 100;
  std::string shown(text.substr(0, k_shown_bytes));
  for (char& c : shown)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = ' ';
  return text.size() > k_shown_bytes ? shown + "…" : shown;
}

std::string layer_line(std::string_view mark, const oci::LayerContent& layer) {
  return fmt::format("{:<2}{:>8}  {}  {}\n", mark, base::format_bytes(layer.descriptor.size_bytes),
                     layer.descriptor.digest.to_string().substr(0, 19), shortened(layer.made_by));
}

ContentsJson layer_json(const oci::LayerContent& layer) {
  ContentsJson json = {{"digest", layer.descriptor.digest.to_string()},
                       {"size", layer.descriptor.size_bytes},
                       {"media_type", layer.descriptor.media_type}};
  if (!layer.diff_id.is_none()) json["diff_id"] = layer.diff_id.to_string();
  if (!layer.made_by.empty()) json["made_by"] = layer.made_by;
  return json;
}

ContentsJson layers_json(const std::vector<oci::LayerContent>& layers) {
  auto list = ContentsJson::array();
  for (const auto& layer : layers) list.push_back(layer_json(layer));
  return list;
}

std::string printed(const ContentsJson& root) {
  return root.dump(2, ' ', false, ContentsJson::error_handler_t::replace) + "\n";
}

oci::Platform platform_of(const oci::ImageConfig& config) {
  return {config.architecture, config.os, config.variant};
}

std::uint64_t size_of(const std::vector<oci::LayerContent>& layers) {
  std::uint64_t size_bytes = 0;
  for (const auto& layer : layers) size_bytes += layer.descriptor.size_bytes;
  return size_bytes;
}

}  // namespace

std::string inspection_text(const Inspection& inspection, const Paint& paint) {
  const auto& [manifest, config, layers, documents_bytes] = inspection.contents;
  auto text = paint.bold(inspection.reference) + "\n";
  text += fact("digest", inspection.image.descriptor.digest.to_string());
  text += fact("image id", manifest.config.digest.to_string());
  text += fact("created", config.created);
  text += fact("platform", oci::to_string(platform_of(config)));
  for (const auto& [label, name] : k_facts) {
    const auto value = label_of(config, label);
    text += fact(name, std::string_view(label) == "driver-minimum" && !value.empty() ? value + " or newer" : value);
  }
  text += fact("user", config.execution.user);
  text += fact("size", fmt::format("{} in {} layers", base::format_bytes(size_of(layers)), layers.size()));
  for (const auto& layer : layers) text += layer_line("", layer);
  for (const auto& referrer : inspection.referrers)
    text += fact("referrer", shortened(referrer.artifact_type) + " " + referrer.digest.to_string());
  return text;
}

std::string inspection_json(const Inspection& inspection) {
  const auto& [manifest, config, layers, documents_bytes] = inspection.contents;
  ContentsJson facts = ContentsJson::object(), referrers = ContentsJson::array();
  for (const auto& [label, name] : k_facts)
    if (const auto value = label_of(config, label); !value.empty())
      facts[base::replace_all(label, "-", "_")] = value;
  for (const auto& referrer : inspection.referrers)
    referrers.push_back({{"digest", referrer.digest.to_string()}, {"artifact_type", referrer.artifact_type}});
  return printed({{"schema", "torchkiln.inspect/1"},
                  {"reference", inspection.reference},
                  {"digest", inspection.image.descriptor.digest.to_string()},
                  {"image_id", manifest.config.digest.to_string()},
                  {"created", config.created},
                  {"platform", oci::to_string(platform_of(config))},
                  {"facts", facts},
                  {"user", config.execution.user},
                  {"entrypoint", config.execution.entrypoint},
                  {"command", config.execution.command},
                  {"labels", config.execution.labels},
                  {"size", size_of(layers)},
                  {"layers", layers_json(layers)},
                  {"referrers", referrers}});
}

std::uint64_t Comparison::bytes_to_pull() const {
  return difference.fetch_bytes + gets.documents_bytes;
}

std::string comparison_text(const Comparison& comparison, const Paint& paint) {
  const auto& difference = comparison.difference;
  std::string text;
  for (const auto& layer : difference.shared) text += paint.dim(layer_line("=", layer));
  for (const auto& layer : difference.to_fetch) text += paint.yellow(layer_line("+", layer));
  for (const auto& layer : difference.left) text += layer_line("-", layer);
  const bool is_lower_bound = comparison.gets.is_lock;
  text +=
      fmt::format("{} has {}: {} are shared; {} gets {}{} in {} layers\n", comparison.has.reference,
                  base::format_bytes(size_of(comparison.has.layers)), base::format_bytes(difference.shared_bytes),
                  comparison.gets.reference, is_lower_bound ? "at least " : "",
                  paint.bold(base::format_bytes(comparison.bytes_to_pull())), difference.to_fetch.size());
  if (comparison.has.is_lock || comparison.gets.is_lock)
    text += "a lock knows the layers of its wheels; system and configuration are not counted\n";
  return text;
}

std::string comparison_json(const Comparison& comparison) {
  const auto side = [](const ComparedImage& image) -> ContentsJson {
    return {{"reference", image.reference},
            {"kind", image.is_lock ? "lock" : "image"},
            {"size", size_of(image.layers)},
            {"layers", image.layers.size()}};
  };
  const auto& difference = comparison.difference;
  return printed({{"schema", "torchkiln.diff/1"},
                  {"has", side(comparison.has)},
                  {"gets", side(comparison.gets)},
                  {"complete", !comparison.has.is_lock && !comparison.gets.is_lock},
                  {"bytes_to_pull", comparison.bytes_to_pull()},
                  {"bytes_shared", difference.shared_bytes},
                  {"shared", layers_json(difference.shared)},
                  {"to_fetch", layers_json(difference.to_fetch)},
                  {"left", layers_json(difference.left)}});
}

}  // namespace torchkiln::console
