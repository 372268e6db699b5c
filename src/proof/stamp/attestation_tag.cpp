#include "proof/stamp/attestation_tag.hpp"

#include "foundation/sys/files.hpp"
#include "proof/stamp/signed_statement.hpp"

#include <algorithm>

namespace torchkiln::stamp {

using base::ErrorCode;
using base::fail;
using base::Result;
using document::Json;
namespace fs = std::filesystem;

namespace {

constexpr std::string_view k_envelope_type = "application/vnd.dsse.envelope.v1+json";
/// How often the tag is read and written again when others write it at the same time.
constexpr unsigned k_merge_attempts = 5;

/// A file that is on its way to the registry, and what points at it.
struct Blob {
  oci::Descriptor descriptor;
  fs::path file;
};

Result<Blob> write_blob(const fs::path& folder, const std::string& bytes, std::string_view media_type) {
  Blob blob{{std::string(media_type), base::Digest::of(bytes), bytes.size()}, {}};
  blob.file = folder / blob.descriptor.digest.hex();
  TK_CHECK(sys::write_file(blob.file, bytes));
  return blob;
}

Result<std::vector<Blob>> envelopes_of(const oci::Layout& layout, const oci::Image& image, const fs::path& folder) {
  TK_TRY(const auto list, list_bundles(layout, image));
  std::vector<Blob> blobs;
  for (const auto& referrer : list.bundles) {
    const auto bundle = read_bundle(layout, referrer);
    if (!bundle) continue;  // whoever checks the referrer is told
    TK_TRY(const auto bytes, to_bytes(bundle->envelope));
    TK_TRY(auto blob, write_blob(folder, bytes, k_envelope_type));
    blob.descriptor.annotations = {{"dev.cosignproject.cosign/signature", ""},
                                   {"predicateType", claimed_predicate_type(referrer)}};
    blobs.push_back(std::move(blob));
  }
  return blobs;
}

/// The configuration of an image whose layers are envelopes, as cosign makes it: no system, no date.
Json configuration_of(const std::vector<oci::Descriptor>& layers) {
  Json diff_ids = Json::array(), history = Json::array();
  for (const auto& layer : layers) {
    diff_ids.push_back(layer.digest.to_string());
    history.push_back({{"created", "0001-01-01T00:00:00Z"}});
  }
  return {{"architecture", ""},
          {"created", "0001-01-01T00:00:00Z"},
          {"history", std::move(history)},
          {"os", ""},
          {"rootfs", {{"type", "layers"}, {"diff_ids", std::move(diff_ids)}}},
          {"config", Json::object()}};
}

bool has_layer(const oci::Manifest& manifest, const base::Digest& digest) {
  return std::any_of(manifest.layers.begin(), manifest.layers.end(),
                     [&digest](const oci::Descriptor& layer) { return layer.digest == digest; });
}

Result<void> push_blob(const Blob& blob, const registry::Repository& repository) {
  TK_CHECK(repository.push_blob(blob.descriptor, blob.file, {}, [](std::uint64_t) {}));
  return {};
}

}  // namespace

std::string attestation_tag(const base::Digest& image) { return "sha256-" + image.hex() + ".att"; }

Result<void> push_attestation_tag(const oci::Layout& layout, const oci::Image& image,
                                  const registry::Repository& repository, const fs::path& work) {
  TK_TRY(const auto folder, sys::TemporaryDirectory::create(work, "attestations-"));
  TK_TRY(const auto envelopes, envelopes_of(layout, image, folder.path()));
  if (envelopes.empty()) return {};
  const auto tag = attestation_tag(image.descriptor.digest);
  const auto place = repository.to_string() + ":" + tag;
  for (unsigned attempt = 1; attempt <= k_merge_attempts; ++attempt) {
    TK_TRY(const auto before, repository.fetch(tag));
    oci::Manifest manifest;
    if (before) {
      TK_TRY(manifest, oci::parse_manifest(before->bytes, place));
    }
    const auto layers_before = manifest.layers.size();
    for (const auto& envelope : envelopes) {
      if (has_layer(manifest, envelope.descriptor.digest)) continue;
      TK_CHECK(push_blob(envelope, repository));
      manifest.layers.push_back(envelope.descriptor);
    }
    // Registries without conditions let the last writer win, so what was written is read again.
    if (manifest.layers.size() == layers_before) return {};
    TK_TRY(const auto config_bytes, document::to_bytes(configuration_of(manifest.layers)));
    TK_TRY(const auto config, write_blob(folder.path(), config_bytes, oci::k_config_type));
    TK_CHECK(push_blob(config, repository));
    manifest.config = config.descriptor;
    TK_TRY(const auto bytes, to_bytes(manifest));
    const registry::Document document{bytes, manifest.media_type, base::Digest::of(bytes),
                                      before ? before->etag : ""};
    TK_TRY(const auto stored, repository.store(document, tag));
    if (!stored || attempt > 1) TK_CHECK(repository.registry().http().pause(attempt, 0));
  }
  return fail(ErrorCode::network_failed, place + " changes all the time: the stamps are not all listed there",
              {"push again"});
}

}  // namespace torchkiln::stamp
