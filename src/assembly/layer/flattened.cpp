#include "assembly/layer/flattened.hpp"

#include "assembly/layer/archive_reader.hpp"
#include "assembly/layer/tar_tree.hpp"
#include "foundation/sys/files.hpp"

#include <algorithm>
#include <fstream>
#include <vector>

#include <archive.h>
#include <archive_entry.h>
#include <fmt/format.h>

namespace torchkiln::layer {

using base::ErrorCode;
using base::fail;
using base::Result;
namespace fs = std::filesystem;

namespace {

constexpr std::string_view k_whiteout = ".wh.", k_opaque = ".wh..wh..opq";
constexpr std::int64_t k_file_limit_bytes = 64 << 20;

std::string name_of(const std::string& path) {
  return path.substr(path.rfind('/') + 1);
}

/// The path that a whiteout takes away; empty for any other entry.
std::string taken_away(const std::string& path) {
  const auto name = name_of(path);
  if (!name.starts_with(k_whiteout) || name == k_opaque) return {};
  const auto folder = parent_of(path);
  return (folder.empty() ? "" : folder + "/") + name.substr(k_whiteout.size());
}

/// An entry of the image, and in which layer it is.
struct Found {
  std::size_t layer = 0;
  TarEntry entry;
};
using ImageTree = std::map<std::string, Found>;

void erase_below(ImageTree& tree, const std::string& folder) {
  const auto from = folder.empty() ? tree.begin() : tree.lower_bound(folder + "/");
  auto to = from;
  while (to != tree.end() && (folder.empty() || to->first.starts_with(folder + "/"))) ++to;
  tree.erase(from, to);
}

void add_layer(ImageTree& image, std::size_t index, TarTree layer) {
  for (const auto& [path, entry] : layer) {
    if (name_of(path) == k_opaque) erase_below(image, parent_of(path));
    if (const auto gone = taken_away(path); !gone.empty()) {
      erase_below(image, gone);
      image.erase(gone);
    }
  }
  for (auto& [path, entry] : layer) {
    if (name_of(path).starts_with(k_whiteout)) continue;
    if (!entry.is_folder) erase_below(image, path);
    image[path] = {index, std::move(entry)};
  }
}

/// The paths in an order in which a tar can have them: folders before what is in them, files before their further
/// names.
Result<std::vector<const ImageTree::value_type*>> tar_order(const ImageTree& image) {
  std::vector<const ImageTree::value_type*> order;
  for (const auto& one : image) {
    order.push_back(&one);
    const auto& target = one.second.entry.hard_link;
    if (target.empty()) continue;
    const auto at = image.find(target);
    if (at == image.end() || at->second.layer != one.second.layer)
      return fail(ErrorCode::integrity_failed,
                  fmt::format("the base image has '{}' as a further name of '{}', which another layer replaces",
                              one.first, target),
                  {"squash the image, for instance by 'podman build --squash-all'"});
  }
  const auto rank = [](const ImageTree::value_type* one) {
    return one->second.entry.is_folder ? 0 : one->second.entry.hard_link.empty() ? 1 : 2;
  };
  std::stable_sort(order.begin(), order.end(), [&](const auto* a, const auto* b) { return rank(a) < rank(b); });
  return order;
}

}  // namespace

Result<void> flatten(std::span<const ImageLayer> layers, const sys::BlobStore& store, const fs::path& tar,
                     const fs::path& work) {
  TK_TRY(const auto folder, sys::TemporaryDirectory::create(work, "delta-"));
  std::vector<sys::MappedFile> tars;
  ImageTree image;
  for (std::size_t i = 0; i < layers.size(); ++i) {
    const auto path = folder.path() / (std::to_string(i) + ".tar");
    TK_CHECK(decompress(store.path(layers[i].digest), path));
    TK_TRY(auto mapped, sys::MappedFile::open(path));
    base::Sha256 hasher;
    hasher.update(mapped.bytes());
    if (hasher.finish() != layers[i].diff_id)
      return fail(ErrorCode::integrity_failed,
                  fmt::format("layer {} of the base image is not what its configuration "
                              "says",
                              layers[i].digest.to_string()));
    TK_TRY(auto tree, read_tree(mapped.bytes()));
    add_layer(image, i, std::move(tree));
    tars.push_back(std::move(mapped));
  }
  TK_TRY(const auto order, tar_order(image));
  std::ofstream out(tar, std::ios::binary);
  for (const auto* one : order) {
    const auto& entry = one->second.entry;
    const auto bytes = tars[one->second.layer].text().substr(entry.begin, entry.end - entry.begin);
    out.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  }
  const auto end = tar_end();
  out.write(end.data(), static_cast<std::streamsize>(end.size()));
  out.close();
  if (!out) return fail(ErrorCode::disk_full, "no room to unpack the base image", {"free some space"});
  return {};
}

Result<std::map<std::string, std::string>> read_image_files(std::span<const ImageLayer> layers,
                                                            const sys::BlobStore& store,
                                                            const std::set<std::string>& paths) {
  std::map<std::string, std::string> files;
  for (const auto& layer : layers) {
    const ArchiveReader reader(archive_read_new());
    archive_read_support_filter_all(reader.get());
    archive_read_support_format_tar(reader.get());
    const auto unreadable = [&] {
      return fail(ErrorCode::integrity_failed, fmt::format("layer {} of the base image cannot be read: {}",
                                                           layer.digest.to_string(), reason_of(reader.get())));
    };
    if (archive_read_open_filename(reader.get(), store.path(layer.digest).c_str(), 1U << 20) != ARCHIVE_OK)
      return unreadable();
    std::map<std::string, std::string> here;
    archive_entry* entry = nullptr;
    int status = ARCHIVE_OK;
    while ((status = archive_read_next_header(reader.get(), &entry)) == ARCHIVE_OK || status == ARCHIVE_WARN) {
      std::string path = archive_entry_pathname(entry) ? archive_entry_pathname(entry) : "";
      if (path.starts_with("./")) path.erase(0, 2);
      if (const auto gone = taken_away(path); !gone.empty())
        std::erase_if(files,
                      [&](const auto& file) { return file.first == gone || file.first.starts_with(gone + "/"); });
      if (!paths.count(path) || archive_entry_filetype(entry) != AE_IFREG ||
          archive_entry_size(entry) > k_file_limit_bytes)
        continue;
      std::string content(static_cast<std::size_t>(archive_entry_size(entry)), '\0');
      if (archive_read_data(reader.get(), content.data(), content.size()) !=
          static_cast<la_ssize_t>(content.size()))
        return unreadable();
      here[path] = std::move(content);
    }
    if (status != ARCHIVE_EOF) return unreadable();
    for (auto& [path, content] : here) files[path] = std::move(content);
  }
  return files;
}

}  // namespace torchkiln::layer
