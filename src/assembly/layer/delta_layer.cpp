#include "assembly/layer/delta_layer.hpp"

#include "assembly/layer/tar_tree.hpp"
#include "foundation/sys/files.hpp"

#include <fstream>
#include <set>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace torchkiln::layer {

using base::ErrorCode;
using base::fail;
using base::Result;
namespace fs = std::filesystem;

namespace {

/// What of `upper` must be in a layer above `lower`.
std::set<std::string> added_or_changed(const TarTree& lower, const TarTree& upper) {
  std::set<std::string> wanted;
  const auto want = [&](const std::string& path) {
    // A layer states the folders above what is in it.
    for (auto at = path; !at.empty() && wanted.insert(at).second; at = parent_of(at)) {
    }
  };
  for (const auto& [path, entry] : upper) {
    const auto before = lower.find(path);
    if (before != lower.end() && before->second.meaning == entry.meaning) continue;
    want(path);
    if (!entry.hard_link.empty()) want(entry.hard_link);  // a link cannot reach into another layer
  }
  return wanted;
}

/// What a bootstrap clears away of a system that was there: leaving it is no less right, and a Dockerfile's ADD
/// cannot remove anything.
bool is_cleared_away(const std::string& path) {
  for (const std::string_view folder : {"var/log/", "var/cache/", "var/lib/apt/", "run/", "tmp/"})
    if (path.starts_with(folder)) return true;
  return path == "etc/machine-id" || path == "var/lib/dbus/machine-id";
}

/// What of `lower` is gone in `upper`: topmost paths only, and not what a file took the place of.
std::vector<std::string> topmost_removed(const TarTree& lower, const TarTree& upper) {
  std::vector<std::string> removed;
  for (const auto& [path, entry] : lower) {
    if (upper.count(path) || is_cleared_away(path)) continue;
    const auto parent = parent_of(path);
    const auto folder = upper.find(parent);
    if (parent.empty() || (folder != upper.end() && folder->second.is_folder)) removed.push_back(path);
  }
  return removed;
}

std::string whiteout(const std::string& path) {
  const auto folder = parent_of(path);
  TarHeader header;
  header.path = folder + (folder.empty() ? "" : "/") + ".wh." + path.substr(folder.empty() ? 0 : folder.size() + 1);
  return tar_header(header);
}

Result<void> write_delta(const fs::path& file, std::string_view upper_tar, const TarTree& lower,
                         const TarTree& upper, const std::vector<std::string>& removed) {
  auto wanted = added_or_changed(lower, upper);
  for (const auto& path : removed)
    for (auto folder = parent_of(path); !folder.empty(); folder = parent_of(folder)) wanted.insert(folder);
  // In the order of the upper tar, where a folder comes before what is in it and a file before its further names.
  std::map<std::size_t, const std::string*> order;
  for (const auto& path : wanted) order[upper.at(path).begin] = &path;
  std::ofstream out(file, std::ios::binary);
  const auto write = [&out](std::string_view bytes) {
    out.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  };
  const auto write_whiteouts = [&](const std::string& folder) {
    for (const auto& path : removed)
      if (parent_of(path) == folder) write(whiteout(path));
  };
  write_whiteouts("");
  for (const auto& [begin, path] : order) {
    const auto& entry = upper.at(*path);
    write(upper_tar.substr(entry.begin, entry.end - entry.begin));
    if (entry.is_folder) write_whiteouts(*path);
  }
  write(tar_end());
  out.close();
  if (!out) return fail(ErrorCode::disk_full, "no room for a layer", {"free some space below the cache folder"});
  return {};
}

}  // namespace

std::string delta_layer_key(const BaseRequest& lower, const BaseRequest& upper) {
  base::Sha256 hasher;
  hasher.update(fmt::format("{}\n{}\n{}", k_delta_layer_recipe, base_layer_key(lower), base_layer_key(upper)));
  return hasher.finish().hex();
}

std::optional<DeltaFacts> find_delta(const std::string& key, const LayerCatalog& catalog) {
  const auto facts = catalog.find(key);
  const auto note = catalog.find_note(key);
  if (!facts || !note) return std::nullopt;
  const auto json = nlohmann::json::parse(*note, nullptr, false);
  if (!json.is_object()) return std::nullopt;
  try {
    return DeltaFacts{*facts, json.at("files").get<std::map<std::string, std::string>>(),
                      json.at("removed").get<std::vector<std::string>>()};
  } catch (const nlohmann::json::exception&) {
    return std::nullopt;  // made again
  }
}

Result<DeltaFacts> make_delta(const std::string& key, const BaseFacts& lower, const BaseFacts& upper,
                              const sys::BlobStore& store, const LayerCatalog& catalog, const fs::path& work,
                              unsigned threads) {
  TK_TRY(const auto folder, sys::TemporaryDirectory::create(work, "delta-"));
  const auto lower_tar = folder.path() / "lower.tar", upper_tar = folder.path() / "upper.tar",
             delta_tar = folder.path() / "delta.tar";
  TK_CHECK(decompress(store.path(lower.layer.digest), lower_tar));
  TK_CHECK(decompress(store.path(upper.layer.digest), upper_tar));
  TK_TRY(const auto lower_bytes, sys::MappedFile::open(lower_tar));
  TK_TRY(const auto upper_bytes, sys::MappedFile::open(upper_tar));
  TK_TRY(const auto lower_tree, read_tree(lower_bytes.bytes()));
  TK_TRY(const auto upper_tree, read_tree(upper_bytes.bytes()));
  DeltaFacts facts;
  facts.files = upper.files;
  facts.removed = topmost_removed(lower_tree, upper_tree);
  TK_CHECK(write_delta(delta_tar, upper_bytes.text(), lower_tree, upper_tree, facts.removed));
  TK_TRY(facts.layer, compress_tar(delta_tar, store, threads));
  const nlohmann::ordered_json note = {{"files", facts.files}, {"removed", facts.removed}};
  TK_CHECK(catalog.add(key, {facts.layer, note.dump()}));
  return facts;
}

}  // namespace torchkiln::layer
