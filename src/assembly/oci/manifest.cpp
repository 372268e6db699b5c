#include "assembly/oci/manifest.hpp"

namespace torchkiln::oci {

using base::Result;

namespace {

/// The media type that the document gives itself; `media_type` when it gives none. schemaVersion must be 2, for
/// docker's sake, and a media type that is given must be one of the expected.
Result<std::string> read_header(const document::JsonValue& document, std::string_view media_type,
                                bool (*is_expected)(std::string_view)) {
  TK_TRY(const auto version, document.member("schemaVersion"));
  TK_TRY(const auto number, version.integer());
  if (number != 2) return version.wrong("is " + std::to_string(number) + ", not 2");
  TK_TRY(const auto given, document.find("mediaType"));
  if (!given) return std::string(media_type);
  TK_TRY(auto text, given->text());
  if (!is_expected(text)) return given->wrong("is \"" + text + "\", not \"" + std::string(media_type) + "\"");
  return text;
}

Result<std::vector<Descriptor>> read_descriptors(const document::JsonValue& document, std::string_view key) {
  TK_TRY(const auto list, document.member(key));
  TK_TRY(const auto values, list.items());
  if (values.size() > k_entry_limit)
    return list.wrong("has more than " + std::to_string(k_entry_limit) + " entries");
  std::vector<Descriptor> descriptors;
  descriptors.reserve(values.size());
  for (const auto& value : values) {
    TK_TRY(auto descriptor, read_descriptor(value));
    descriptors.push_back(std::move(descriptor));
  }
  return descriptors;
}

document::Json list_of(const std::vector<Descriptor>& descriptors) {
  document::Json list = document::Json::array();
  for (const auto& descriptor : descriptors) list.push_back(to_json(descriptor));
  return list;
}

}  // namespace

Result<std::string> to_bytes(const Manifest& manifest) {
  document::Json json = {{"schemaVersion", 2}, {"mediaType", manifest.media_type}};
  if (!manifest.artifact_type.empty()) json["artifactType"] = manifest.artifact_type;
  json["config"] = to_json(manifest.config);
  json["layers"] = list_of(manifest.layers);
  if (manifest.subject) json["subject"] = to_json(*manifest.subject);
  if (!manifest.annotations.empty()) json["annotations"] = manifest.annotations;
  return document::to_bytes(json);
}

Result<Manifest> parse_manifest(std::string_view bytes, const std::string& file) {
  TK_TRY(const auto document, document::JsonValue::parse(bytes, file));
  Manifest manifest;
  TK_TRY(manifest.media_type, read_header(document, k_manifest_type, is_manifest_type));
  TK_TRY(manifest.artifact_type, document.text_or_empty("artifactType"));
  TK_TRY(const auto config, document.member("config"));
  TK_TRY(manifest.config, read_descriptor(config));
  TK_TRY(manifest.layers, read_descriptors(document, "layers"));
  TK_TRY(const auto subject, document.find("subject"));
  if (subject) {
    TK_TRY(manifest.subject, read_descriptor(*subject));
  }
  TK_TRY(manifest.annotations, document.text_map_or_empty("annotations"));
  return manifest;
}

Result<std::string> to_bytes(const Index& index) {
  document::Json json = {{"schemaVersion", 2}, {"mediaType", index.media_type}};
  json["manifests"] = list_of(index.manifests);
  if (!index.annotations.empty()) json["annotations"] = index.annotations;
  return document::to_bytes(json);
}

Result<Index> parse_index(std::string_view bytes, const std::string& file) {
  TK_TRY(const auto document, document::JsonValue::parse(bytes, file));
  Index index;
  TK_TRY(index.media_type, read_header(document, k_index_type, is_index_type));
  TK_TRY(index.manifests, read_descriptors(document, "manifests"));
  TK_TRY(index.annotations, document.text_map_or_empty("annotations"));
  return index;
}

Descriptor empty_descriptor() {
  return {std::string(k_empty_type), base::Digest::of(k_empty_blob), k_empty_blob.size()};
}

Manifest artifact_about(const Descriptor& subject, std::string artifact_type, std::vector<Descriptor> content,
                        Annotations annotations) {
  Manifest manifest;
  manifest.artifact_type = std::move(artifact_type);
  manifest.config = empty_descriptor();
  manifest.layers = std::move(content);
  // What the index says beside the digest (tag, platform) is about the place, not about the subject.
  manifest.subject = Descriptor{subject.media_type, subject.digest, subject.size_bytes};
  manifest.annotations = std::move(annotations);
  return manifest;
}

}  // namespace torchkiln::oci
