#include "assembly/oci/archive.hpp"

#include "assembly/oci/index_file.hpp"
#include "foundation/sys/blob_store.hpp"
#include "foundation/sys/files.hpp"
#include "foundation/sys/interrupt.hpp"

#include <algorithm>
#include <fcntl.h>
#include <map>
#include <memory>
#include <unistd.h>

#include <archive.h>
#include <archive_entry.h>

namespace torchkiln::oci {

using base::ErrorCode;
using base::fail;
using base::fail_at;
using base::Result;
namespace fs = std::filesystem;

namespace {

constexpr std::size_t k_file_limit = 100'000;
constexpr std::string_view k_blobs = "blobs/sha256/";
constexpr const char* k_docker_index = "manifest.json";

using Reader = std::unique_ptr<archive, int (*)(archive*)>;

/// What an archive has: every file is a blob of the layout by now.
struct Files {
  std::map<std::string, Descriptor> blobs;       ///< by path, without a media type
  std::map<std::string, std::string> links;      ///< path → path
  std::map<std::string, std::string> documents;  ///< index.json and manifest.json
};

std::string normal(const fs::path& path) {
  return path.lexically_normal().relative_path().string();
}

class ArchiveFile {
 public:
  ArchiveFile(fs::path path, const Layout& layout)
      : m_path(std::move(path)), m_layout(layout), m_reader(archive_read_new(), archive_read_free) {}

  Result<Files> read() {
    archive_read_support_format_tar(m_reader.get());
    archive_read_support_filter_all(m_reader.get());
    if (archive_read_open_filename(m_reader.get(), m_path.c_str(), 1U << 20) != ARCHIVE_OK) return broken();
    Files files;
    for (std::size_t count = 0;; ++count) {
      if (sys::interrupted()) return sys::interrupted_error();
      archive_entry* entry = nullptr;
      const int status = archive_read_next_header(m_reader.get(), &entry);
      if (status == ARCHIVE_EOF) return files;
      if (status != ARCHIVE_OK || count == k_file_limit) return broken();
      TK_CHECK(take(entry, files));
    }
  }

 private:
  Result<void> take(archive_entry* entry, Files& files) {
    const char* name = archive_entry_pathname(entry);
    if (!name) return {};
    const auto path = normal(name);
    const char* link = archive_entry_hardlink(entry);
    if (link) {
      files.links[path] = normal(link);
    } else if (archive_entry_filetype(entry) == AE_IFLNK) {
      // docker's older archives have a layer once, and links to it.
      const char* target = archive_entry_symlink(entry);
      files.links[path] = normal(fs::path(path).parent_path() / (target ? target : ""));
    } else if (archive_entry_filetype(entry) == AE_IFREG) {
      if (path == "index.json" || path == k_docker_index) {
        TK_TRY(files.documents[path], document(archive_entry_size(entry)));
      } else {
        TK_TRY(files.blobs[path], blob(path, static_cast<std::uint64_t>(archive_entry_size(entry))));
      }
    }
    return {};
  }

  Result<std::string> document(std::int64_t size_bytes) {
    const auto limit_bytes = static_cast<std::int64_t>(document::JsonLimits().size_bytes);
    if (size_bytes < 0 || size_bytes > limit_bytes) return broken();
    std::string text(static_cast<std::size_t>(size_bytes), '\0');
    if (archive_read_data(m_reader.get(), text.data(), text.size()) != size_bytes) return broken();
    return text;
  }

  Result<Descriptor> blob(const std::string& path, std::uint64_t size_bytes) {
    std::optional<base::Digest> named;
    if (path.starts_with(k_blobs)) {
      const auto digest = base::Digest::parse(path.substr(k_blobs.size()));
      if (digest) named = *digest;
    }
    if (named && sys::size_of_file(m_layout.blob_path(*named)) == size_bytes)
      return Descriptor{"", *named, size_bytes};
    const sys::BlobStore store(m_layout.directory() / "blobs");
    TK_TRY(auto writer, store.create());
    const void* piece = nullptr;
    std::size_t length = 0;
    la_int64_t offset = 0;
    for (;;) {
      if (sys::interrupted()) return sys::interrupted_error();
      const int status = archive_read_data_block(m_reader.get(), &piece, &length, &offset);
      if (status == ARCHIVE_EOF) break;
      // A sparse file's holes are nothing that an image has.
      if (status != ARCHIVE_OK || static_cast<std::uint64_t>(offset) != writer.size_bytes()) return broken();
      TK_CHECK(writer.write(std::span(static_cast<const std::byte*>(piece), length)));
    }
    if (writer.size_bytes() != size_bytes) return broken();
    TK_TRY(const auto digest, writer.commit());
    if (named && digest != *named)
      return fail_at(ErrorCode::integrity_failed, {m_path.string(), 0, 0},
                     path + " has the digest " + digest.to_string());
    return Descriptor{"", digest, size_bytes};
  }

  base::Unexpected broken() const {
    const char* why = archive_error_string(m_reader.get());
    return fail_at(ErrorCode::input_invalid, {m_path.string(), 0, 0},
                   std::string("cannot be read as an archive of images") + (why ? ": " + std::string(why) : ""));
  }

  fs::path m_path;
  const Layout& m_layout;
  Reader m_reader;
};

/// What the first bytes say: docker's archives name no media types.
Result<std::string> layer_type(const fs::path& blob) {
  TK_TRY(const auto file, sys::open_file(blob, O_RDONLY));
  unsigned char first[4] = {};
  if (::read(file.get(), first, sizeof first) < 0) return fail(sys::file_error("read", blob, errno));
  if (first[0] == 0x1f && first[1] == 0x8b) return std::string(k_layer_gzip_type);
  if (first[0] == 0x28 && first[1] == 0xb5 && first[2] == 0x2f && first[3] == 0xfd)
    return std::string(k_layer_zstd_type);
  return std::string(k_layer_tar_type);
}

/// Makes images of what manifest.json, the index of docker's archives, names.
Result<void> name_docker_images(const Files& files, const std::string& place, const Layout& layout) {
  const auto find = [&](const document::JsonValue& name) -> Result<Descriptor> {
    TK_TRY(auto path, name.text());
    path = normal(path);
    if (const auto link = files.links.find(path); link != files.links.end()) path = link->second;
    const auto found = files.blobs.find(path);
    if (found == files.blobs.end()) return name.wrong("is not in the archive");
    return found->second;
  };
  TK_TRY(const auto document, document::JsonValue::parse(files.documents.at(k_docker_index), place));
  TK_TRY(const auto images, document.items());
  for (const auto& image : images) {
    Manifest manifest;
    TK_TRY(const auto config, image.member("Config"));
    TK_TRY(manifest.config, find(config));
    manifest.config.media_type = k_config_type;
    TK_TRY(const auto list, image.member("Layers"));
    TK_TRY(const auto layers, list.items());
    for (const auto& name : layers) {
      TK_TRY(auto layer, find(name));
      TK_TRY(layer.media_type, layer_type(layout.blob_path(layer.digest)));
      manifest.layers.push_back(std::move(layer));
    }
    TK_TRY(const auto bytes, to_bytes(manifest));
    TK_TRY(const auto descriptor, layout.add_bytes(bytes, k_manifest_type));
    TK_TRY(const auto tags, image.texts_or_empty("RepoTags"));
    const auto tag = tags.empty() ? descriptor.digest.hex() : tags.front();
    TK_CHECK(layout.name_image({descriptor, tag, tags.empty() ? "" : tag}));
  }
  return {};
}

}  // namespace

Result<void> read_archive(const fs::path& file, const Layout& layout) {
  ArchiveFile archive(file, layout);
  TK_TRY(const auto files, archive.read());
  if (const auto index = files.documents.find("index.json"); index != files.documents.end()) {
    TK_CHECK(parse_index(index->second, file.string() + ": index.json"));
    return sys::write_file(index_path(layout.directory()), index->second);
  }
  if (files.documents.contains(k_docker_index))
    return name_docker_images(files, file.string() + ": " + k_docker_index, layout);
  return fail_at(ErrorCode::input_invalid, {file.string(), 0, 0},
                 "is no archive of images: it has neither an index.json nor a manifest.json");
}

}  // namespace torchkiln::oci
