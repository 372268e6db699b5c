#pragma once
// The image manifest and the image index (image-spec v1.1, manifest.md and image-index.md).

#include "assembly/oci/descriptor.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace torchkiln::oci {

/// An image: a configuration and its layers, lowest first. Or an artifact: an artifact type, the empty
/// configuration and its content as layers, about the image in `subject`.
struct Manifest {
  std::string artifact_type = {};
  Descriptor config;
  std::vector<Descriptor> layers;
  std::optional<Descriptor> subject = std::nullopt;
  Annotations annotations = {};
  std::string media_type = std::string(k_manifest_type);  ///< that, or docker's name for it
  bool operator==(const Manifest&) const = default;
};

struct Index {
  std::vector<Descriptor> manifests;
  Annotations annotations = {};
  std::string media_type = std::string(k_index_type);  ///< that, or docker's name for it
};

/// The most entries that an index or the layers of a manifest may have here; images have tens.
inline constexpr std::size_t k_entry_limit = 10'000;
/// How deep indexes may point at indexes.
inline constexpr unsigned k_index_depth_limit = 4;

base::Result<std::string> to_bytes(const Manifest& manifest);
/// `file` is for messages.
base::Result<Manifest> parse_manifest(std::string_view bytes, const std::string& file);

base::Result<std::string> to_bytes(const Index& index);
base::Result<Index> parse_index(std::string_view bytes, const std::string& file);

/// An artifact (manifest.md, "Guidelines for Artifact Usage") that says something about `subject`.
Manifest artifact_about(const Descriptor& subject, std::string artifact_type, std::vector<Descriptor> content,
                        Annotations annotations);
/// The descriptor of k_empty_blob.
Descriptor empty_descriptor();

}  // namespace torchkiln::oci
