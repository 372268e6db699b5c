#include "assembly/layer/tar_tree.hpp"

#include "assembly/layer/archive_reader.hpp"

#include <fstream>

#include <archive.h>
#include <archive_entry.h>
#include <fmt/format.h>

namespace torchkiln::layer {

using base::ErrorCode;
using base::fail;
using base::Result;
namespace fs = std::filesystem;

namespace {

base::Unexpected damaged(archive* reader) {
  return fail(ErrorCode::integrity_failed, "a layer cannot be read: " + reason_of(reader));
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

}  // namespace

Result<void> decompress(const fs::path& blob, const fs::path& tar) {
  const ArchiveReader reader(archive_read_new());
  archive_read_support_filter_all(reader.get());
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

Result<TarTree> read_tree(std::span<const std::byte> tar) {
  const ArchiveReader reader(archive_read_new());
  archive_read_support_format_tar(reader.get());
  if (archive_read_open_memory(reader.get(), tar.data(), tar.size()) != ARCHIVE_OK) return damaged(reader.get());
  TarTree tree;
  TarEntry* previous = nullptr;
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
    TarEntry one;
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

}  // namespace torchkiln::layer
