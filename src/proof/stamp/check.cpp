#include "proof/stamp/check.hpp"

#include "foundation/base/text.hpp"
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

/// Judges one stamp by the policy, step by step; every step may refuse.
class Judge {
 public:
  Judge(const oci::Layout& layout, const oci::Image& image, const Policy& policy, std::int64_t now_s)
      : m_layout(layout), m_image(image), m_policy(policy), m_now_s(now_s) {}

  Judgement judge(const oci::Descriptor& referrer) {
    m_stamp = referrer.digest;
    auto read = read_signed(m_layout, referrer, m_policy.keys);
    if (auto* refusal = std::get_if<Refusal>(&read)) return std::move(*refusal);
    auto& statement = std::get<SignedStatement>(read);
    if (statement.predicate_type != k_test_result_type)
      return refuse(RefusalReason::wrong_kind,
                    "it is no test result" + (statement.predicate_type.empty()
                                                  ? std::string()
                                                  : " but a \"" + statement.predicate_type + "\""),
                    "stamp the image with the report of torchkiln verify");
    auto result = parse_statement(statement.payload, "the statement in " + m_stamp.to_string());
    if (!result) return refuse(RefusalReason::unreadable, words_of(result.error()), "stamp the image again");
    if (auto refusal = refuse_run(*result)) return *refusal;
    return Proof{m_stamp, std::move(statement.key_hint), std::move(result->run), result->valid_until_s};
  }

 private:
  Refusal refuse(RefusalReason reason, std::string text, std::string remedy) const {
    return {m_stamp, reason, std::move(text), std::move(remedy)};
  }

  std::optional<Refusal> refuse_run(const TestResult& result) const {
    const auto& run = result.run;
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
    if (auto refusal = refuse_age(result)) return refusal;
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
      return refuse(RefusalReason::wrong_gpu, "it was proven on " + (run.host.gpus.empty() ? "no GPU" : gpus_in_words(run.host)),
                    "verify it on " + base::join(m_policy.gpus, " or "));
    return std::nullopt;
  }

  std::optional<Refusal> refuse_age(const TestResult& result) const {
    const auto& run = result.run;
    const auto when = base::format_time(run.finished_s);
    if (run.finished_s > m_now_s + k_clock_skew_s)
      return refuse(RefusalReason::in_the_future, "it says that its run ended at " + when + ", which is to come",
                    "set the clock of this machine, or of the one that signed");
    if (result.valid_until_s && m_now_s > *result.valid_until_s)
      return refuse(RefusalReason::expired, "it was good until " + base::format_time(*result.valid_until_s),
                    "verify and stamp again");
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
};

}  // namespace

Result<Verdict> check(const oci::Layout& layout, const oci::Image& image, const Policy& policy,
                      std::int64_t now_s) {
  if (policy.keys.empty())
    return base::fail(ErrorCode::usage, "no public key to check stamps with",
                      {"name one with --pub FILE; everybody can make a key, so a stamp counts only by its key"});
  TK_TRY(auto list, list_bundles(layout, image));
  Verdict verdict;
  verdict.refusals = std::move(list.unreadable);
  Judge judge(layout, image, policy, now_s);
  for (const auto& referrer : list.bundles) {
    // Nobody signed what the manifest claims; one that lies hides its stamp, as removing it would.
    const auto claimed = claimed_predicate_type(referrer);
    if (!claimed.empty() && claimed != k_test_result_type) continue;
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
