// Layout: what adds to a layout.

#include "assembly/oci/blob_hash.hpp"
#include "assembly/oci/index_file.hpp"
#include "assembly/oci/layout.hpp"
#include "foundation/sys/blob_store.hpp"
#include "foundation/sys/files.hpp"

#include <algorithm>

namespace torchkiln::oci {

using base::ErrorCode;
using base::fail;
using base::fail_at;
using base::Result;
namespace fs = std::filesystem;

namespace {

bool is_letter_or_digit(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

/// The grammar of org.opencontainers.image.ref.name (annotations.md): letters and digits, between them one
/// separator of -._:@+/ or "--".
bool is_reference_name(std::string_view text) {
  if (text.empty() || !is_letter_or_digit(text.front()) || !is_letter_or_digit(text.back())) return false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (is_letter_or_digit(text[i])) continue;
    if (std::string_view("-._:@+/").find(text[i]) == std::string_view::npos) return false;
    if (text[i] == '-' && text[i + 1] == '-') ++i;
    if (!is_letter_or_digit(text[i + 1])) return false;
  }
  return true;
}

Result<void> expect_blobs(const Layout& layout, const std::vector<Descriptor>& descriptors,
                          const std::set<base::Digest>& elsewhere) {
  for (const auto& descriptor : descriptors) {
    if (elsewhere.count(descriptor.digest)) continue;
    const auto path = layout.blob_path(descriptor.digest);
    const auto size_bytes = sys::size_of_file(path);
    if (!size_bytes)
      return fail_at(ErrorCode::integrity_failed, base::Place{path.string()}, "is missing from the layout");
    if (*size_bytes != descriptor.size_bytes)
      return fail_at(ErrorCode::integrity_failed, base::Place{path.string()},
                     "has " + std::to_string(*size_bytes) + " bytes, not " + std::to_string(descriptor.size_bytes));
  }
  return {};
}

/// That everything the manifest or index leads to is in the layout, and on the disk to stay.
Result<void> expect_whole(const Layout& layout, const Descriptor& descriptor,
                          const std::set<base::Digest>& elsewhere, unsigned depth = 0) {
  if (!is_index_type(descriptor.media_type)) {
    TK_TRY(const auto manifest, layout.read_manifest(descriptor));
    auto blobs = manifest.layers;
    blobs.push_back(manifest.config);
    TK_CHECK(expect_blobs(layout, blobs, elsewhere));
  } else if (depth == k_index_depth_limit) {
    return fail_at(ErrorCode::input_invalid, base::Place{layout.blob_path(descriptor.digest).string()},
                   "is an index inside too many others");
  } else {
    TK_TRY(const auto index, layout.read_index(descriptor));
    for (const auto& inner : index.manifests) TK_CHECK(expect_whole(layout, inner, elsewhere, depth + 1));
  }
  return sys::sync_directory(layout.directory() / "blobs" / "sha256");
}

}  // namespace

Result<Descriptor> Layout::add_file(const fs::path& file, const base::Digest& digest, std::string_view media_type,
                                    Trust trust) const {
  std::error_code error;
  // link() would make a link to a symbolic link, not to the file.
  const auto source = fs::canonical(file, error);
  if (error) return fail(sys::file_error("read", file, error.value()));
  const auto size_bytes = sys::size_of_file(source);
  if (!size_bytes) return fail_at(ErrorCode::input_invalid, base::Place{file.string()}, "is no regular file");
  const auto target = blob_path(digest);
  TK_CHECK(sys::make_directories(target.parent_path()));
  const sys::BlobStore blobs(m_directory / "blobs");
  if (const auto present = sys::size_of_file(target)) {
    const bool is_whole = *present == *size_bytes;
    bool is_right = is_whole;
    if (is_whole && trust == Trust::hash_again) {
      TK_TRY(const auto actual, digest_of_file(target, {}));
      is_right = actual == digest;
    }
    if (is_right) return Descriptor{std::string(media_type), digest, *size_bytes};
    TK_CHECK(blobs.remove(digest));
  }
  TK_CHECK(sys::link_or_copy(source, target));
  if (trust == Trust::hash_again) {
    TK_TRY(const auto actual, digest_of_file(target, {}));
    if (actual != digest) {
      TK_CHECK(blobs.remove(digest));
      return fail_at(ErrorCode::integrity_failed, base::Place{file.string()},
                     "has the digest " + actual.to_string() + ", not " + digest.to_string());
    }
  }
  return Descriptor{std::string(media_type), digest, *size_bytes};
}

Result<Descriptor> Layout::add_bytes(std::string_view bytes, std::string_view media_type) const {
  const sys::BlobStore blobs(m_directory / "blobs");
  const Descriptor descriptor{std::string(media_type), base::Digest::of(bytes), bytes.size()};
  // A blob of that name with other content is what a crash or a tool left; it must not stay.
  const auto present = sys::size_of_file(blob_path(descriptor.digest));
  if (present) {
    TK_TRY(const auto actual, digest_of_file(blob_path(descriptor.digest), {}));
    if (actual == descriptor.digest) return descriptor;
    TK_CHECK(blobs.remove(descriptor.digest));
  }
  TK_CHECK(blobs.put(bytes));
  return descriptor;
}

Result<Descriptor> Layout::put_image(const ImageParts& parts) const {
  TK_CHECK(oci::check(parts.config));
  if (!is_reference_name(parts.tag))
    return fail(ErrorCode::input_invalid, "'" + parts.tag + "' is no name for an image in a layout",
                {"letters and digits, with one of - . _ : @ + / between them"});
  if (parts.layers.size() != parts.config.diff_ids.size())
    return fail(ErrorCode::internal, "an image of " + std::to_string(parts.layers.size()) + " layers has " +
                                         std::to_string(parts.config.diff_ids.size()) + " diff_ids");
  Manifest manifest;
  TK_TRY(const auto config_bytes, to_bytes(parts.config));
  TK_TRY(manifest.config, add_bytes(config_bytes, k_config_type));
  manifest.layers = parts.layers;
  manifest.annotations = parts.annotations;
  TK_TRY(const auto manifest_bytes, to_bytes(manifest));
  TK_TRY(const auto descriptor, add_bytes(manifest_bytes, k_manifest_type));

  auto entry = descriptor;
  entry.platform = Platform{parts.config.architecture, parts.config.os, parts.config.variant};
  TK_CHECK(name_image({entry, parts.tag, parts.name}, parts.elsewhere));
  return descriptor;
}

Result<void> Layout::name_image(const Image& image, const std::set<base::Digest>& elsewhere) const {
  if (!is_reference_name(image.tag))
    return fail(ErrorCode::input_invalid, "'" + image.tag + "' is no name for an image in a layout",
                {"letters and digits, with one of - . _ : @ + / between them"});
  auto entry = image.descriptor;
  entry.annotations[std::string(k_reference_name_key)] = image.tag;
  if (!image.name.empty()) entry.annotations[std::string(k_image_name_key)] = image.name;
  return change_index_file(m_directory, [&](IndexFile& index) -> Result<void> {
    // Under the lock, so that a prune() that came between cannot leave an image without its layers.
    TK_CHECK(expect_whole(*this, image.descriptor, elsewhere));
    const auto old = std::find_if(index.entries.begin(), index.entries.end(), [&](const IndexEntry& candidate) {
      const auto name = candidate.descriptor.annotations.find(std::string(k_reference_name_key));
      return name != candidate.descriptor.annotations.end() && name->second == image.tag;
    });
    if (old == index.entries.end()) {
      index.entries.emplace_back(entry);
      return {};
    }
    // The same image once more keeps what was said about it in the index.
    if (old->descriptor.digest == entry.digest) entry.annotations.merge(Annotations(old->descriptor.annotations));
    *old = IndexEntry(entry);
    return {};
  });
}

Result<Descriptor> Layout::put_referrer(const Manifest& manifest) const {
  TK_ASSERT(manifest.subject, "a referrer has a subject");
  if (manifest.config == empty_descriptor()) TK_CHECK(add_bytes(k_empty_blob, k_empty_type));
  TK_TRY(const auto bytes, to_bytes(manifest));
  TK_TRY(const auto descriptor, add_bytes(bytes, k_manifest_type));
  TK_CHECK(list_referrer(descriptor));
  return descriptor;
}

Result<void> Layout::list_referrer(const Descriptor& descriptor) const {
  TK_TRY(const auto manifest, read_manifest(descriptor));
  Descriptor entry{descriptor.media_type, descriptor.digest, descriptor.size_bytes};
  entry.artifact_type = manifest.artifact_type;
  entry.annotations = manifest.annotations;
  return change_index_file(m_directory, [&](IndexFile& index) -> Result<void> {
    TK_CHECK(expect_whole(*this, descriptor, {}));
    const bool is_listed = std::any_of(index.entries.begin(), index.entries.end(), [&](const IndexEntry& other) {
      return other.descriptor.digest == descriptor.digest;
    });
    if (!is_listed) index.entries.emplace_back(entry);
    return {};
  });
}

Result<void> Layout::annotate_image(const base::Digest& digest, const Annotations& annotations) const {
  return change_index_file(m_directory, [&](IndexFile& index) -> Result<void> {
    for (auto& entry : index.entries) {
      if (entry.descriptor.digest != digest) continue;
      for (const auto& [key, value] : annotations) {
        entry.descriptor.annotations[key] = value;
        entry.as_written["annotations"][key] = value;
      }
    }
    return {};
  });
}

}  // namespace torchkiln::oci
