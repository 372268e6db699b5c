#include "proof/stamp/signed_statement.hpp"

#include <algorithm>

namespace torchkiln::stamp {

using base::ErrorCode;
using base::Result;

std::string words_of(const base::Error& error) {
  return error.where ? error.where->to_string() + ": " + error.message : error.message;
}

std::string_view name(RefusalReason reason) {
  switch (reason) {
    case RefusalReason::unreadable:
      return "unreadable";
    case RefusalReason::wrong_signature:
      return "wrong-signature";
    case RefusalReason::wrong_kind:
      return "wrong-kind";
    case RefusalReason::wrong_image:
      return "wrong-image";
    case RefusalReason::failed:
      return "failed";
    case RefusalReason::level_too_low:
      return "level-too-low";
    case RefusalReason::too_old:
      return "too-old";
    case RefusalReason::expired:
      return "expired";
    case RefusalReason::in_the_future:
      return "in-the-future";
    case RefusalReason::driver_too_old:
      return "driver-too-old";
    case RefusalReason::wrong_lock:
      return "wrong-lock";
    case RefusalReason::wrong_gpu:
      break;
  }
  return "wrong-gpu";
}

Result<Bundle> read_bundle(const oci::Layout& layout, const oci::Descriptor& referrer) {
  TK_TRY(const auto manifest, layout.read_manifest(referrer));
  const auto file = layout.blob_path(referrer.digest).string();
  if (manifest.layers.size() != 1 || manifest.layers.front().media_type != k_bundle_type)
    return base::fail_at(ErrorCode::input_invalid, base::Place{file}, "does not hold exactly one bundle");
  const auto& blob = manifest.layers.front();
  TK_TRY(const auto bytes, layout.read_blob(blob));
  return parse_bundle(bytes, layout.blob_path(blob.digest).string());
}

std::variant<SignedStatement, Refusal> read_signed(const oci::Layout& layout, const oci::Descriptor& referrer,
                                                   const std::vector<PublicKey>& trusted) {
  const auto refuse = [&](RefusalReason reason, std::string text, std::string remedy) {
    return Refusal{referrer.digest, reason, std::move(text), std::move(remedy)};
  };
  const auto bundle = read_bundle(layout, referrer);
  if (!bundle) return refuse(RefusalReason::unreadable, words_of(bundle.error()), "stamp the image again");
  const auto& envelope = bundle->envelope;
  if (envelope.payload_type != k_payload_type)
    return refuse(RefusalReason::wrong_kind, "its payload is a \"" + envelope.payload_type + "\"",
                  "only \"" + std::string(k_payload_type) + "\" is a stamp");
  if (envelope.signatures.size() != 1)
    return refuse(RefusalReason::wrong_signature,
                  "it has " + std::to_string(envelope.signatures.size()) + " signatures, not one",
                  "stamp the image again");
  const auto& signature = envelope.signatures.front();
  const auto message = signed_bytes(envelope.payload_type, envelope.payload);
  const auto signer = std::find_if(trusted.begin(), trusted.end(), [&](const PublicKey& key) {
    return key.has_signed(message, signature.bytes);
  });
  if (signer == trusted.end()) {
    const auto by_hint = std::find_if(trusted.begin(), trusted.end(),
                                      [&](const PublicKey& key) { return key.hint() == bundle->key_hint; });
    if (by_hint == trusted.end())
      return refuse(RefusalReason::wrong_signature, "it was not signed by a key that the policy names",
                    "name the public key of whoever signed it, if they are to be trusted");
    return refuse(RefusalReason::wrong_signature,
                  "it names a key of the policy, but its signature does not hold: it was changed after signing",
                  "stamp the image again, and find out who changed it");
  }
  // A hint proves nothing, but one that lies would send other programs to another key.
  const auto hint = signer->hint();
  if (bundle->key_hint != hint || (!signature.key_id.empty() && signature.key_id != hint))
    return refuse(RefusalReason::wrong_signature, "it names another key than the one that signed it",
                  "stamp the image again");

  // From here on the payload is what a trusted key signed.
  const auto file = "the statement in " + referrer.digest.to_string();
  const auto document = document::JsonValue::parse(envelope.payload, file, k_bundle_limits);
  if (!document) return refuse(RefusalReason::unreadable, words_of(document.error()), "stamp the image again");
  const auto type = document->text_or_empty("predicateType");
  return SignedStatement{referrer.digest, hint, type ? *type : "", envelope.payload};
}

Result<BundleList> list_bundles(const oci::Layout& layout, const oci::Image& image) {
  // The manifest's bytes have the digest that the stamps are about.
  TK_CHECK(layout.read_manifest(image.descriptor));
  TK_TRY(auto referrers, layout.referrers(image.descriptor.digest));
  BundleList list;
  for (const auto& fault : referrers.unreadable) {
    const auto digest = base::Digest::parse(fault.file.filename().string());
    list.unreadable.push_back({digest ? *digest : base::Digest(), RefusalReason::unreadable,
                               fault.file.string() + ": " + fault.what, "copy the layout again"});
  }
  for (auto& referrer : referrers.found)
    if (referrer.artifact_type == k_bundle_type) list.bundles.push_back(std::move(referrer));
  if (list.bundles.size() > k_stamp_limit)
    return base::fail(ErrorCode::input_invalid,
                      "the image has more than " + std::to_string(k_stamp_limit) + " stamps");
  return list;
}

std::string claimed_predicate_type(const oci::Descriptor& referrer) {
  return oci::value_of(referrer.annotations, k_predicate_type_key);
}

}  // namespace torchkiln::stamp
