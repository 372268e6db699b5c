#include "proof/stamp/envelope.hpp"

#include "stamp_fixture.hpp"

using namespace torchkiln;
using namespace torchkiln::report;
using namespace torchkiln::stamp;
using namespace torchkiln::stamp::test;

TEST_CASE("what is signed is DSSE's own example") {
  // secure-systems-lab/dsse, protocol.md, "Test Vectors"
  CHECK(signed_bytes("http://example.com/HelloWorld", "hello world") ==
        "DSSEv1 29 http://example.com/HelloWorld 11 hello world");
  CHECK(signed_bytes("", "") == "DSSEv1 0  0 ");
}

TEST_CASE("an envelope and a bundle that are written and read again are the same") {
  const oci::test::Folder folder;
  const auto key = must(PrivateKey::create(folder.path("kiln.key"), nullptr));
  const auto hint = key.public_key().hint();
  const auto envelope = must(seal("payload", key));
  CHECK(envelope.signatures.front().key_id == hint);
  const auto line = must(to_bytes(envelope));
  CHECK(
      line.starts_with(R"({"payloadType":"application/vnd.in-toto+json","payload":"cGF5bG9hZA==","signatures":[)"));
  CHECK(must(parse_envelope(line, "line")) == envelope);
  const auto bytes = must(to_bundle(envelope, hint));
  CHECK(bytes.starts_with(R"({"mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json",)"
                          R"("verificationMaterial":{"publicKey":{"hint":")" +
                          hint + R"("},"tlogEntries":[]},"dsseEnvelope":{)"));
  const auto bundle = must(parse_bundle(bytes, "bundle"));
  CHECK(bundle.envelope == envelope);
  CHECK(bundle.key_hint == hint);
}

TEST_CASE("base64 has one spelling") {
  const auto parse = [](const std::string& payload) {
    return parse_envelope(R"({"payloadType":"t","payload":")" + payload + R"(","signatures":[]})", "line");
  };
  CHECK(must(parse("/+8=")).payload == "\xff\xef");
  for (const std::string odd : {"_-8=", "/+8", "/+8==", "/+9=", "/+8=\\n", " /+8=", "/+8=/+8=", "====", "/ +8="}) {
    INFO(odd);
    const auto envelope = parse(odd);
    REQUIRE_FALSE(envelope);
    CHECK(envelope.error().message == "payload is not in standard base64 with padding (RFC 4648, section 4)");
  }
}

TEST_CASE("keys that DSSE or the bundle do not define are refused") {
  CHECK(parse_envelope(R"({"payloadType":"t","payload":"","signatures":[],"x":1})", "l").error().message ==
        "the document has an unknown key \"x\"");
  CHECK(parse_envelope(R"({"payloadType":"t","payload":"","signatures":[{"sig":"","cert":""}]})", "l")
            .error()
            .message == "signatures[0] has an unknown key \"cert\"");
  CHECK(parse_envelope(R"({"payloadType":"t","signatures":[]})", "l").error().message ==
        "the document lacks \"payload\"");
}
