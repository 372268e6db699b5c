#include "proof/sbom/cyclonedx.hpp"

#include "foundation/base/text.hpp"
#include "proof/sbom/purl.hpp"

#include <string>

#include <fmt/format.h>

namespace torchkiln::sbom {

using base::Result;
using document::Json;

namespace {

constexpr const char* k_image_reference = "image";

const char* type_of(Kind kind) {
  switch (kind) {
    case Kind::base_image:
      return "container";
    case Kind::operating_system:
      return "operating-system";
    case Kind::archive:
    case Kind::deb:
    case Kind::wheel:
    case Kind::library:
      return "library";
  }
  TK_ASSERT(false, "every kind has a type");
}

/// What dependencies call it: unique, since kinds, names and architectures are.
std::string reference_of(const Component& component) {
  if (!component.purl.empty()) return component.purl;
  return fmt::format("{}:{}@{}", name(component.kind), component.name, component.version);
}
/// A library's name may be in several wheels, and in several folders of one.
std::string reference_of(const Component& part, const Component& whole) {
  return reference_of(whole) + "#" + percent_encoded(part.file_name.empty() ? part.name : part.file_name);
}

Json hashes(const base::Digest& digest) {
  return Json::array({{{"alg", "SHA-256"}, {"content", digest.hex()}}});
}

/// One identifier is a licence, several an expression; what is neither has a name and, where it is long, a text.
Json licences(const Licence& licence) {
  if (licence.text.empty()) {
    const bool is_one = licence.expression.find_first_of(" (") == std::string::npos &&
                        licence_references(licence.expression).empty();
    if (is_one) return Json::array({{{"license", {{"id", licence.expression}}}}});
    return Json::array({{{"expression", licence.expression}}});
  }
  const auto end = licence.text.find('\n');
  Json json = {{"name", licence.text.substr(0, end)}};
  if (end != std::string::npos) json["text"] = {{"content", licence.text}};
  return Json::array({{{"license", std::move(json)}}});
}

Json properties(const Component& component) {
  Json all = Json::array();
  const auto add = [&](const char* key, const std::string& value) {
    if (!value.empty()) all.push_back({{"name", std::string("torchkiln:") + key}, {"value", value}});
  };
  add("file-name", component.file_name);
  if (component.size_bytes != 0) add("size-bytes", std::to_string(component.size_bytes));
  add("note", component.note);
  return all;
}

Json to_json(const Component& component, const std::string& reference) {
  Json json = {{"type", type_of(component.kind)}, {"bom-ref", reference}};
  if (!component.supplier.empty()) json["supplier"] = {{"name", component.supplier}};
  json["name"] = component.name;
  if (!component.version.empty()) json["version"] = component.version;
  if (!component.digest.is_none()) json["hashes"] = hashes(component.digest);
  if (component.licence != Licence()) json["licenses"] = licences(component.licence);
  if (!component.purl.empty()) json["purl"] = component.purl;
  if (!component.url.empty())
    json["externalReferences"] = Json::array({{{"type", "distribution"}, {"url", component.url}}});
  if (auto all = properties(component); !all.empty()) json["properties"] = std::move(all);
  for (const auto& part : component.parts)
    json["components"].push_back(to_json(part, reference_of(part, component)));
  return json;
}

}  // namespace

std::string uuid_of(const base::Digest& digest) {
  auto hex = digest.hex().substr(0, 32);
  constexpr std::size_t k_version_at = 12, k_variant_at = 16;
  hex[k_version_at] = '8';
  const auto digit = std::string_view("0123456789abcdef").find(hex[k_variant_at]);
  hex[k_variant_at] = "89ab"[digit % 4];
  return fmt::format("{}-{}-{}-{}-{}", hex.substr(0, 8), hex.substr(8, 4), hex.substr(12, 4), hex.substr(16, 4),
                     hex.substr(20));
}

Result<Json> to_cyclonedx(const Inventory& inventory, std::string_view version) {
  Json components = Json::array(), of_image = Json::array(), dependencies = Json::array();
  for (const auto& component : inventory.components) {
    const auto reference = reference_of(component);
    components.push_back(to_json(component, reference));
    of_image.push_back(reference);
    if (component.parts.empty()) continue;
    Json of_component = Json::array();
    for (const auto& part : component.parts) of_component.push_back(reference_of(part, component));
    dependencies.push_back({{"ref", reference}, {"dependsOn", std::move(of_component)}});
  }
  dependencies.push_back({{"ref", k_image_reference}, {"dependsOn", std::move(of_image)}});
  Json image = {{"type", "container"},
                {"bom-ref", k_image_reference},
                {"name", inventory.image_name},
                {"version", inventory.image.to_string()},
                {"hashes", hashes(inventory.image)},
                {"purl", oci_purl(repository_of(inventory), inventory.image)}};
  Json tool = {{"type", "application"}, {"name", "torchkiln"}, {"version", version}};
  Json document = {{"$schema", "http://cyclonedx.org/schema/bom-1.6.schema.json"},
                   {"bomFormat", "CycloneDX"},
                   {"specVersion", "1.6"},
                   {"serialNumber", ""},
                   {"version", 1},
                   {"metadata",
                    {{"timestamp", base::format_time(inventory.created_s)},
                     {"tools", {{"components", Json::array({std::move(tool)})}}},
                     {"component", std::move(image)}}},
                   {"components", std::move(components)},
                   {"dependencies", std::move(dependencies)}};
  TK_TRY(const auto bytes, document::to_bytes(document));
  document["serialNumber"] = "urn:uuid:" + uuid_of(base::Digest::of(bytes));
  return document;
}

}  // namespace torchkiln::sbom
