#include "assembly/layer/delta_layer.hpp"

#include "assembly/layer/archive_reader.hpp"
#include "foundation/sys/files.hpp"

#include <fstream>
#include <set>

#include <archive.h>
#include <archive_entry.h>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace torchkiln::layer {

using base::ErrorCode;
using base::fail;
using base::Result;
namespace fs = std::filesystem;

namespace {

/// One entry of a base's tar, as far as two of them can differ.
struct BaseEntry {
  base::Digest meaning;  ///< over type, mode, owner, link target, extended attributes and content
  bool is_folder = false;
  std::string hard_link;           ///< the path that has the content; empty for all but hard links
  std::size_t begin = 0, end = 0;  ///< in the tar, with all headers and padding
};
using BaseTree = std::map<std::string, BaseEntry>;

base::Unexpected damaged(archive* reader) {
  const char* why = archive_error_string(reader);
  return fail(ErrorCode::integrity_failed,
              "a base in the cache cannot be read: " + std::string(why ? why : "damaged"));
}

/// The tar in a gzip layer.
Result<void> decompress(const fs::path& blob, const fs::path& tar) {
  const ArchiveReader reader(archive_read_new());
  archive_read_support_filter_gzip(reader.get());
  archive_read_support_format_raw(reader.get());
  archive_entry* entry = nullptr;
  if (archive_read_open_filename(reader.get(), blob.c_str(), 1U << 20) != ARCHIVE_OK ||
      archive_read_next_header(reader.get(), &entry) != ARCHIVE_OK)
    return damaged(reader.get());
  std::ofstream out(tar, std::ios::binary);
  const void* piece = nullptr;
  std::size_t size = 0;
  la_int64_t offset = 0;
  int status = ARCHIVE_OK;
  while ((status = archive_read_data_block(reader.get(), &piece, &size, &offset)) == ARCHIVE_OK)
    out.write(static_cast<const char*>(piece), static_cast<std::streamsize>(size));
  if (status != ARCHIVE_EOF) return damaged(reader.get());
  out.close();
  if (!out)
    return fail(ErrorCode::disk_full, "no room to unpack a base", {"free some space below the cache folder"});
  return {};
}

/// "./usr/bin/" is "usr/bin".
std::string plain_path(std::string path) {
  if (path.starts_with("./")) path.erase(0, 2);
  while (path.ends_with('/')) path.pop_back();
  return path == "." ? std::string() : path;
}

base::Digest meaning_of(archive_entry* entry, std::string_view content) {
  base::Sha256 hasher;
  const char* link = archive_entry_symlink(entry);
  hasher.update(fmt::format("{} {} {} {} {}\n{}\n", archive_entry_filetype(entry), archive_entry_perm(entry),
                            archive_entry_uid(entry), archive_entry_gid(entry), content.size(), link ? link : ""));
  const char* name = nullptr;
  const void* value = nullptr;
  std::size_t size = 0;
  archive_entry_xattr_reset(entry);
  while (archive_entry_xattr_next(entry, &name, &value, &size) == ARCHIVE_OK) {
    hasher.update(fmt::format("{} {}\n", name, size));
    hasher.update(std::string_view(static_cast<const char*>(value), size));
  }
  hasher.update(content);
  return hasher.finish();
}

Result<BaseTree> read_tree(std::span<const std::byte> tar) {
  const ArchiveReader reader(archive_read_new());
  archive_read_support_format_tar(reader.get());
  if (archive_read_open_memory(reader.get(), tar.data(), tar.size()) != ARCHIVE_OK) return damaged(reader.get());
  BaseTree tree;
  BaseEntry* previous = nullptr;
  std::string content;
  archive_entry* entry = nullptr;
  int status = ARCHIVE_OK;
  // ARCHIVE_WARN: a name that our locale cannot write.
  while ((status = archive_read_next_header(reader.get(), &entry)) == ARCHIVE_OK || status == ARCHIVE_WARN) {
    const auto begin = static_cast<std::size_t>(archive_read_header_position(reader.get()));
    if (previous) previous->end = begin;
    content.resize(static_cast<std::size_t>(archive_entry_size(entry)));
    if (archive_read_data(reader.get(), content.data(), content.size()) != static_cast<la_ssize_t>(content.size()))
      return damaged(reader.get());
    // The bytes as they are; in UTF-8 only where the locale has no form for them.
    const char* name = archive_entry_pathname(entry);
    if (!name) name = archive_entry_pathname_utf8(entry);
    if (!name) return damaged(reader.get());
    const auto path = plain_path(name);
    BaseEntry one;
    one.begin = begin;
    one.is_folder = archive_entry_filetype(entry) == AE_IFDIR;
    if (const char* target = archive_entry_hardlink(entry)) {
      one.hard_link = plain_path(target);
      // A further name of a file: it is what that file is.
      const auto at = tree.find(one.hard_link);
      if (at == tree.end()) return damaged(reader.get());
      one.meaning = at->second.meaning;
    } else {
      one.meaning = meaning_of(entry, content);
    }
    previous = &(tree[path] = std::move(one));
  }
  if (status != ARCHIVE_EOF) return damaged(reader.get());
  if (previous) previous->end = static_cast<std::size_t>(archive_read_header_position(reader.get()));
  tree.erase("");  // the root itself is the runtime's
  return tree;
}

std::string parent_of(const std::string& path) {
  const auto slash = path.rfind('/');
  return slash == std::string::npos ? std::string() : path.substr(0, slash);
}

/// What of `upper` must be in a layer above `lower`.
std::set<std::string> added_or_changed(const BaseTree& lower, const BaseTree& upper) {
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

/// What of `lower` is gone in `upper`: topmost paths only, and not what a file took the place of.
std::vector<std::string> topmost_removed(const BaseTree& lower, const BaseTree& upper) {
  std::vector<std::string> removed;
  for (const auto& [path, entry] : lower) {
    if (upper.count(path)) continue;
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

Result<void> write_delta(const fs::path& file, std::string_view upper_tar, const BaseTree& lower,
                         const BaseTree& upper, const std::vector<std::string>& removed) {
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

std::optional<DeltaFacts> find_delta(const std::string& key, const LayerCatalog& catalog,
                                     const sys::BlobStore& store) {
  const auto facts = catalog.find(key);
  const auto note = catalog.find_note(key);
  if (!facts || !note || !store.contains(facts->digest)) return std::nullopt;
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
  TK_CHECK(catalog.add_note(key, note.dump(1) + "\n"));
  TK_CHECK(catalog.add(key, facts.layer));
  return facts;
}

}  // namespace torchkiln::layer
