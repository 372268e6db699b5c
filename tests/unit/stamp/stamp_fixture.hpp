#pragma once
// A layout with one image, a key, and reports about the image.

#include "foundation/base/text.hpp"
#include "proof/stamp/check.hpp"
#include "proof/stamp/stamp.hpp"
#include "proof/stamp/statement.hpp"
#include "support/gpu_report.hpp"
#include "unit/oci/layout_fixture.hpp"

#include <functional>
#include <string>

namespace torchkiln::stamp::test {

using namespace torchkiln::report;
using namespace torchkiln::report::test;

namespace fs = std::filesystem;
using document::Json;
using oci::test::must;

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
