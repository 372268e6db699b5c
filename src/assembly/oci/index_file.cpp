#include "assembly/oci/index_file.hpp"

#include "assembly/oci/layout.hpp"
#include "foundation/sys/files.hpp"

namespace torchkiln::oci {

using base::Result;

namespace {

constexpr std::string_view k_lock_file = ".torchkiln.lock";

Result<std::string> bytes_of(const IndexFile& file) {
  document::ParsedJson document = file.document;
  document::ParsedJson entries = document::ParsedJson::array();
  for (const auto& entry : file.entries) entries.push_back(entry.as_written);
  document["manifests"] = std::move(entries);
  return document::to_bytes(document::Json(document));
}

/// The name that `docker load` gives the image: a full name, or nothing where there is only a bare tag.
document::Json repository_tags(const Annotations& annotations) {
  for (const auto key : {k_image_name_key, k_reference_name_key}) {
    const auto found = annotations.find(std::string(key));
    if (found != annotations.end() && found->second.find(':') != std::string::npos)
      return document::Json::array({found->second});
  }
  return nullptr;
}

/// manifest.json, the format of `docker save`, for every image whose documents can be read. image-layout.md calls
/// this common usage; docker before 25 needs it to load a tar of the layout.
Result<std::string> docker_manifest(const Layout& layout, const IndexFile& index) {
  const auto blob = [](const base::Digest& digest) { return "blobs/sha256/" + digest.hex(); };
  document::Json images = document::Json::array();
  for (const auto& entry : index.entries) {
    if (!is_manifest_type(entry.descriptor.media_type)) continue;
    const auto manifest = layout.read_manifest(entry.descriptor);
    if (!manifest || !is_config_type(manifest->config.media_type)) continue;
    document::Json layers = document::Json::array();
    for (const auto& layer : manifest->layers) layers.push_back(blob(layer.digest));
    images.push_back({{"Config", blob(manifest->config.digest)},
                      {"RepoTags", repository_tags(entry.descriptor.annotations)},
                      {"Layers", std::move(layers)}});
  }
  return document::to_bytes(images);
}

Result<void> write_if_changed(const sys::fs::path& path, const std::string& bytes) {
  if (const auto present = sys::read_file(path); present && *present == bytes) return {};
  return sys::write_file(path, bytes);
}

}  // namespace

std::filesystem::path index_path(const std::filesystem::path& layout) {
  return layout / "index.json";
}

Result<sys::FileLock> lock_layout(const std::filesystem::path& layout) {
  // Held for milliseconds, so nobody is told that somebody waits.
  return sys::FileLock::acquire(layout / k_lock_file, [](std::string_view) {});
}

Result<IndexFile> read_index_file(const std::filesystem::path& layout) {
  const auto path = index_path(layout);
  TK_TRY(const auto bytes, sys::read_file(path, document::JsonLimits().size_bytes));
  TK_TRY(auto index, parse_index(bytes, path.string()));
  TK_TRY(const auto document, document::JsonValue::parse(bytes, path.string()));
  IndexFile file;
  const auto& written = document.json()["manifests"];
  for (std::size_t i = 0; i < index.manifests.size(); ++i)
    file.entries.emplace_back(std::move(index.manifests[i]), written[i]);
  file.document = document.json();
  file.document["mediaType"] = k_index_type;  // image-spec: "should be used", and some tools leave it out
  return file;
}

Result<void> change_index_file(const std::filesystem::path& layout,
                               const std::function<Result<void>(IndexFile&)>& change) {
  TK_TRY(const auto lock, lock_layout(layout));
  TK_TRY(auto file, read_index_file(layout));
  TK_CHECK(change(file));
  TK_TRY(const auto bytes, bytes_of(file));
  TK_CHECK(write_if_changed(index_path(layout), bytes));
  TK_TRY(const auto opened, Layout::open(layout));
  TK_TRY(const auto docker, docker_manifest(opened, file));
  return write_if_changed(layout / "manifest.json", docker);
}

}  // namespace torchkiln::oci
