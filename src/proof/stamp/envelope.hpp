#pragma once
// DSSE envelopes (secure-systems-lab/dsse, protocol.md and envelope.md) and the Sigstore bundle v0.3 around them,
// as cosign, sigstore-go and securesystemslib read them.

#include "foundation/base/error.hpp"
#include "foundation/document/json.hpp"
#include "proof/stamp/key.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace torchkiln::stamp {

/// The one payload type that we write and accept; cosign and sigstore-go accept no other.
inline constexpr std::string_view k_payload_type = "application/vnd.in-toto+json";
inline constexpr std::string_view k_bundle_type = "application/vnd.dev.sigstore.bundle.v0.3+json";

/// Annotations of a bundle's manifest (sigstore/cosign specs/BUNDLE_SPEC.md).
inline constexpr const char* k_content_key = "dev.sigstore.bundle.content";
inline constexpr const char* k_predicate_type_key = "dev.sigstore.bundle.predicateType";

/// A bundle may have this many bytes and levels; a statement of a thousand tests has about 200 kB and 6 levels.
inline constexpr document::JsonLimits k_bundle_limits{.size_bytes = 4U << 20, .depth = 16};

struct Signature {
  std::string key_id;  ///< a hint that nothing vouches for
  std::string bytes;
  bool operator==(const Signature&) const = default;
};

/// A signed payload. Whoever parses one has not checked it: see PublicKey::has_signed() and signed_bytes().
struct Envelope {
  std::string payload_type;
  std::string payload;
  std::vector<Signature> signatures;
  bool operator==(const Envelope&) const = default;
};

/// What the signature is over: DSSE's pre-authentication encoding of type and payload.
std::string signed_bytes(std::string_view payload_type, std::string_view payload);

/// The payload in an envelope of type k_payload_type with one signature.
base::Result<Envelope> seal(std::string payload, const PrivateKey& key);

/// One line of JSON, as lines of NAME.intoto.jsonl are (in-toto attestation, spec/v1/bundle.md).
base::Result<std::string> to_bytes(const Envelope& envelope);
/// Refuses keys that DSSE does not define and every spelling of base64 but the standard one with padding.
base::Result<Envelope> parse_envelope(std::string_view bytes, const std::string& file);

/// A Sigstore bundle v0.3 whose verification material is a key hint and no transparency log.
base::Result<std::string> to_bundle(const Envelope& envelope, std::string_view key_hint);

struct Bundle {
  Envelope envelope;
  std::string key_hint;
};
base::Result<Bundle> parse_bundle(std::string_view bytes, const std::string& file);

}  // namespace torchkiln::stamp
