#include "proof/stamp/envelope.hpp"

#include "foundation/base/text.hpp"

namespace torchkiln::stamp {

using base::Result;
using document::Json;
using document::JsonValue;

namespace {

/// Signatures of one envelope that are looked at. Every bundle has one; more is an attack or a mistake.
constexpr std::size_t k_signature_limit = 16;

Result<std::string> read_base64(const JsonValue& parent, std::string_view key) {
  TK_TRY(const auto value, parent.member(key));
  TK_TRY(const auto text, value.text());
  auto bytes = base::from_base64(text);
  if (!bytes) return value.wrong("is not in standard base64 with padding (RFC 4648, section 4)");
  return std::move(*bytes);
}

Json to_json(const Envelope& envelope) {
  Json signatures = Json::array();
  for (const auto& signature : envelope.signatures)
    signatures.push_back({{"keyid", signature.key_id}, {"sig", base::to_base64(signature.bytes)}});
  return {{"payloadType", envelope.payload_type},
          {"payload", base::to_base64(envelope.payload)},
          {"signatures", std::move(signatures)}};
}

Result<Envelope> read_envelope(const JsonValue& value) {
  TK_CHECK(value.has_only({"payloadType", "payload", "signatures"}));
  Envelope envelope;
  TK_TRY(const auto payload_type, value.member("payloadType"));
  TK_TRY(envelope.payload_type, payload_type.text());
  TK_TRY(envelope.payload, read_base64(value, "payload"));
  TK_TRY(const auto signatures, value.member("signatures"));
  TK_TRY(const auto items, signatures.items());
  if (items.size() > k_signature_limit)
    return signatures.wrong("has more than " + std::to_string(k_signature_limit) + " entries");
  for (const auto& item : items) {
    TK_CHECK(item.has_only({"keyid", "sig"}));
    Signature signature;
    TK_TRY(signature.key_id, item.text_or_empty("keyid"));
    TK_TRY(signature.bytes, read_base64(item, "sig"));
    envelope.signatures.push_back(std::move(signature));
  }
  return envelope;
}

}  // namespace

std::string signed_bytes(std::string_view payload_type, std::string_view payload) {
  std::string bytes = "DSSEv1 ";
  bytes += std::to_string(payload_type.size());
  bytes += ' ';
  bytes += payload_type;
  bytes += ' ';
  bytes += std::to_string(payload.size());
  bytes += ' ';
  bytes += payload;
  return bytes;
}

Result<Envelope> seal(std::string payload, const PrivateKey& key) {
  TK_TRY(auto signature, key.sign(signed_bytes(k_payload_type, payload)));
  return Envelope{
      std::string(k_payload_type), std::move(payload), {{key.public_key().hint(), std::move(signature)}}};
}

Result<std::string> to_bytes(const Envelope& envelope) {
  return document::to_bytes(to_json(envelope));
}

Result<Envelope> parse_envelope(std::string_view bytes, const std::string& file) {
  TK_TRY(const auto document, JsonValue::parse(bytes, file, k_bundle_limits));
  return read_envelope(document);
}

Result<std::string> to_bundle(const Envelope& envelope, std::string_view key_hint) {
  // sigstore-models refuses a bundle without tlogEntries, although the list may be empty.
  return document::to_bytes(
      {{"mediaType", k_bundle_type},
       {"verificationMaterial", {{"publicKey", {{"hint", key_hint}}}, {"tlogEntries", Json::array()}}},
       {"dsseEnvelope", to_json(envelope)}});
}

Result<Bundle> parse_bundle(std::string_view bytes, const std::string& file) {
  TK_TRY(const auto document, JsonValue::parse(bytes, file, k_bundle_limits));
  TK_CHECK(document.has_only({"mediaType", "verificationMaterial", "dsseEnvelope"}));
  TK_TRY(const auto media_type, document.member("mediaType"));
  TK_TRY(const auto media_type_text, media_type.text());
  if (media_type_text != k_bundle_type)
    return media_type.wrong("is \"" + media_type_text + "\", not \"" + std::string(k_bundle_type) + "\"");
  TK_TRY(const auto material, document.member("verificationMaterial"));
  TK_CHECK(material.has_only({"publicKey", "tlogEntries"}));
  TK_TRY(const auto public_key, material.member("publicKey"));
  TK_CHECK(public_key.has_only({"hint"}));
  Bundle bundle;
  TK_TRY(bundle.key_hint, public_key.text_or_empty("hint"));
  TK_TRY(const auto entries, material.find("tlogEntries"));
  // An entry of a log that nobody checks here would look like more than it is.
  if (entries && (!entries->json().is_array() || !entries->json().empty()))
    return entries->wrong("has entries of a transparency log, which are not understood here");
  TK_TRY(const auto envelope, document.member("dsseEnvelope"));
  TK_TRY(bundle.envelope, read_envelope(envelope));
  return bundle;
}

}  // namespace torchkiln::stamp
