#include "assembly/layer/catalog.hpp"

#include "foundation/sys/files.hpp"

#include <mutex>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace torchkiln::layer {

using base::Result;
namespace fs = std::filesystem;

namespace {

constexpr std::string_view k_entry_schema = "torchkiln.layer/1", k_catalog_schema = "torchkiln.layers/1";

nlohmann::ordered_json to_json(const CatalogEntry& entry) {
  nlohmann::ordered_json json = {{"digest", entry.facts.digest.to_string()},
                                 {"size", entry.facts.size_bytes},
                                 {"diff_id", entry.facts.diff_id.to_string()},
                                 {"unpacked_size", entry.facts.unpacked_bytes}};
  if (!entry.origin.python.empty()) json["python"] = entry.origin.python;
  for (const auto& [file, digest] : entry.origin.wheels)
    json["wheels"].push_back(nlohmann::ordered_json{{"file", file}, {"sha256", digest.hex()}});
  if (!entry.note.empty()) json["note"] = entry.note;
  return json;
}

/// Nothing for what is no entry.
std::optional<CatalogEntry> from_json(const nlohmann::json& json) {
  if (!json.is_object()) return std::nullopt;
  const auto digest = [](const nlohmann::json& object, const char* field) -> std::optional<base::Digest> {
    const auto at = object.find(field);
    if (at == object.end() || !at->is_string()) return std::nullopt;
    const auto parsed = base::Digest::parse(at->get<std::string>());
    return parsed ? std::optional(*parsed) : std::nullopt;
  };
  const auto number = [&](const char* field) -> std::optional<std::uint64_t> {
    const auto at = json.find(field);
    if (at == json.end() || !at->is_number_unsigned()) return std::nullopt;
    return at->get<std::uint64_t>();
  };
  const auto text = [&](const nlohmann::json& object, const char* field) -> std::optional<std::string> {
    const auto at = object.find(field);
    if (at == object.end()) return std::string();
    return at->is_string() ? std::optional(at->get<std::string>()) : std::nullopt;
  };
  const auto blob = digest(json, "digest"), diff = digest(json, "diff_id");
  const auto size = number("size"), unpacked = number("unpacked_size");
  auto python = text(json, "python"), note = text(json, "note");
  if (!blob || !diff || !size || !unpacked || !python || !note) return std::nullopt;
  CatalogEntry entry{{*blob, *size, *diff, *unpacked}, std::move(*note), {std::move(*python)}};
  if (const auto wheels = json.find("wheels"); wheels != json.end()) {
    if (!wheels->is_array()) return std::nullopt;
    for (const auto& wheel : *wheels) {
      if (!wheel.is_object()) return std::nullopt;
      auto file = text(wheel, "file");
      const auto sha256 = digest(wheel, "sha256");
      if (!file || !sha256) return std::nullopt;
      entry.origin.wheels.emplace_back(std::move(*file), *sha256);
    }
  }
  return entry;
}

/// Keys are SHA-256 in hex: they name files.
bool is_key(std::string_view text) {
  return text.size() == 64 && text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

}  // namespace

std::string format_catalog(const CatalogEntries& entries) {
  nlohmann::ordered_json layers = nlohmann::ordered_json::object();
  for (const auto& [key, entry] : entries) layers[key] = to_json(entry);
  return nlohmann::ordered_json{{"schema", k_catalog_schema}, {"layers", std::move(layers)}}.dump(1) + "\n";
}

Result<CatalogEntries> parse_catalog(std::string_view text, const std::string& file) {
  const auto bad = [&](const std::string& what) {
    return base::fail_at(base::ErrorCode::input_invalid, {file, 0, 0}, what);
  };
  const auto json = nlohmann::json::parse(text, nullptr, false);
  if (!json.is_object() || json.value("schema", nlohmann::json()) != k_catalog_schema || !json.contains("layers") ||
      !json["layers"].is_object())
    return bad(fmt::format("is no layer catalog (schema {})", k_catalog_schema));
  CatalogEntries entries;
  for (const auto& [key, value] : json["layers"].items()) {
    auto entry = from_json(value);
    if (!is_key(key) || !entry) return bad("has an entry that cannot be understood: '" + key + "'");
    entries.emplace(key, std::move(*entry));
  }
  return entries;
}

/// The catalogs that came with torchkiln.
struct LayerCatalog::Shipped {
  fs::path folder;
  std::once_flag once;
  CatalogEntries entries;

  const CatalogEntries& read() {
    std::call_once(once, [this] {
      std::error_code error;
      if (folder.empty() || !fs::is_directory(folder, error)) return;
      const auto names = sys::list_directory(folder);
      if (!names) return;
      for (const auto& name : *names) {
        if (!name.ends_with(".json")) continue;
        const auto text = sys::read_file(folder / name);
        if (!text) continue;
        // One that is damaged is as good as none: layers are then made without it.
        if (auto read = parse_catalog(*text, (folder / name).string())) entries.merge(*read);
      }
    });
    return entries;
  }
};

LayerCatalog::LayerCatalog(fs::path folder, fs::path shipped)
    : m_folder(std::move(folder)), m_shipped(std::make_shared<Shipped>()) {
  m_shipped->folder = std::move(shipped);
}

std::optional<CatalogEntry> LayerCatalog::find_entry(const std::string& key) const {
  if (const auto text = sys::read_file(m_folder / (key + ".json"))) {
    const auto json = nlohmann::json::parse(*text, nullptr, false);
    if (json.is_object() && json.value("schema", nlohmann::json()) == k_entry_schema)
      if (auto entry = from_json(json)) return entry;
  }
  const auto& shipped = m_shipped->read();
  const auto found = shipped.find(key);
  return found == shipped.end() ? std::nullopt : std::optional(found->second);
}

std::optional<LayerFacts> LayerCatalog::find(const std::string& key) const {
  const auto entry = find_entry(key);
  return entry ? std::optional(entry->facts) : std::nullopt;
}

std::optional<std::string> LayerCatalog::find_note(const std::string& key) const {
  auto entry = find_entry(key);
  return entry && !entry->note.empty() ? std::optional(std::move(entry->note)) : std::nullopt;
}

Result<void> LayerCatalog::add(const std::string& key, const CatalogEntry& entry) const {
  TK_ASSERT(is_key(key), "a catalog's keys are digests");
  nlohmann::ordered_json json = {{"schema", k_entry_schema}};
  json.update(to_json(entry));
  return sys::write_file(m_folder / (key + ".json"), json.dump(2) + "\n");
}

Result<CatalogEntries> LayerCatalog::own_entries() const {
  CatalogEntries entries;
  std::error_code error;
  if (!fs::is_directory(m_folder, error)) return entries;
  TK_TRY(const auto names, sys::list_directory(m_folder));
  for (const auto& name : names) {
    const auto key = name.substr(0, name.find('.'));
    if (name != key + ".json" || !is_key(key)) continue;
    const auto text = sys::read_file(m_folder / name);
    if (!text) continue;
    const auto json = nlohmann::json::parse(*text, nullptr, false);
    if (!json.is_object() || json.value("schema", nlohmann::json()) != k_entry_schema) continue;
    if (auto entry = from_json(json)) entries.emplace(key, std::move(*entry));
  }
  return entries;
}

}  // namespace torchkiln::layer
