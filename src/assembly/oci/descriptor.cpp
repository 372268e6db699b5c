#include "assembly/oci/descriptor.hpp"

namespace torchkiln::oci {

using base::Result;

std::string value_of(const Annotations& annotations, std::string_view key) {
  const auto found = annotations.find(std::string(key));
  return found == annotations.end() ? std::string() : found->second;
}

bool is_manifest_type(std::string_view media_type) {
  return media_type == k_manifest_type || media_type == k_docker_manifest_type;
}
bool is_index_type(std::string_view media_type) {
  return media_type == k_index_type || media_type == k_docker_index_type;
}
bool is_config_type(std::string_view media_type) {
  return media_type == k_config_type || media_type == k_docker_config_type;
}

document::Json to_json(const Descriptor& descriptor) {
  document::Json json = {{"mediaType", descriptor.media_type},
                         {"digest", descriptor.digest.to_string()},
                         {"size", descriptor.size_bytes}};
  if (!descriptor.artifact_type.empty()) json["artifactType"] = descriptor.artifact_type;
  if (!descriptor.annotations.empty()) json["annotations"] = descriptor.annotations;
  if (descriptor.platform) {
    document::Json platform = {{"architecture", descriptor.platform->architecture},
                               {"os", descriptor.platform->os}};
    if (!descriptor.platform->variant.empty()) platform["variant"] = descriptor.platform->variant;
    json["platform"] = std::move(platform);
  }
  return json;
}

Result<Descriptor> read_descriptor(const document::JsonValue& value) {
  Descriptor descriptor;
  TK_TRY(const auto media_type, value.member("mediaType"));
  TK_TRY(descriptor.media_type, media_type.text());
  if (descriptor.media_type.find('/') == std::string::npos) return media_type.wrong("is no media type");
  TK_TRY(const auto digest, value.member("digest"));
  TK_TRY(descriptor.digest, digest.digest());
  TK_TRY(const auto size, value.member("size"));
  TK_TRY(const auto size_bytes, size.integer());
  if (size_bytes < 0) return size.wrong("is negative");
  descriptor.size_bytes = static_cast<std::uint64_t>(size_bytes);
  TK_TRY(descriptor.annotations, value.text_map_or_empty("annotations"));
  TK_TRY(descriptor.artifact_type, value.text_or_empty("artifactType"));
  TK_TRY(const auto platform, value.find("platform"));
  if (platform) {
    TK_TRY(const auto architecture, platform->member("architecture"));
    TK_TRY(const auto os, platform->member("os"));
    descriptor.platform.emplace();
    TK_TRY(descriptor.platform->architecture, architecture.text());
    TK_TRY(descriptor.platform->os, os.text());
    TK_TRY(descriptor.platform->variant, platform->text_or_empty("variant"));
  }
  return descriptor;
}

}  // namespace torchkiln::oci
