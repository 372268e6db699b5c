#include "proof/stamp/check.hpp"

#include "foundation/base/text.hpp"
#include "proof/stamp/envelope.hpp"
#include "proof/stamp/statement.hpp"

#include <algorithm>
#include <variant>

namespace torchkiln::stamp {

using namespace report;

using base::ErrorCode;
using base::Result;

namespace {

constexpr std::int64_t k_day_s = 86'400;

/// A stamp that counts, or why it does not.
using Judgement = std::variant<Proof, Refusal>;

/// Lower-case words of a model name; "-" separates them too.
std::vector<std::string> words_in(const std::string& text) {
  const auto normal = base::replace_all(base::lower(text), "-", " ");
  std::vector<std::string> words;
  for (const auto word : base::split(normal, ' '))
    if (!word.empty()) words.emplace_back(word);
  return words;
}

bool is_meant(const GpuFacts& gpu, const std::string& wanted) {
  if (const auto capability = version::ComputeCapability::parse(wanted)) {
    const auto found = version::ComputeCapability::parse(gpu.compute_capability);
    return found && *found == *capability;
  }
  const auto words = words_in(gpu.name), wanted_words = words_in(wanted);
  const auto has = [&words](const std::string& word) {
    return std::find(words.begin(), words.end(), word) != words.end();
  };
  return !wanted_words.empty() && std::all_of(wanted_words.begin(), wanted_words.end(), has);
}

/// Whether the run was on a GPU that `wanted` means: a compute capability, or words of a model name.
bool ran_on(const TestRun& run, const std::string& wanted) {
  return std::any_of(run.host.gpus.begin(), run.host.gpus.end(),
                     [&wanted](const GpuFacts& gpu) { return is_meant(gpu, wanted); });
}

std::string gpu_list(const TestRun& run) {
  std::vector<std::string> names;
  for (const auto& gpu : run.host.gpus) names.push_back(gpu.name + " (" + gpu.compute_capability + ")");
  return names.empty() ? "no GPU" : base::join(names, ", ");
}

/// Judges one stamp by the policy, step by step; every step may refuse.
class Judge {
 public:
  Judge(const oci::Layout& layout, const oci::Image& image, const Policy& policy, std::int64_t now_s)
      : m_layout(layout), m_image(image), m_policy(policy), m_now_s(now_s) {}

  Judgement judge(const oci::Descriptor& referrer) {
    m_stamp = referrer.digest;
    const auto bundle = read_bundle(referrer);
    if (!bundle) return refuse(RefusalReason::unreadable, words_of(bundle.error()), "stamp the image again");
    if (auto refusal = refuse_envelope(*bundle)) return *refusal;
    // From here on the payload is what a key of the policy signed.
    const auto file = "the statement in " + referrer.digest.to_string();
    if (auto refusal = refuse_kind(bundle->envelope.payload, file)) return *refusal;
    auto run = parse_statement(bundle->envelope.payload, file);
    if (!run) return refuse(RefusalReason::unreadable, words_of(run.error()), "stamp the image again");
    if (auto refusal = refuse_run(*run)) return *refusal;
    return Proof{m_stamp, m_signer->hint(), std::move(*run)};
  }

 private:
  Refusal refuse(RefusalReason reason, std::string text, std::string remedy) const {
    return {m_stamp, reason, std::move(text), std::move(remedy)};
  }

  static std::string words_of(const base::Error& error) {
    return error.where ? error.where->to_string() + ": " + error.message : error.message;
  }

  Result<Bundle> read_bundle(const oci::Descriptor& referrer) const {
    TK_TRY(const auto manifest, m_layout.read_manifest(referrer));
    const auto file = m_layout.blob_path(referrer.digest).string();
    if (manifest.layers.size() != 1 || manifest.layers.front().media_type != k_bundle_type)
      return base::fail_at(ErrorCode::input_invalid, base::Place{file}, "does not hold exactly one bundle");
    const auto& blob = manifest.layers.front();
    TK_TRY(const auto bytes, m_layout.read_blob(blob));
    return parse_bundle(bytes, m_layout.blob_path(blob.digest).string());
  }

  /// Payload type, number of signatures, signature, key hints: what can be said without reading the payload.
  std::optional<Refusal> refuse_envelope(const Bundle& bundle) {
    const auto& envelope = bundle.envelope;
    if (envelope.payload_type != k_payload_type)
      return refuse(RefusalReason::wrong_kind, "its payload is a \"" + envelope.payload_type + "\"",
                    "only \"" + std::string(k_payload_type) + "\" is a stamp");
    if (envelope.signatures.size() != 1)
      return refuse(RefusalReason::wrong_signature,
                    "it has " + std::to_string(envelope.signatures.size()) + " signatures, not one",
                    "stamp the image again");
    const auto& signature = envelope.signatures.front();
    const auto message = signed_bytes(envelope.payload_type, envelope.payload);
    const auto signer = std::find_if(m_policy.keys.begin(), m_policy.keys.end(), [&](const PublicKey& key) {
      return key.has_signed(message, signature.bytes);
    });
    if (signer == m_policy.keys.end()) {
      const auto by_hint = std::find_if(m_policy.keys.begin(), m_policy.keys.end(),
                                        [&](const PublicKey& key) { return key.hint() == bundle.key_hint; });
      if (by_hint == m_policy.keys.end())
        return refuse(RefusalReason::wrong_signature, "it was not signed by a key that the policy names",
                      "name the public key of whoever signed it, if they are to be trusted");
      return refuse(RefusalReason::wrong_signature,
                    "it names a key of the policy, but its signature does not hold: it was changed after signing",
                    "stamp the image again, and find out who changed it");
    }
    // A hint proves nothing, but one that lies would send other programs to another key.
    const auto hint = signer->hint();
    if (bundle.key_hint != hint || (!signature.key_id.empty() && signature.key_id != hint))
      return refuse(RefusalReason::wrong_signature, "it names another key than the one that signed it",
                    "stamp the image again");
    m_signer = &*signer;
    return std::nullopt;
  }

  std::optional<Refusal> refuse_kind(const std::string& payload, const std::string& file) const {
    const auto document = document::JsonValue::parse(payload, file, k_bundle_limits);
    if (!document) return refuse(RefusalReason::unreadable, words_of(document.error()), "stamp the image again");
    const auto type = document->text_or_empty("predicateType");
    if (type && *type == k_test_result_type) return std::nullopt;
    return refuse(RefusalReason::wrong_kind, "it is no test result" + (type ? " but a \"" + *type + "\"" : ""),
                  "stamp the image with the report of torchkiln verify");
  }

  std::optional<Refusal> refuse_run(const TestRun& run) const {
    if (run.image != m_image.descriptor.digest)
      return refuse(RefusalReason::wrong_image, "it is about " + run.image.to_string(),
                    "verify and stamp " + m_image.descriptor.digest.to_string());
    if (result_of(run) == RunResult::failed)
      return refuse(RefusalReason::failed,
                    "it says that the image failed at the level " + std::string(name(run.asked)),
                    "mend the image, or the host, and verify it again");
    if (run.reached < m_policy.level)
      return refuse(
          RefusalReason::level_too_low,
          "it proves the level " + std::string(name(run.reached)) + ", not " + std::string(name(m_policy.level)),
          "torchkiln verify --level " + std::string(name(m_policy.level)) + ", then stamp");
    if (auto refusal = refuse_age(run)) return refusal;
    if (m_policy.lock && run.lock != m_policy.lock)
      return refuse(RefusalReason::wrong_lock,
                    run.lock ? "the image was made from the lock " + run.lock->to_string()
                             : std::string("it does not say from which lock the image was made"),
                    "verify the image of the lock " + m_policy.lock->to_string());
    if (m_policy.driver_at_least) {
      const auto driver = version::DriverVersion::parse(run.host.driver);
      if (!driver || *driver < *m_policy.driver_at_least)
        return refuse(RefusalReason::driver_too_old,
                      driver ? "it was proven on driver " + run.host.driver : std::string("it names no driver"),
                      "verify it on driver " + m_policy.driver_at_least->to_string() + " or newer");
    }
    if (!m_policy.gpus.empty() && std::none_of(m_policy.gpus.begin(), m_policy.gpus.end(),
                                               [&run](const std::string& gpu) { return ran_on(run, gpu); }))
      return refuse(RefusalReason::wrong_gpu, "it was proven on " + gpu_list(run),
                    "verify it on " + base::join(m_policy.gpus, " or "));
    return std::nullopt;
  }

  std::optional<Refusal> refuse_age(const TestRun& run) const {
    const auto when = base::format_time(run.finished_s);
    if (run.finished_s > m_now_s + k_clock_skew_s)
      return refuse(RefusalReason::in_the_future, "it says that its run ended at " + when + ", which is to come",
                    "set the clock of this machine, or of the one that signed");
    if (m_policy.max_age_s && m_now_s - run.finished_s > *m_policy.max_age_s)
      return refuse(
          RefusalReason::too_old,
          "its run ended at " + when + ", " + std::to_string((m_now_s - run.finished_s) / k_day_s) + " days ago",
          "verify and stamp again, at least every " + std::to_string(*m_policy.max_age_s / k_day_s) + " days");
    return std::nullopt;
  }

  const oci::Layout& m_layout;
  const oci::Image& m_image;
  const Policy& m_policy;
  std::int64_t m_now_s;
  base::Digest m_stamp;
  const PublicKey* m_signer = nullptr;
};

}  // namespace

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

Result<Verdict> check(const oci::Layout& layout, const oci::Image& image, const Policy& policy,
                      std::int64_t now_s) {
  if (policy.keys.empty())
    return base::fail(ErrorCode::usage, "no public key to check stamps with",
                      {"name one with --pub FILE; everybody can make a key, so a stamp counts only by its key"});
  // The manifest's bytes have the digest that the stamps are about.
  TK_CHECK(layout.read_manifest(image.descriptor));
  TK_TRY(const auto referrers, layout.referrers(image.descriptor.digest));
  Verdict verdict;
  for (const auto& fault : referrers.unreadable) {
    const auto digest = base::Digest::parse(fault.file.filename().string());
    verdict.refusals.push_back({digest ? *digest : base::Digest(), RefusalReason::unreadable,
                                fault.file.string() + ": " + fault.what, "copy the layout again"});
  }
  Judge judge(layout, image, policy, now_s);
  std::size_t looked_at = 0;
  for (const auto& referrer : referrers.found) {
    if (referrer.artifact_type != k_bundle_type) continue;
    if (++looked_at > k_stamp_limit)
      return base::fail(ErrorCode::input_invalid,
                        "the image has more than " + std::to_string(k_stamp_limit) + " stamps");
    auto judgement = judge.judge(referrer);
    if (auto* proof = std::get_if<Proof>(&judgement)) verdict.proofs.push_back(std::move(*proof));
    if (auto* refusal = std::get_if<Refusal>(&judgement)) verdict.refusals.push_back(std::move(*refusal));
  }
  for (const auto& gpu : policy.gpus) {
    const bool is_covered = std::any_of(verdict.proofs.begin(), verdict.proofs.end(),
                                        [&gpu](const Proof& proof) { return ran_on(proof.run, gpu); });
    if (!is_covered) verdict.unmet.push_back("no stamp that counts was made on " + gpu + ": verify it there");
  }
  if (verdict.proofs.empty() && policy.gpus.empty())
    verdict.unmet.push_back("no stamp that counts proves the level " + std::string(name(policy.level)) +
                            ": verify it and stamp it");
  return verdict;
}

}  // namespace torchkiln::stamp
