// Attacks that must fail, each by its reason. The attacker can write to the layout; the key is out of reach, except
// where a test says that the signer is at fault.

#include "stamp_fixture.hpp"

using namespace torchkiln;
using namespace torchkiln::report;
using namespace torchkiln::stamp;
using namespace torchkiln::stamp::test;

namespace {

std::string payload_of(const Json& bundle) {
  return *base::from_base64(bundle["dsseEnvelope"]["payload"].get<std::string>());
}
void set_payload(Json& bundle, const std::string& payload) {
  bundle["dsseEnvelope"]["payload"] = base::to_base64(payload);
}

}  // namespace

TEST_CASE("the good bundle that the attacks start from counts") {
  const StampFixture f;
  f.attach_bytes(f.good_bundle().dump());
  CHECK(f.verdict().is_satisfied());
}

TEST_CASE("a payload altered by one letter is refused") {
  const StampFixture f;
  CHECK(f.refusal_after([](Json& bundle) {
    set_payload(bundle, base::replace_all(payload_of(bundle), "NVIDIA H200", "NVIDIA B200"));
  }) == RefusalReason::wrong_signature);
  CHECK_THAT(f.verdict().refusals.front().text, Catch::Contains("it was changed after signing"));
}

TEST_CASE("a failed stamp cannot be turned into a passed one") {
  const StampFixture f;
  auto report = f.report();
  report["level_reached"] = "cpu";
  report["tests"][3] = a_test("train.cuda", "gpu", "fail");
  const auto failed = must(to_statement(must(parse_report(report.dump(), "report.json"))));
  const auto passed = must(to_statement(must(parse_report(f.report().dump(), "report.json"))));
  auto bundle = f.bundle_of(failed);
  set_payload(bundle, passed);
  f.attach_bytes(bundle.dump());
  CHECK(f.only_refusal() == RefusalReason::wrong_signature);
}

TEST_CASE("a stamp by another key is refused, also under the hint of ours") {
  const StampFixture f;
  const auto mallory = must(PrivateKey::create(f.path("mallory.key"), nullptr));
  must(f.try_attach(f.report(), mallory));
  CHECK(f.only_refusal() == RefusalReason::wrong_signature);

  const StampFixture g;
  auto envelope = must(seal(payload_of(g.good_bundle()), mallory));
  envelope.signatures.front().key_id = g.key.public_key().hint();
  g.attach_bytes(must(to_bundle(envelope, g.key.public_key().hint())));
  CHECK(g.only_refusal() == RefusalReason::wrong_signature);
}

TEST_CASE("a good signature under the hint of another key is refused") {
  const StampFixture f;
  CHECK(f.refusal_after([](Json& bundle) {
    bundle["dsseEnvelope"]["signatures"][0]["keyid"] = base::to_base64(std::string(32, 'm'));
  }) == RefusalReason::wrong_signature);
  const StampFixture g;
  CHECK(g.refusal_after([](Json& bundle) {
    bundle["verificationMaterial"]["publicKey"]["hint"] = base::to_base64(std::string(32, 'm'));
  }) == RefusalReason::wrong_signature);
}

TEST_CASE("an added signature is refused, before or after ours; so is none") {
  const StampFixture f;
  CHECK(f.refusal_after([](Json& bundle) {
    auto& signatures = bundle["dsseEnvelope"]["signatures"];
    signatures.push_back(signatures[0]);
  }) == RefusalReason::wrong_signature);
  const StampFixture g;
  CHECK(g.refusal_after([](Json& bundle) {
    auto& signatures = bundle["dsseEnvelope"]["signatures"];
    signatures.insert(signatures.begin(), Json{{"keyid", "m"}, {"sig", "AAAA"}});
  }) == RefusalReason::wrong_signature);
  const StampFixture h;
  CHECK(h.refusal_after([](Json& bundle) { bundle["dsseEnvelope"]["signatures"] = Json::array(); }) ==
        RefusalReason::wrong_signature);
}

TEST_CASE("a signature with bytes behind it is refused") {
  const StampFixture f;
  CHECK(f.refusal_after([](Json& bundle) {
    auto& text = bundle["dsseEnvelope"]["signatures"][0]["sig"];
    text = base::to_base64(*base::from_base64(text.get<std::string>()) + std::string(1, '\0'));
  }) == RefusalReason::wrong_signature);
}

TEST_CASE("another payload type is refused, changed afterwards or signed so") {
  const StampFixture f;
  CHECK(f.refusal_after([](Json& bundle) { bundle["dsseEnvelope"]["payloadType"] = "text/plain"; }) ==
        RefusalReason::wrong_kind);
  const StampFixture g;
  CHECK(g.refusal_after([&g](Json& bundle) {
    const auto payload = payload_of(bundle);
    bundle["dsseEnvelope"]["payloadType"] = "application/json";
    bundle["dsseEnvelope"]["signatures"][0]["sig"] =
        base::to_base64(must(g.key.sign(signed_bytes("application/json", payload))));
  }) == RefusalReason::wrong_kind);
  // A signature over the bare payload, without DSSE's frame, is none.
  const StampFixture h;
  CHECK(h.refusal_after([&h](Json& bundle) {
    bundle["dsseEnvelope"]["signatures"][0]["sig"] = base::to_base64(must(h.key.sign(payload_of(bundle))));
  }) == RefusalReason::wrong_signature);
}

TEST_CASE("a statement of another kind is refused although our key signed it") {
  const StampFixture f;
  CHECK(f.refusal_of_statement([](Json& s) { s["predicateType"] = "https://slsa.dev/provenance/v1"; }) ==
        RefusalReason::wrong_kind);
}

TEST_CASE("a stamp of another image does not count here") {
  const StampFixture f;
  const auto other = f.put("u", "other");
  const auto run = must(parse_report(gpu_report(other.descriptor.digest).dump(), "report.json"));
  f.attach_bytes(f.bundle_of(must(to_statement(run))).dump());
  CHECK(f.only_refusal() == RefusalReason::wrong_image);
}

TEST_CASE("odd base64 is refused, in payload and signature") {
  for (const auto& spoil : {std::function<void(std::string&)>([](std::string& text) { text += "\n"; }),
                            std::function<void(std::string&)>([](std::string& text) { text += "===="; }),
                            std::function<void(std::string&)>([](std::string& text) { text.insert(4, " "); }),
                            std::function<void(std::string&)>([](std::string& text) {
                              while (text.ends_with('=')) text.pop_back();
                              text += "-_";
                            })}) {
    const StampFixture f;
    CHECK(f.refusal_after([&spoil](Json& bundle) {
      spoil(bundle["dsseEnvelope"]["payload"].get_ref<std::string&>());
    }) == RefusalReason::unreadable);
    const StampFixture g;
    CHECK(g.refusal_after([&spoil](Json& bundle) {
      spoil(bundle["dsseEnvelope"]["signatures"][0]["sig"].get_ref<std::string&>());
    }) == RefusalReason::unreadable);
  }
}

TEST_CASE("unknown keys are refused: beside the envelope, in it, and at the top of the statement") {
  const StampFixture f, g, h, i;
  CHECK(f.refusal_after([](Json& b) { b["messageSignature"] = Json::object(); }) == RefusalReason::unreadable);
  CHECK(g.refusal_after([](Json& b) { b["dsseEnvelope"]["payload2"] = ""; }) == RefusalReason::unreadable);
  CHECK(h.refusal_after([](Json& b) { b["verificationMaterial"]["x509CertificateChain"] = Json::object(); }) ==
        RefusalReason::unreadable);
  CHECK(i.refusal_of_statement([](Json& s) { s["expires"] = "never"; }) == RefusalReason::unreadable);
}

TEST_CASE("an unknown field of the predicate is ignored, as in-toto asks") {
  const StampFixture f;
  auto statement = Json::parse(payload_of(f.good_bundle()));
  statement["predicate"]["vendor_note"] = "hello";
  f.attach_bytes(f.bundle_of(statement.dump()).dump());
  CHECK(f.verdict().is_satisfied());
}

TEST_CASE("huge, deep, cut and doubled JSON is refused") {
  const StampFixture f, g, h, i, j;
  const auto good = f.good_bundle().dump();
  f.attach_bytes(good + std::string(k_bundle_limits.size_bytes, ' '));
  CHECK(f.only_refusal() == RefusalReason::unreadable);
  g.attach_bytes(std::string(1'000'000, '['));
  CHECK(g.only_refusal() == RefusalReason::unreadable);
  h.attach_bytes(good.substr(0, good.size() / 2));
  CHECK(h.only_refusal() == RefusalReason::unreadable);
  i.attach_bytes(R"({"mediaType":"x",)" + i.good_bundle().dump().substr(1));
  CHECK(i.only_refusal() == RefusalReason::unreadable);
  // Doubled inside what is signed: another program may read the other one.
  const auto statement = payload_of(j.good_bundle());
  j.attach_bytes(j.bundle_of(R"({"predicateType":"x",)" + statement.substr(1)).dump());
  CHECK(j.only_refusal() == RefusalReason::unreadable);
}

TEST_CASE("a level raised by hand, a shortened list of tests and a prettier result are refused even if signed") {
  const StampFixture f, g, h, i, j, k;
  CHECK(f.refusal_of_statement([](Json& s) { s["predicate"]["torchkiln_level"]["reached"] = "multi-gpu"; }) ==
        RefusalReason::unreadable);
  CHECK(g.refusal_of_statement([](Json& s) { s["predicate"]["torchkiln_results"].erase(3); }) ==
        RefusalReason::unreadable);
  CHECK(h.refusal_of_statement([](Json& s) { s["predicate"]["passedTests"].erase(3); }) ==
        RefusalReason::unreadable);
  CHECK(i.refusal_of_statement([](Json& s) { s["predicate"]["result"] = "WARNED"; }) == RefusalReason::unreadable);
  CHECK(j.refusal_of_statement([](Json& s) { s["predicate"]["torchkiln_results"][3]["verdict"] = "fail"; }) ==
        RefusalReason::unreadable);
  CHECK(k.refusal_of_statement([](Json& s) {
    s["predicate"]["torchkiln_results"][3]["verdict"] = "skip";
    s["predicate"]["passedTests"].erase(3);
    s["predicate"]["torchkiln_skippedTests"] = Json::array({"train.cuda"});
  }) == RefusalReason::unreadable);
}

TEST_CASE("a statement about two images, or under another type, is refused even if signed") {
  const StampFixture f, g, h;
  CHECK(f.refusal_of_statement([](Json& s) { s["subject"].push_back(s["subject"][0]); }) ==
        RefusalReason::unreadable);
  CHECK(g.refusal_of_statement([](Json& s) { s["subject"] = Json::array(); }) == RefusalReason::unreadable);
  CHECK(h.refusal_of_statement([](Json& s) { s["_type"] = "https://in-toto.io/Statement/v0.1"; }) ==
        RefusalReason::unreadable);
}

TEST_CASE("a bundle blob with other bytes than its digest is refused") {
  const StampFixture f;
  const auto manifest = must(f.layout.read_manifest(f.stamp().referrer));
  const auto blob = manifest.layers.front();
  auto bytes = must(f.layout.read_blob(blob));
  bytes[bytes.size() / 2] ^= 1;
  f.overwrite(blob.digest, bytes);
  CHECK(f.only_refusal() == RefusalReason::unreadable);
}

TEST_CASE("a referrer with two bundles is refused") {
  const StampFixture f;
  const auto blob = must(f.layout.add_bytes(f.good_bundle().dump(), k_bundle_type));
  must(
      f.layout.put_referrer(oci::artifact_about(f.image.descriptor, std::string(k_bundle_type), {blob, blob}, {})));
  CHECK(f.only_refusal() == RefusalReason::unreadable);
}

TEST_CASE("bad stamps do not hide a good one, and artifacts of other kinds are no stamps") {
  const StampFixture f;
  f.attach_bytes("[]");
  f.attach_bytes("{}");
  const auto sbom = must(f.layout.add_bytes("{}", "application/spdx+json"));
  must(f.layout.put_referrer(oci::artifact_about(f.image.descriptor, "application/spdx+json", {sbom}, {})));
  f.stamp();
  const auto verdict = f.verdict();
  CHECK(verdict.is_satisfied());
  CHECK(verdict.refusals.size() == 2);
}

TEST_CASE("an image whose manifest was changed is not checked at all") {
  const StampFixture f;
  f.stamp();
  auto bytes = must(f.layout.read_blob(f.image.descriptor));
  bytes[bytes.size() / 2] ^= 1;
  f.overwrite(f.image.descriptor.digest, bytes);
  const auto verdict = check(f.layout, f.image, f.policy(), k_finished_s);
  REQUIRE_FALSE(verdict);
  CHECK(verdict.error().code == base::ErrorCode::integrity_failed);
}

TEST_CASE("more stamps than the limit are an error, not an endless search") {
  const StampFixture f;
  oci::Index index;
  index.manifests = {f.image.descriptor};
  for (std::size_t i = 0; i <= k_stamp_limit; ++i) {
    const auto manifest =
        oci::artifact_about(f.image.descriptor, std::string(k_bundle_type), {}, {{"n", std::to_string(i)}});
    index.manifests.push_back(must(f.layout.add_bytes(must(oci::to_bytes(manifest)), oci::k_manifest_type)));
  }
  must(sys::write_file(f.layout.directory() / "index.json", must(oci::to_bytes(index))));
  const auto verdict = check(f.layout, f.image, f.policy(), k_finished_s);
  REQUIRE_FALSE(verdict);
  CHECK(verdict.error().message == "the image has more than 1000 stamps");
}
