#include "proof/sbom/spdx.hpp"

#include "foundation/base/text.hpp"
#include "proof/sbom/purl.hpp"

#include <map>
#include <string>

#include <fmt/format.h>

namespace torchkiln::sbom {

using base::Result;
using document::Json;

namespace {

constexpr const char* k_document_id = "SPDXRef-DOCUMENT";
constexpr const char* k_image_id = "SPDXRef-image";
constexpr const char* k_no_assertion = "NOASSERTION";
constexpr std::size_t k_reference_hex = 16;

/// An identifier may have letters, digits, "." and "-" (clause 7.2): what else there is, and ".", becomes "." and
/// two hex digits, so that different names stay different.
std::string id_text(std::string_view text) {
  std::string result;
  for (const char c : text) {
    const bool is_plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-';
    if (is_plain)
      result += c;
    else
      result += fmt::format(".{:02X}", static_cast<unsigned>(static_cast<unsigned char>(c)));
  }
  return result;
}

std::string id_of(const Component& component) {
  auto id = fmt::format("SPDXRef-{}-{}", name(component.kind), id_text(component.name));
  if (!component.architecture.empty()) id += "-" + id_text(component.architecture);
  return id;
}
/// A library's name may be in several wheels, and in several folders of one.
std::string id_of(const Component& part, const Component& whole) {
  return fmt::format("SPDXRef-{}-{}-{}", name(part.kind), id_text(whole.name),
                     id_text(part.file_name.empty() ? part.name : part.file_name));
}

std::string reference_for(std::string_view text) {
  return "LicenseRef-" + base::Digest::of(text).hex().substr(0, k_reference_hex);
}

const char* purpose(Kind kind) {
  switch (kind) {
    case Kind::base_image:
      return "CONTAINER";
    case Kind::operating_system:
      return "OPERATING_SYSTEM";
    case Kind::archive:
      return "ARCHIVE";
    case Kind::deb:
    case Kind::wheel:
    case Kind::library:
      return "LIBRARY";
  }
  TK_ASSERT(false, "every kind has a purpose");
}

Json checksums(const base::Digest& digest) {
  return Json::array({{{"algorithm", "SHA256"}, {"checksumValue", digest.hex()}}});
}

Json purl_reference(const std::string& purl) {
  return Json::array(
      {{{"referenceCategory", "PACKAGE-MANAGER"}, {"referenceType", "purl"}, {"referenceLocator", purl}}});
}

/// Only what is an absolute address of the web may stand there (clause 7.7).
bool is_location(const std::string& url) {
  return url.starts_with("https://") || url.starts_with("http://");
}

class Writer {
 public:
  void add_image(const Inventory& inventory) {
    m_packages.push_back({{"SPDXID", k_image_id},
                          {"name", inventory.image_name},
                          {"versionInfo", inventory.image.to_string()},
                          {"downloadLocation", k_no_assertion},
                          {"filesAnalyzed", false},
                          {"checksums", checksums(inventory.image)},
                          {"licenseConcluded", k_no_assertion},
                          {"licenseDeclared", k_no_assertion},
                          {"copyrightText", k_no_assertion},
                          {"primaryPackagePurpose", "CONTAINER"},
                          {"externalRefs", purl_reference(oci_purl(repository_of(inventory), inventory.image))}});
    relate(k_document_id, "DESCRIBES", k_image_id);
  }

  void add(const Component& component) {
    const auto id = id_of(component);
    add_package(component, id);
    relate(k_image_id, component.kind == Kind::base_image ? "DESCENDANT_OF" : "CONTAINS", id);
    for (const auto& part : component.parts) {
      const auto part_id = id_of(part, component);
      add_package(part, part_id);
      relate(id, "CONTAINS", part_id);
    }
  }

  /// The document but for its name space.
  Json document(const Inventory& inventory, std::string_view version) {
    Json json = {{"spdxVersion", "SPDX-2.3"},
                 {"dataLicense", "CC0-1.0"},
                 {"SPDXID", k_document_id},
                 {"name", inventory.image_name},
                 {"documentNamespace", ""},
                 {"creationInfo",
                  {{"created", base::format_time(inventory.created_s)},
                   {"creators", Json::array({"Tool: torchkiln-" + std::string(version)})}}},
                 {"packages", std::move(m_packages)},
                 {"relationships", std::move(m_relationships)}};
    if (m_licences.empty()) return json;
    auto& infos = json["hasExtractedLicensingInfos"] = Json::array();
    for (const auto& [reference, text] : m_licences)
      infos.push_back({{"licenseId", reference}, {"extractedText", text}});
    return json;
  }

 private:
  void add_package(const Component& component, const std::string& id) {
    Json json = {{"SPDXID", id}, {"name", component.name}};
    if (!component.version.empty()) json["versionInfo"] = component.version;
    if (!component.file_name.empty()) json["packageFileName"] = component.file_name;
    if (!component.supplier.empty()) json["supplier"] = "Organization: " + component.supplier;
    json["downloadLocation"] = is_location(component.url) ? component.url : k_no_assertion;
    json["filesAnalyzed"] = false;
    if (!component.digest.is_none()) json["checksums"] = checksums(component.digest);
    json["licenseConcluded"] = k_no_assertion;
    json["licenseDeclared"] = declared(component.licence);
    json["copyrightText"] = k_no_assertion;
    json["primaryPackagePurpose"] = purpose(component.kind);
    if (!component.purl.empty()) json["externalRefs"] = purl_reference(component.purl);
    if (!component.note.empty()) json["comment"] = component.note;
    m_packages.push_back(std::move(json));
  }

  std::string declared(const Licence& licence) {
    if (!licence.text.empty()) {
      auto reference = reference_for(licence.text);
      m_licences.emplace(reference, licence.text);
      return reference;
    }
    for (const auto& reference : licence_references(licence.expression))
      m_licences.emplace(reference,
                         reference + ", as the package's METADATA names it; its files are in the package");
    return licence.expression.empty() ? k_no_assertion : licence.expression;
  }

  void relate(const std::string& from, const char* how, const std::string& to) {
    m_relationships.push_back({{"spdxElementId", from}, {"relationshipType", how}, {"relatedSpdxElement", to}});
  }

  Json m_packages = Json::array(), m_relationships = Json::array();
  std::map<std::string, std::string> m_licences;  ///< texts of the LicenseRefs
};

}  // namespace

Result<Json> to_spdx(const Inventory& inventory, std::string_view version) {
  Writer writer;
  writer.add_image(inventory);
  for (const auto& component : inventory.components) writer.add(component);
  auto document = writer.document(inventory, version);
  TK_TRY(const auto bytes, document::to_bytes(document));
  document["documentNamespace"] =
      fmt::format("https://torchkiln.dev/spdx/{}/{}", inventory.image.hex(), base::Digest::of(bytes).hex());
  return document;
}

}  // namespace torchkiln::sbom
