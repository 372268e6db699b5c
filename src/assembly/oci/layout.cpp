#include "assembly/oci/layout.hpp"

#include "assembly/oci/index_file.hpp"
#include "foundation/base/text.hpp"
#include "foundation/sys/files.hpp"

#include <algorithm>

namespace torchkiln::oci {

using base::ErrorCode;
using base::fail;
using base::fail_at;
using base::Result;
namespace fs = std::filesystem;

namespace {

constexpr std::string_view k_layout_file = "oci-layout";
/// The one version there is, in image-spec 1.0 and 1.1 alike (image-layout.md, "oci-layout file").
constexpr std::string_view k_layout_version = "1.0.0";

/// Whether a folder without the layout's marker holds nothing but what create() makes before the marker, so that
/// one that was interrupted can be finished.
bool is_empty_or_unfinished(const std::vector<std::string>& names) {
  return std::all_of(names.begin(), names.end(), [](const std::string& name) {
    return name == "blobs" || name == "index.json" || name.starts_with(".index.json.") ||
           name.starts_with(".oci-layout.");
  });
}

}  // namespace

Result<Layout> Layout::open(const fs::path& directory) {
  const auto marker = directory / k_layout_file;
  if (!sys::size_of_file(marker))
    return fail_at(ErrorCode::input_invalid, base::Place{directory.string()},
                   "is no OCI image layout: it has no file named oci-layout",
                   {"torchkiln bake and torchkiln build write one into the folder given with -o"});
  TK_TRY(const auto bytes, sys::read_file(marker, document::JsonLimits().size_bytes));
  TK_TRY(const auto document, document::JsonValue::parse(bytes, marker.string()));
  TK_TRY(const auto version, document.member("imageLayoutVersion"));
  TK_TRY(const auto text, version.text());
  if (text != k_layout_version)
    return version.wrong("is \"" + text + "\", not \"" + std::string(k_layout_version) + "\"");
  if (!sys::size_of_file(index_path(directory)))
    return fail_at(ErrorCode::input_invalid, base::Place{index_path(directory).string()},
                   "is missing: the layout names no images");
  return Layout(directory);
}

Result<Layout> Layout::create(const fs::path& directory) {
  TK_CHECK(sys::make_directories(directory));
  if (sys::size_of_file(directory / k_layout_file)) return open(directory);
  TK_TRY(const auto names, sys::list_directory(directory));
  if (!is_empty_or_unfinished(names))
    return fail_at(ErrorCode::input_invalid, base::Place{directory.string()},
                   "is neither empty nor an OCI image layout", {"name a folder that does not exist yet"});
  TK_CHECK(sys::make_directories(directory / "blobs" / "sha256"));
  TK_TRY(const auto index, to_bytes(Index{}));
  if (!sys::size_of_file(index_path(directory))) TK_CHECK(sys::write_file(index_path(directory), index));
  TK_TRY(const auto marker, document::to_bytes(document::Json::object({{"imageLayoutVersion", k_layout_version}})));
  TK_CHECK(sys::write_file(directory / k_layout_file, marker));
  return open(directory);
}

fs::path Layout::blob_path(const base::Digest& digest) const {
  return m_directory / "blobs" / "sha256" / digest.hex();
}

bool Layout::contains(const base::Digest& digest) const {
  return sys::size_of_file(blob_path(digest)).has_value();
}

Result<std::string> Layout::read_blob(const Descriptor& descriptor) const {
  const auto path = blob_path(descriptor.digest);
  const base::Place place{path.string()};
  const auto limit_bytes = document::JsonLimits().size_bytes;
  if (descriptor.size_bytes > limit_bytes)
    return fail_at(ErrorCode::input_invalid, place,
                   "should have " + std::to_string(descriptor.size_bytes) + " bytes, more than the limit of " +
                       base::format_bytes(limit_bytes) + " for a document");
  const auto size_bytes = sys::size_of_file(path);
  if (!size_bytes) return fail_at(ErrorCode::input_invalid, place, "is missing from the layout");
  if (*size_bytes != descriptor.size_bytes)
    return fail_at(ErrorCode::integrity_failed, place,
                   "has " + std::to_string(*size_bytes) + " bytes, not " + std::to_string(descriptor.size_bytes));
  TK_TRY(auto bytes, sys::read_file(path, limit_bytes));
  if (const auto actual = base::Digest::of(bytes); actual != descriptor.digest)
    return fail_at(ErrorCode::integrity_failed, place, "has the digest " + actual.to_string());
  return bytes;
}

Result<Manifest> Layout::read_manifest(const Descriptor& descriptor) const {
  const auto file = blob_path(descriptor.digest).string();
  if (is_index_type(descriptor.media_type))
    return fail_at(ErrorCode::input_invalid, base::Place{file},
                   "is an index of several images, one for each platform",
                   {"copy the one you mean into a layout of its own: skopeo copy --override-arch amd64 ..."});
  if (!is_manifest_type(descriptor.media_type))
    return fail_at(ErrorCode::input_invalid, base::Place{file},
                   "is a " + descriptor.media_type + ", not an image manifest");
  TK_TRY(const auto bytes, read_blob(descriptor));
  return parse_manifest(bytes, file);
}

Result<Index> Layout::read_index(const Descriptor& descriptor) const {
  TK_TRY(const auto bytes, read_blob(descriptor));
  return parse_index(bytes, blob_path(descriptor.digest).string());
}

Result<ImageConfig> Layout::read_config(const Manifest& manifest) const {
  const auto file = blob_path(manifest.config.digest).string();
  if (!is_config_type(manifest.config.media_type))
    return fail_at(ErrorCode::input_invalid, base::Place{file},
                   "is a " + manifest.config.media_type + ", not an image configuration");
  TK_TRY(const auto bytes, read_blob(manifest.config));
  return parse_image_config(bytes, file);
}

Result<std::vector<Image>> Layout::images() const {
  TK_TRY(const auto index, read_index_file(m_directory));
  std::vector<Image> images;
  for (const auto& entry : index.entries) {
    const auto& descriptor = entry.descriptor;
    const bool is_image = is_manifest_type(descriptor.media_type) || is_index_type(descriptor.media_type);
    if (!is_image || !descriptor.artifact_type.empty()) continue;
    Image image{descriptor, value_of(descriptor.annotations, k_reference_name_key),
                value_of(descriptor.annotations, k_image_name_key)};
    if (image.tag.empty() && is_manifest_type(descriptor.media_type)) {
      // Other tools list artifacts without their type; only the manifest tells.
      const auto manifest = read_manifest(descriptor);
      if (manifest && (manifest->subject || !is_config_type(manifest->config.media_type))) continue;
    }
    images.push_back(std::move(image));
  }
  return images;
}

Result<Image> Layout::find_image(const std::optional<std::string>& reference) const {
  TK_TRY(const auto all, images());
  std::vector<std::string> tags;
  std::vector<Image> matching;
  for (const auto& image : all) {
    tags.push_back(image.tag.empty() ? image.descriptor.digest.to_string() : image.tag);
    if (!reference || *reference == image.tag || *reference == image.name ||
        *reference == image.descriptor.digest.to_string())
      matching.push_back(image);
  }
  const base::Place place{index_path(m_directory).string()};
  if (all.empty()) return fail_at(ErrorCode::input_invalid, place, "names no image");
  const auto is_same = [&matching](const Image& image) { return image.descriptor == matching.front().descriptor; };
  if (!matching.empty() && std::all_of(matching.begin(), matching.end(), is_same)) return matching.front();
  // One image under two tags is one image, when it is asked for by its digest.
  const auto is_digest = [&](const Image& image) { return reference == image.descriptor.digest.to_string(); };
  if (!matching.empty() && std::all_of(matching.begin(), matching.end(), is_digest)) return matching.front();

  auto error = base::Error{ErrorCode::input_invalid, "", place, {"it names " + base::join(tags, ", ")}, {}};
  if (!reference) {
    error.message = "names " + std::to_string(all.size()) + " images";
    error.hints = {"say which: oci:" + m_directory.string() + ":" + tags.front()};
  } else if (matching.empty()) {
    error.message = "names no image '" + *reference + "'";
    if (const auto near = base::nearest(*reference, tags)) error.hints = {"did you mean '" + *near + "'?"};
  } else {
    error.message = "names " + std::to_string(matching.size()) + " images '" + *reference + "'";
    error.hints = {"name the one you mean by its digest: oci:" + m_directory.string() + "@sha256:..."};
  }
  return fail(std::move(error));
}

Result<Referrers> Layout::referrers(const base::Digest& digest) const {
  TK_TRY(const auto index, read_index_file(m_directory));
  Referrers referrers;
  for (const auto& entry : index.entries) {
    if (!is_manifest_type(entry.descriptor.media_type)) continue;
    const auto manifest = read_manifest(entry.descriptor);
    if (!manifest) {
      referrers.unreadable.push_back({blob_path(entry.descriptor.digest), manifest.error().message});
      continue;
    }
    if (!manifest->subject || manifest->subject->digest != digest) continue;
    auto found = entry.descriptor;
    // As the referrers API of distribution-spec answers: what the manifest says, not what the index says.
    found.artifact_type = manifest->artifact_type.empty() ? manifest->config.media_type : manifest->artifact_type;
    found.annotations = manifest->annotations;
    referrers.found.push_back(std::move(found));
  }
  return referrers;
}

}  // namespace torchkiln::oci
