#include "assembly/layer/catalog.hpp"

#include "foundation/sys/files.hpp"

#include <nlohmann/json.hpp>

namespace torchkiln::layer {

std::optional<LayerFacts> LayerCatalog::find(const std::string& key) const {
  const auto text = sys::read_file(m_folder / (key + ".json"));
  if (!text) return std::nullopt;
  const auto json = nlohmann::json::parse(*text, nullptr, false);
  if (!json.is_object() || json.value("schema", nlohmann::json()) != "torchkiln.layer/1") return std::nullopt;
  auto digest = [&](const char* field) {
    const auto at = json.find(field);
    return at != json.end() && at->is_string()
               ? base::Digest::parse(at->get<std::string>())
               : base::Result<base::Digest>(base::fail(base::ErrorCode::input_invalid, field));
  };
  auto number = [&](const char* field) -> std::optional<std::uint64_t> {
    const auto at = json.find(field);
    if (at == json.end() || !at->is_number_unsigned()) return std::nullopt;
    return at->get<std::uint64_t>();
  };
  const auto blob = digest("digest"), diff = digest("diff_id");
  const auto size = number("size"), unpacked = number("unpacked_size");
  if (!blob || !diff || !size || !unpacked) return std::nullopt;
  return LayerFacts{*blob, *size, *diff, *unpacked};
}

base::Result<void> LayerCatalog::add(const std::string& key, const LayerFacts& facts) const {
  const nlohmann::ordered_json json = {{"schema", "torchkiln.layer/1"},
                                       {"digest", facts.digest.to_string()},
                                       {"size", facts.size_bytes},
                                       {"diff_id", facts.diff_id.to_string()},
                                       {"unpacked_size", facts.unpacked_bytes}};
  return sys::write_file(m_folder / (key + ".json"), json.dump(2) + "\n");
}

std::optional<std::string> LayerCatalog::find_note(const std::string& key) const {
  auto text = sys::read_file(m_folder / (key + ".note"));
  if (!text) return std::nullopt;
  return std::move(*text);
}

base::Result<void> LayerCatalog::add_note(const std::string& key, std::string_view text) const {
  return sys::write_file(m_folder / (key + ".note"), text);
}

}  // namespace torchkiln::layer
