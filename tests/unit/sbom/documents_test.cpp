#include "proof/sbom/cyclonedx.hpp"
#include "proof/sbom/statement.hpp"
#include "sbom_fixture.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <set>

using namespace torchkiln;
using namespace torchkiln::sbom;
using namespace torchkiln::sbom::test;
using document::Json;
using torchkiln::test::error_of;

namespace {

constexpr Format k_formats[] = {Format::spdx, Format::cyclonedx, Format::provenance};

std::string bytes_of(Format format, const SbomImage& image) {
  return must(document::to_bytes(must(to_document(format, image.inventory(), &image.lock, "1.2.3"))));
}

Json spdx_of(const SbomImage& image) {
  return must(to_document(Format::spdx, image.inventory(), &image.lock, "1.2.3"));
}

const Json& named(const Json& list, const std::string& wanted) {
  for (const auto& one : list)
    if (one.at("name") == wanted) return one;
  FAIL("there is no " + wanted);
  return list;
}

}  // namespace

TEST_CASE("equal inputs give equal bytes") {
  const SbomImage image, again;
  for (const auto format : k_formats) {
    CHECK(bytes_of(format, image) == bytes_of(format, again));
    CHECK(must(to_statement(format, image.inventory(), &image.lock, "1")).bytes ==
          must(to_statement(format, again.inventory(), &again.lock, "1")).bytes);
  }
}

TEST_CASE("another image or another licence is another document, name space and serial number") {
  const SbomImage image;
  SbomImage other_digest, other_licence;
  other_digest.image.descriptor.digest = base::Digest::of("another manifest");
  other_licence.install("pip", "25.2", "License: ISC\n");
  for (const auto* other : {&other_digest, &other_licence}) {
    CHECK(spdx_of(image)["documentNamespace"] != spdx_of(*other)["documentNamespace"]);
    const auto serial = [](const SbomImage& one) {
      return must(to_document(Format::cyclonedx, one.inventory(), nullptr, "1"))["serialNumber"];
    };
    CHECK(serial(image) != serial(*other));
  }
}

TEST_CASE("the time of a document is the image's") {
  const SbomImage image;
  CHECK(spdx_of(image)["creationInfo"]["created"] == image.config.created);
  const auto bom = must(to_document(Format::cyclonedx, image.inventory(), nullptr, "1"));
  CHECK(bom["metadata"]["timestamp"] == image.config.created);
}

TEST_CASE("SPDX has every package once, with a valid identifier of its own") {
  const SbomImage image;
  const auto document = spdx_of(image);
  std::set<std::string> ids;
  for (const auto& package : document["packages"]) {
    const auto id = package["SPDXID"].get<std::string>();
    CHECK(ids.insert(id).second);
    CHECK(id.starts_with("SPDXRef-"));
    CHECK(std::all_of(id.begin(), id.end(), [](char c) { return std::isalnum(c) || c == '.' || c == '-'; }));
  }
  CHECK(ids.contains("SPDXRef-deb-libstdc.2B.2B6-amd64"));
  CHECK(ids.contains("SPDXRef-library-torch-torch.2Flib.2Flibcudart-d0da41ae.2Eso.2E11.2E0"));
  CHECK(ids.size() == 1 + image.inventory().components.size() + 2);  // the image, and torch's two parts
  for (const auto& relationship : document["relationships"])
    CHECK((ids.contains(relationship["relatedSpdxElement"].get<std::string>())));
  const auto& cudnn = named(document["packages"], "nvidia-cudnn-cu12");
  CHECK(cudnn["supplier"] == "Organization: NVIDIA");
  CHECK(cudnn["checksums"][0]["checksumValue"] == image.lock.wheels[1].digest.hex());
  CHECK(document.dump().find("word") == std::string::npos);  // of the address's user and token
}

TEST_CASE("licences that SPDX does not know are explained") {
  SbomImage image;
  image.install("pip", "25.2", "License-Expression: MIT AND LicenseRef-Ours\n");
  const auto document = spdx_of(image);
  std::set<std::string> explained;
  for (const auto& info : document["hasExtractedLicensingInfos"])
    explained.insert(info["licenseId"].get<std::string>());
  CHECK(explained.contains("LicenseRef-Ours"));
  const auto declared = named(document["packages"], "nvidia-cudnn-cu12")["licenseDeclared"].get<std::string>();
  CHECK(declared.starts_with("LicenseRef-"));
  CHECK(explained.contains(declared));
  CHECK(named(document["packages"], "torch")["licenseDeclared"] == "BSD-3-Clause");
  CHECK(named(document["packages"], "tini")["licenseDeclared"] == "NOASSERTION");
}

TEST_CASE("CycloneDX has licences by identifier, expression and name") {
  SbomImage image;
  image.install("pip", "25.2", "License: All of\n  a licence\n");
  const auto bom = must(to_document(Format::cyclonedx, image.inventory(), nullptr, "1"));
  const auto licence = [&](const char* wheel) { return named(bom["components"], wheel)["licenses"].dump(); };
  CHECK(licence("torch") == R"([{"license":{"id":"BSD-3-Clause"}}])");
  CHECK(licence("numpy") == R"([{"expression":"BSD-3-Clause AND MIT"}])");
  CHECK(licence("nvidia-cudnn-cu12") == R"([{"license":{"name":"NVIDIA Proprietary Software"}}])");
  CHECK(licence("pip") == R"([{"license":{"name":"All of","text":{"content":"All of\na licence"}}}])");
  std::set<std::string> references{"image"};
  for (const auto& one : bom["components"]) {
    CHECK(references.insert(one["bom-ref"].get<std::string>()).second);
    for (const auto& part : one.value("components", Json::array()))
      CHECK(references.insert(part["bom-ref"].get<std::string>()).second);
  }
  for (const auto& dependency : bom["dependencies"]) {
    CHECK(references.contains(dependency["ref"].get<std::string>()));
    for (const auto& on : dependency["dependsOn"]) CHECK(references.contains(on.get<std::string>()));
  }
}

TEST_CASE("a UUID made of a digest is of version 8 and of the RFC's variant") {
  CHECK(uuid_of(base::Digest::of("")) == "e3b0c442-98fc-8c14-9afb-f4c8996fb924");
}

TEST_CASE("provenance names the lock and everything with a digest") {
  const SbomImage image;
  const auto predicate = must(to_document(Format::provenance, image.inventory(), &image.lock, "1.2.3"));
  const auto& definition = predicate["buildDefinition"];
  CHECK(definition["buildType"] == "https://torchkiln.dev/buildtypes/image/v1");
  CHECK(definition["externalParameters"]["resolution"]["pytorch"] == "2.8.0");
  CHECK(definition["externalParameters"]["variant"] == "runtime");
  std::set<std::string> digests;
  for (const auto& one : definition["resolvedDependencies"])
    digests.insert(one["digest"]["sha256"].get<std::string>());
  std::set<std::string> wanted{identity(image.lock).hex()};
  for (const auto& wheel : image.lock.wheels) wanted.insert(wheel.digest.hex());
  for (const auto& deb : image.lock.debs)
    if (is_in(deb, {})) wanted.insert(deb.digest.hex());
  CHECK(digests == wanted);
  CHECK(predicate["runDetails"]["builder"]["version"]["torchkiln"] == "1.2.3");
  CHECK(
      error_of(to_document(Format::provenance, image.inventory(SbomImage::With::nothing), nullptr, "1")).message ==
      "provenance needs the lock that the image was made from");
}

TEST_CASE("a requirement's address goes into provenance without its password") {
  SbomImage image;
  image.lock.requested.emplace_back("ours @ https://me:word@index.example/ours-1-py3-none-any.whl");
  image.describe();
  const auto predicate = must(to_document(Format::provenance, image.inventory(), &image.lock, "1"));
  CHECK(predicate["buildDefinition"]["externalParameters"]["requested"].back() ==
        "ours @ https://index.example/ours-1-py3-none-any.whl");
  CHECK(predicate.dump().find("word") == std::string::npos);
}

TEST_CASE("statements are about the image's digest, one a format") {
  const SbomImage image;
  const auto statements = must(statements_of(image.inventory(), &image.lock, "1"));
  REQUIRE(statements.size() == 3);
  for (const auto& statement : statements) {
    const auto json = Json::parse(statement.bytes);
    CHECK(json.size() == 4);
    CHECK(json["_type"] == "https://in-toto.io/Statement/v1");
    CHECK(json["subject"][0]["digest"]["sha256"] == base::Digest::of("manifest").hex());
    CHECK(json["predicateType"] == statement.predicate_type);
    CHECK(base::format_time(statement.made_s) == image.config.created);
  }
  CHECK(must(statements_of(image.inventory(SbomImage::With::nothing), nullptr, "1")).size() == 2);
}
