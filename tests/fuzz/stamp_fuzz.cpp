// Stamps come from registries and are read before anybody has checked their signature.

#include "proof/stamp/envelope.hpp"
#include "proof/stamp/key.hpp"
#include "proof/stamp/policy.hpp"
#include "proof/stamp/statement.hpp"

using namespace torchkiln;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  if (const auto envelope = stamp::parse_envelope(bytes, "envelope")) {
    const auto written = stamp::to_bytes(*envelope);
    if (written) {
      const auto again = stamp::parse_envelope(*written, "envelope");
      TK_ASSERT(again && *again == *envelope, "an envelope is written as it is read");
    }
    (void)stamp::parse_statement(envelope->payload, "statement");
  }
  (void)stamp::PublicKey::parse(bytes, "key.pub");
  (void)stamp::parse_age(bytes);
  (void)stamp::parse_proven_level(bytes);
  (void)stamp::parse_proven_gpu(bytes);
  if (const auto bundle = stamp::parse_bundle(bytes, "bundle"))
    (void)stamp::to_bundle(bundle->envelope, bundle->key_hint);
  if (const auto result = stamp::parse_statement(bytes, "statement")) {
    const auto written = stamp::to_statement(result->run, result->valid_until_s);
    TK_ASSERT(written && stamp::parse_statement(*written, "statement"), "a statement that is read can be written");
  }
  return 0;
}
