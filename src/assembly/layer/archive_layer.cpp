#include "assembly/layer/archive_layer.hpp"

#include "assembly/layer/archive_reader.hpp"
#include "assembly/layer/base_layer.hpp"
#include "foundation/base/text.hpp"
#include "foundation/sys/files.hpp"
#include "foundation/sys/interrupt.hpp"

#include <algorithm>
#include <fstream>
#include <map>

#include <archive.h>
#include <archive_entry.h>
#include <fmt/format.h>

namespace torchkiln::layer {

using base::ErrorCode;
using base::fail;
using base::Result;
namespace fs = std::filesystem;

namespace {

/// A file or link of an archive; a file's bytes lie in the spool.
struct SpooledFile {
  std::string archive;
  bool is_executable = false;
  std::string link_target;  ///< empty for a file
  base::Digest digest;
  std::uint64_t begin = 0, size_bytes = 0;
};

/// Gathers the files of archives, their bytes one behind the other in a file on disk.
class Spool {
 public:
  explicit Spool(fs::path file) : m_file(std::move(file)), m_out(m_file, std::ios::binary) {}

  Result<void> add(const CachedArchive& from, const fs::path& blob);
  /// The tar of everything below `folder`.
  Result<void> write_tar(const fs::path& tar, const std::string& folder);

 private:
  static base::Unexpected bad(const CachedArchive& from, const std::string& why) {
    return fail(ErrorCode::input_invalid, fmt::format("the archive of {} {}", from.name, why));
  }
  static base::Unexpected unreadable(const CachedArchive& from, archive* reader) {
    return bad(from, "cannot be read: " + reason_of(reader));
  }
  Result<void> take(const CachedArchive& from, archive* reader, archive_entry* entry, const std::string& path);
  Result<void> put(const std::string& path, SpooledFile file);

  fs::path m_file;
  std::ofstream m_out;
  std::uint64_t m_size_bytes = 0;
  std::map<std::string, SpooledFile> m_files;
};

/// "cuda_nvcc-linux-x86_64-12.8.93-archive/bin/nvcc" is "bin/nvcc"; empty for the folder at the top.
std::string below_top(std::string_view path) {
  if (path.starts_with("./")) path.remove_prefix(2);
  const auto slash = path.find('/');
  if (slash == std::string_view::npos) return {};
  path.remove_prefix(slash + 1);
  while (path.ends_with('/')) path.remove_suffix(1);
  return std::string(path);
}

bool leads_out(const std::string& path) {
  const auto parts = base::split(path, '/');
  return path.starts_with('/') || std::find(parts.begin(), parts.end(), "..") != parts.end();
}

Result<void> Spool::add(const CachedArchive& from, const fs::path& blob) {
  const ArchiveReader reader(archive_read_new());
  archive_read_support_filter_all(reader.get());
  archive_read_support_format_tar(reader.get());
  if (archive_read_open_filename(reader.get(), blob.c_str(), 1U << 20) != ARCHIVE_OK)
    return unreadable(from, reader.get());
  archive_entry* entry = nullptr;
  int status = ARCHIVE_OK;
  while ((status = archive_read_next_header(reader.get(), &entry)) == ARCHIVE_OK) {
    if (sys::interrupted()) return sys::interrupted_error();
    const char* name = archive_entry_pathname(entry);
    if (!name) return unreadable(from, reader.get());
    const auto path = below_top(name);
    if (leads_out(name)) return bad(from, fmt::format("holds '{}', which leads out of it", name));
    // Folders come of themselves.
    if (path.empty() || archive_entry_filetype(entry) == AE_IFDIR) continue;
    TK_CHECK(take(from, reader.get(), entry, path.find('/') == std::string::npos ? path + "." + from.name : path));
  }
  return status == ARCHIVE_EOF ? Result<void>() : unreadable(from, reader.get());
}

Result<void> Spool::take(const CachedArchive& from, archive* reader, archive_entry* entry,
                         const std::string& path) {
  SpooledFile file;
  file.archive = from.name;
  if (const char* target = archive_entry_symlink(entry)) {
    file.link_target = target;
    // A link may climb within the toolkit, and no further.
    const auto meant = (fs::path(path).parent_path() / target).lexically_normal();
    if (leads_out(meant.string())) return bad(from, fmt::format("holds a link '{}' to '{}'", path, target));
    file.digest = base::Digest::of(file.link_target);
    return put(path, std::move(file));
  }
  if (archive_entry_hardlink(entry) || archive_entry_filetype(entry) != AE_IFREG)
    return bad(from, fmt::format("holds '{}', which is neither file nor link", path));
  file.is_executable = (archive_entry_perm(entry) & 0111) != 0;
  file.begin = m_size_bytes;
  base::Sha256 hasher;
  const void* piece = nullptr;
  std::size_t size = 0;
  la_int64_t offset = 0;
  int status = ARCHIVE_OK;
  while ((status = archive_read_data_block(reader, &piece, &size, &offset)) == ARCHIVE_OK) {
    const std::string_view bytes(static_cast<const char*>(piece), size);
    hasher.update(bytes);
    m_out.write(bytes.data(), static_cast<std::streamsize>(size));
    m_size_bytes += size;
  }
  if (status != ARCHIVE_EOF) return unreadable(from, reader);
  file.size_bytes = m_size_bytes - file.begin;
  if (file.size_bytes != static_cast<std::uint64_t>(archive_entry_size(entry)))
    return bad(from, fmt::format("holds '{}' with holes in it", path));
  file.digest = hasher.finish();
  return put(path, std::move(file));
}

Result<void> Spool::put(const std::string& path, SpooledFile file) {
  const auto [at, is_new] = m_files.emplace(path, file);
  if (is_new || (at->second.digest == file.digest && at->second.link_target == file.link_target)) return {};
  return fail(ErrorCode::package_conflict,
              fmt::format("the archives of {} and {} both make {}", at->second.archive, file.archive, path));
}

Result<void> Spool::write_tar(const fs::path& tar, const std::string& folder) {
  m_out.close();
  if (!m_out)
    return fail(ErrorCode::disk_full, "no room to unpack archives", {"free some space below the cache folder"});
  TK_TRY(const auto spool, sys::MappedFile::open(m_file));
  std::ofstream out(tar, std::ios::binary);
  const auto write = [&out](std::string_view bytes) {
    out.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  };
  std::string last_folder;
  for (const auto& [path, file] : m_files) {
    TarHeader header;
    header.path = folder + "/" + path;
    for (auto slash = header.path.find('/'); slash != std::string::npos; slash = header.path.find('/', slash + 1)) {
      const auto above = header.path.substr(0, slash + 1);
      if (last_folder.starts_with(above)) continue;
      TarHeader one;
      one.path = last_folder = above;
      one.type = TarType::directory;
      one.mode = 0755;
      write(tar_header(one));
    }
    last_folder = header.path.substr(0, header.path.rfind('/') + 1);
    header.mode = file.is_executable ? 0755 : 0644;
    header.size_bytes = file.size_bytes;
    if (!file.link_target.empty()) {
      header.type = TarType::symlink;
      header.mode = 0777;
      header.link_target = file.link_target;
    }
    write(tar_header(header));
    write(spool.text().substr(file.begin, file.size_bytes));
    write(std::string(tar_padding(file.size_bytes), '\0'));
  }
  write(tar_end());
  out.close();
  if (!out) return fail(ErrorCode::disk_full, "no room for a layer", {"free some space below the cache folder"});
  return {};
}

}  // namespace

std::string archive_layer_key(std::span<const CachedArchive> archives, const std::string& folder) {
  std::vector<std::string> lines;
  for (const auto& one : archives) lines.push_back(one.name + " " + one.digest.hex());
  std::sort(lines.begin(), lines.end());
  return base::Digest::of(fmt::format("{}\n{}\n{}", k_archive_layer_recipe, folder, base::join(lines, "\n"))).hex();
}

Result<LayerFacts> make_archive_layer(std::span<const CachedArchive> archives, const std::string& folder,
                                      const sys::BlobStore& store, const fs::path& work, unsigned threads) {
  TK_TRY(const auto temporary, sys::TemporaryDirectory::create(work, "delta-"));
  Spool spool(temporary.path() / "spool");
  for (const auto& one : archives) TK_CHECK(spool.add(one, store.path(one.digest)));
  TK_CHECK(spool.write_tar(temporary.path() / "layer.tar", folder));
  return compress_tar(temporary.path() / "layer.tar", store, threads);
}

}  // namespace torchkiln::layer
