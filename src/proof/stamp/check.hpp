#pragma once
// Whether an image has been proven as a policy demands. Everything is refused that is not understood; nothing in a
// payload is believed before its signature holds under a key of the policy. A stamp can only ever add: removing
// one, or adding a bad one, never turns a no into a yes.

#include "assembly/oci/layout.hpp"
#include "foundation/base/digest.hpp"
#include "foundation/base/error.hpp"
#include "knowledge/version/cuda.hpp"
#include "proof/report/test_run.hpp"
#include "proof/stamp/key.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace torchkiln::stamp {

struct Policy {
  std::vector<PublicKey> keys;               ///< a stamp counts when one of these signed it
  report::Level level = report::Level::gpu;  ///< at least
  /// Seconds since the run finished, at most.
  std::optional<std::int64_t> max_age_s = std::nullopt;
  /// Each must be covered by some stamp: a compute capability ("sm_90", "9.0") or words of a model name ("H200").
  std::vector<std::string> gpus = {};
  std::optional<version::DriverVersion> driver_at_least = std::nullopt;
  /// The lock that the image must have been made from.
  std::optional<base::Digest> lock = std::nullopt;
};

/// Why a stamp does not count.
enum class RefusalReason {
  unreadable,       ///< no bundle, no statement, over a limit, or bytes that have another digest
  wrong_signature,  ///< no key of the policy signed it, or it was changed since
  wrong_kind,       ///< another payload or predicate type
  wrong_image,      ///< a statement about another digest
  failed,           ///< the tests failed
  level_too_low,
  too_old,
  in_the_future,
  driver_too_old,
  wrong_lock,
  wrong_gpu,
};
/// "wrong-signature"
std::string_view name(RefusalReason reason);

struct Refusal {
  base::Digest stamp;  ///< of the referrer manifest
  RefusalReason reason;
  std::string text;    ///< what is the matter, with found and wanted values
  std::string remedy;  ///< what would satisfy the policy
};

struct Proof {
  base::Digest stamp;
  std::string key_hint;  ///< of the key that signed it
  report::TestRun run;
};

struct Verdict {
  std::vector<Proof> proofs;       ///< stamps that count, in the layout's order
  std::vector<Refusal> refusals;   ///< stamps that do not
  std::vector<std::string> unmet;  ///< what of the policy no stamp covers, with what would
  bool is_satisfied() const { return !proofs.empty() && unmet.empty(); }
};

/// The most stamps of one image that are looked at.
inline constexpr std::size_t k_stamp_limit = 1'000;
/// How far the clock of the machine that signed may be ahead of ours, in seconds.
inline constexpr std::int64_t k_clock_skew_s = 300;

/// Checks the stamps of `image` in the layout. `now_s` is the time, in seconds since 1970. An Error only when the
/// layout itself cannot be read or the policy names no key. Says nothing about the layers: Layout::check() does.
base::Result<Verdict> check(const oci::Layout& layout, const oci::Image& image, const Policy& policy,
                            std::int64_t now_s);

}  // namespace torchkiln::stamp
