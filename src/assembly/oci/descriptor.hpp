#pragma once
// What points at a blob: its media type, digest and size (image-spec v1.1, descriptor.md), and the names that the
// specifications fix.

#include "foundation/base/digest.hpp"
#include "foundation/base/error.hpp"
#include "foundation/document/json.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace torchkiln::oci {

/// Media types of image-spec v1.1 (media-types.md).
inline constexpr std::string_view k_manifest_type = "application/vnd.oci.image.manifest.v1+json";
inline constexpr std::string_view k_index_type = "application/vnd.oci.image.index.v1+json";
inline constexpr std::string_view k_config_type = "application/vnd.oci.image.config.v1+json";
inline constexpr std::string_view k_layer_tar_type = "application/vnd.oci.image.layer.v1.tar";
inline constexpr std::string_view k_layer_gzip_type = "application/vnd.oci.image.layer.v1.tar+gzip";
inline constexpr std::string_view k_layer_zstd_type = "application/vnd.oci.image.layer.v1.tar+zstd";
inline constexpr std::string_view k_empty_type = "application/vnd.oci.empty.v1+json";
/// Docker's names for the same documents (Image Manifest Version 2, Schema 2), under which registries hold many
/// images.
inline constexpr std::string_view k_docker_manifest_type = "application/vnd.docker.distribution.manifest.v2+json";
inline constexpr std::string_view k_docker_index_type = "application/vnd.docker.distribution.manifest.list.v2+json";
inline constexpr std::string_view k_docker_config_type = "application/vnd.docker.container.image.v1+json";
bool is_manifest_type(std::string_view media_type);
bool is_index_type(std::string_view media_type);
bool is_config_type(std::string_view media_type);
/// The content of the empty blob that stands where an artifact has no configuration (manifest.md, "Guidance for an
/// Empty Descriptor").
inline constexpr std::string_view k_empty_blob = "{}";

/// Annotation keys (annotations.md), and containerd's for the full image name.
inline constexpr std::string_view k_reference_name_key = "org.opencontainers.image.ref.name";
inline constexpr std::string_view k_image_name_key = "io.containerd.image.name";

/// By key, so that equal annotations have equal bytes.
using Annotations = std::map<std::string, std::string>;
/// What annotations, or the labels of a configuration, say of `key`; empty where they say nothing.
std::string value_of(const Annotations& annotations, std::string_view key);

struct Platform {
  std::string architecture;  ///< as Go names it: "amd64", "arm64"
  std::string os;            ///< "linux"
  std::string variant;       ///< "v8", or empty
  bool operator==(const Platform&) const = default;
};

struct Descriptor {
  std::string media_type;
  base::Digest digest;
  std::uint64_t size_bytes = 0;
  Annotations annotations = {};
  std::string artifact_type = {};  ///< of the manifest pointed at; empty for images
  std::optional<Platform> platform = std::nullopt;
  bool operator==(const Descriptor&) const = default;
};

document::Json to_json(const Descriptor& descriptor);
base::Result<Descriptor> read_descriptor(const document::JsonValue& value);

}  // namespace torchkiln::oci
