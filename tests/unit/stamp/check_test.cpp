// What a stamp proves, and by which policy.

#include "proof/stamp/check.hpp"

#include "stamp_fixture.hpp"

using namespace torchkiln;
using namespace torchkiln::report;
using namespace torchkiln::stamp;
using namespace torchkiln::stamp::test;

namespace {
constexpr std::int64_t k_day_s = 86'400;
}

TEST_CASE("a stamp says what was proven, when and on what") {
  const StampFixture f;
  const auto stamp = f.stamp();
  const auto verdict = f.verdict();
  CHECK(verdict.is_satisfied());
  CHECK(verdict.refusals.empty());
  REQUIRE(verdict.proofs.size() == 1);
  const auto& proof = verdict.proofs.front();
  CHECK(proof.stamp == stamp.referrer.digest);
  CHECK(proof.key_hint == f.key.public_key().hint());
  CHECK(proof.run.reached == Level::gpu);
  CHECK(proof.run.finished_s == k_finished_s);
  CHECK(proof.run.host.gpus.front().name == "NVIDIA H200");
  CHECK(is_verified(proof.run));
}

TEST_CASE("the image's digest and its files stay as they were") {
  const StampFixture f;
  const auto before = f.image.descriptor.digest;
  f.stamp();
  const auto after = must(f.layout.find_image("t"));
  CHECK(after.descriptor.digest == before);
  CHECK(f.faults(after).empty());
  CHECK(after.descriptor.annotations.at("kind") == "dev.cosignproject.cosign/image");
}

TEST_CASE("the stamp is a referrer manifest as cosign writes them, and a line beside the layout") {
  const StampFixture f;
  const auto stamp = f.stamp();
  const auto manifest = must(f.layout.read_manifest(stamp.referrer));
  CHECK(manifest.artifact_type == k_bundle_type);
  CHECK(manifest.config == oci::empty_descriptor());
  CHECK(manifest.subject->digest == f.image.descriptor.digest);
  CHECK(manifest.layers.size() == 1);
  CHECK(manifest.annotations ==
        oci::Annotations{{"dev.sigstore.bundle.content", "dsse-envelope"},
                         {"dev.sigstore.bundle.predicateType", "https://in-toto.io/attestation/test-result/v0.1"},
                         {"org.opencontainers.image.created", "2026-03-01T10:05:00Z"}});
  CHECK(statements_path(f.layout) == f.path("layout.intoto.jsonl"));
  CHECK(must(sys::read_file(f.path("layout.intoto.jsonl"))) == must(to_bytes(stamp.envelope)) + "\n");
}

TEST_CASE("the same report stamped again adds nothing; stamps of another host add up") {
  const StampFixture f;
  const auto first = f.stamp();
  CHECK(f.stamp().referrer.digest == first.referrer.digest);
  auto report = f.report();
  report["host"]["gpus"][0] = {
      {"name", "NVIDIA A100-SXM4-80GB"}, {"uuid_sha256", ""}, {"compute_capability", "8.0"}};
  f.stamp(report);
  CHECK(f.verdict().proofs.size() == 2);
  CHECK(base::lines(must(sys::read_file(f.path("layout.intoto.jsonl")))).size() == 2);
  auto policy = f.policy();
  policy.gpus = {"sm_90", "A100"};
  CHECK(f.verdict(policy).is_satisfied());
}

TEST_CASE("a report about another digest is not signed") {
  const StampFixture f;
  auto report = f.report();
  report["image"]["digest"] = base::Digest::of("other").to_string();
  const auto stamp = f.try_attach(report, f.key);
  REQUIRE_FALSE(stamp);
  CHECK(stamp.error().message == "report.json is about " + base::Digest::of("other").to_string() +
                                     ", the image is " + f.image.descriptor.digest.to_string());
  CHECK(must(f.layout.referrers(f.image.descriptor.digest)).found.empty());
  CHECK_FALSE(fs::exists(f.path("layout.intoto.jsonl")));
}

TEST_CASE("a tag that moved between verify and stamp is noticed") {
  const StampFixture f;
  f.put("t", "rebuilt");
  const auto stamp = f.try_attach(f.report(), f.key);
  REQUIRE_FALSE(stamp);
  CHECK_THAT(stamp.error().message, Catch::StartsWith("the tag t has moved from "));
}

TEST_CASE("a failed run is signed as failed and proves nothing") {
  const StampFixture f;
  auto report = f.report();
  report["level_reached"] = "cpu";
  report["tests"][3] = a_test("train.cuda", "gpu", "fail");
  const auto stamp = f.stamp(report);
  CHECK_THAT(stamp.envelope.payload, Catch::Contains(R"("result":"FAILED")"));
  CHECK(f.only_refusal() == RefusalReason::failed);
}

TEST_CASE("a failed run takes nothing away from what is proven") {
  const StampFixture f;
  f.stamp();
  auto report = f.report();
  report["level_reached"] = "cpu";
  report["tests"][3] = a_test("train.cuda", "gpu", "fail");
  f.stamp(report);
  const auto verdict = f.verdict();
  CHECK(verdict.is_satisfied());
  CHECK(verdict.refusals.front().reason == RefusalReason::failed);
}

TEST_CASE("no stamp at all is a no that says what would be a yes") {
  const StampFixture f;
  const auto verdict = f.verdict();
  CHECK_FALSE(verdict.is_satisfied());
  CHECK(verdict.unmet ==
        std::vector<std::string>{"no stamp that counts proves the level gpu: verify it and stamp it"});
}

TEST_CASE("a run on the processor proves the level cpu, and nobody may call that verified") {
  const StampFixture f;
  auto report = f.report();
  report["level_asked"] = report["level_reached"] = "cpu";
  report["tests"].erase(3);
  f.stamp(report);
  CHECK(f.only_refusal() == RefusalReason::level_too_low);
  auto policy = f.policy();
  policy.level = Level::cpu;
  const auto verdict = f.verdict(policy);
  REQUIRE(verdict.is_satisfied());
  CHECK_FALSE(is_verified(verdict.proofs.front().run));
}

TEST_CASE("a stamp is too old from one second after its age on") {
  const StampFixture f;
  f.stamp();
  auto policy = f.policy();
  policy.max_age_s = 90 * k_day_s;
  CHECK(f.verdict(policy, k_finished_s + 90 * k_day_s).is_satisfied());
  const auto late = f.verdict(policy, k_finished_s + 90 * k_day_s + 1);
  CHECK(f.only_refusal(late) == RefusalReason::too_old);
  CHECK(late.refusals.front().text == "its run ended at 2026-03-01T10:05:00Z, 90 days ago");
}

TEST_CASE("a stamp from the future is refused, a clock that is five minutes ahead is not") {
  const StampFixture f;
  f.stamp();
  CHECK(f.verdict(f.policy(), k_finished_s - k_clock_skew_s).is_satisfied());
  CHECK(f.only_refusal(f.verdict(f.policy(), k_finished_s - k_clock_skew_s - 1)) == RefusalReason::in_the_future);
}

TEST_CASE("a driver older than asked for does not count") {
  const StampFixture f;
  f.stamp();
  auto policy = f.policy();
  policy.driver_at_least = must(version::DriverVersion::parse("570"));
  CHECK(f.verdict(policy).is_satisfied());
  policy.driver_at_least = must(version::DriverVersion::parse("570.133.21"));
  CHECK(f.only_refusal(f.verdict(policy)) == RefusalReason::driver_too_old);
}

TEST_CASE("a GPU is asked for by compute capability or by words of its name") {
  const StampFixture f;
  f.stamp();
  auto policy = f.policy();
  for (const std::string good : {"sm_90", "9.0", "H200", "nvidia h200"}) {
    INFO(good);
    policy.gpus = {good};
    CHECK(f.verdict(policy).is_satisfied());
  }
  for (const std::string bad : {"sm_80", "8.9", "H20", "H2000", "A100", "", "NVIDIA H100"}) {
    INFO(bad);
    policy.gpus = {bad};
    CHECK(f.only_refusal(f.verdict(policy)) == RefusalReason::wrong_gpu);
  }
  policy.gpus = {"H200", "A100"};
  const auto half = f.verdict(policy);
  CHECK_FALSE(half.is_satisfied());
  CHECK(half.unmet == std::vector<std::string>{"no stamp that counts was made on A100: verify it there"});
}

TEST_CASE("a stamp of another lock is refused") {
  const StampFixture f;
  f.stamp();
  auto policy = f.policy();
  policy.lock = base::Digest::of("lock");
  CHECK(f.verdict(policy).is_satisfied());
  policy.lock = base::Digest::of("another lock");
  CHECK(f.only_refusal(f.verdict(policy)) == RefusalReason::wrong_lock);
}

TEST_CASE("any key of the policy will do, and a policy without a key is none") {
  const StampFixture f;
  f.stamp();
  const auto other = must(PrivateKey::create(f.path("other.key"), nullptr));
  CHECK(f.verdict({.keys = {other.public_key(), f.key.public_key()}}).is_satisfied());
  const auto none = check(f.layout, f.image, {}, k_finished_s);
  REQUIRE_FALSE(none);
  CHECK(none.error().code == base::ErrorCode::usage);
}
