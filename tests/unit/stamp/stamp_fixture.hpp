#pragma once
// A layout with one image, a key, and reports about the image.

#include "foundation/base/text.hpp"
#include "proof/stamp/check.hpp"
#include "proof/stamp/stamp.hpp"
#include "unit/oci/layout_fixture.hpp"

#include <functional>
#include <string>

namespace torchkiln::stamp::test {

namespace fs = std::filesystem;
using oci::Json;
using oci::test::must;

/// When the fixture's runs ended: 2026-03-01T10:05:00Z.
inline constexpr std::int64_t k_finished_s = 1'772'359'500;

inline Json a_test(const std::string& id, const std::string& level, const std::string& verdict = "pass") {
  Json test = {{"id", id}, {"level", level}, {"verdict", verdict}, {"measured", 0.00041}, {"limit", 0.001}};
  test["seconds"] = 0.812;
  if (verdict != "pass") test["reason"] = "because";
  return test;
}

/// A report of a run on an H200 that reached the level gpu.
inline Json gpu_report(const base::Digest& image) {
  return {{"schema", "torchkiln.report/1"},
          {"image", {{"digest", image.to_string()}, {"name", "team/pytorch:t"}}},
          {"lock", {{"digest", base::Digest::of("lock").to_string()}}},
          {"suite", {{"digest", base::Digest::of("suite").to_string()}}},
          {"nonce", "0123456789abcdef"},
          {"host",
           {{"kernel", "6.1.0"},
            {"arch", "x86_64"},
            {"cpu", "A processor"},
            {"driver", "570.133.20"},
            {"gpus", Json::array({{{"name", "NVIDIA H200"},
                                   {"uuid_sha256", base::Digest::of("uuid").hex()},
                                   {"compute_capability", "9.0"}}})},
            {"runtime", "runc 1.1.5"}}},
          {"versions", {{"torch", "2.8.0+cu128"}, {"cuda", "12.8"}}},
          {"level_asked", "gpu"},
          {"level_reached", "gpu"},
          {"started", "2026-03-01T10:00:00Z"},
          {"finished", "2026-03-01T10:05:00Z"},
          {"tests", Json::array({a_test("files", "static"), a_test("import", "boot"), a_test("train.cpp", "cpu"),
                                 a_test("train.cuda", "gpu")})}};
}

struct StampFixture : oci::test::LayoutFixture {
  PrivateKey key = must(PrivateKey::create(path("keys/kiln.key"), nullptr));
  oci::Image image = put("t", "one");

  Json report() const { return gpu_report(image.descriptor.digest); }
  base::Result<Stamp> try_attach(const Json& report, const PrivateKey& signer) const {
    const auto bytes = report.dump();
    return attach(layout, image, {.report = bytes, .report_file = "report.json"}, signer);
  }
  Stamp stamp(const Json& report) const { return must(try_attach(report, key)); }
  Stamp stamp() const { return stamp(report()); }

  Policy policy() const { return {.keys = {key.public_key()}}; }
  Verdict verdict(const Policy& policy, std::int64_t now_s = k_finished_s + 60) const {
    return must(check(layout, image, policy, now_s));
  }
  Verdict verdict() const { return verdict(policy()); }
  /// The one reason why the one stamp does not count.
  RefusalReason only_refusal(const Verdict& verdict) const {
    CHECK_FALSE(verdict.is_satisfied());
    CHECK(verdict.proofs.empty());
    CHECK_FALSE(verdict.unmet.empty());
    REQUIRE(verdict.refusals.size() == 1);
    CHECK_FALSE(verdict.refusals.front().text.empty());
    CHECK_FALSE(verdict.refusals.front().remedy.empty());
    return verdict.refusals.front().reason;
  }
  RefusalReason only_refusal() const { return only_refusal(verdict()); }

  /// Attaches any bytes as a bundle, as an attacker with write access to the layout can.
  void attach_bytes(const std::string& bundle) const {
    const auto blob = must(layout.add_bytes(bundle, k_bundle_type));
    must(layout.put_referrer(oci::artifact_about(image.descriptor, std::string(k_bundle_type), {blob}, {})));
  }
  /// A good bundle about the image.
  Json good_bundle() const {
    const auto run = must(parse_report(report().dump(), "report.json"));
    return bundle_of(must(to_statement(run)));
  }
  /// The bundle of a payload signed as it is.
  Json bundle_of(const std::string& payload) const {
    return Json::parse(must(to_bundle(must(seal(payload, key)), key.public_key().hint())));
  }
  /// The verdict's only reason once a good bundle was changed by `change` and attached.
  RefusalReason refusal_after(const std::function<void(Json&)>& change) const {
    auto bundle = good_bundle();
    change(bundle);
    attach_bytes(bundle.dump());
    return only_refusal();
  }
  /// The same for a payload that was changed before it was signed: what a signer may get wrong.
  RefusalReason refusal_of_statement(const std::function<void(Json&)>& change) const {
    auto statement = Json::parse(must(to_statement(must(parse_report(report().dump(), "report.json")))));
    change(statement);
    attach_bytes(bundle_of(statement.dump()).dump());
    return only_refusal();
  }
};

}  // namespace torchkiln::stamp::test
