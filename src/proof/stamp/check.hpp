#pragma once
// Whether an image has been proven as a policy demands. Everything is refused that is not understood; nothing in a
// payload is believed before its signature holds under a key of the policy. A stamp can only ever add: removing
// one, or adding a bad one, never turns a no into a yes.

#include "assembly/oci/layout.hpp"
#include "foundation/base/digest.hpp"
#include "foundation/base/error.hpp"
#include "proof/report/test_run.hpp"
#include "proof/stamp/policy.hpp"
#include "proof/stamp/signed_statement.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace torchkiln::stamp {

struct Proof {
  base::Digest stamp;
  std::string key_hint;  ///< of the key that signed it
  report::TestRun run;
  std::optional<std::int64_t> valid_until_s = std::nullopt;  ///< since 1970, as the signer says
};

struct Verdict {
  std::vector<Proof> proofs;       ///< stamps that count, in the layout's order
  std::vector<Refusal> refusals;   ///< stamps that do not
  std::vector<std::string> unmet;  ///< what of the policy no stamp covers, with what would
  bool is_satisfied() const { return !proofs.empty() && unmet.empty(); }
};

/// How far the clock of the machine that signed may be ahead of ours, in seconds.
inline constexpr std::int64_t k_clock_skew_s = 300;

/// Checks the stamps of `image` in the layout: its test results. Statements of other kinds are passed over. `now_s` is the time, in seconds since 1970. An Error only when the
/// layout itself cannot be read or the policy names no key. Says nothing about the layers: Layout::check() does.
base::Result<Verdict> check(const oci::Layout& layout, const oci::Image& image, const Policy& policy,
                            std::int64_t now_s);

}  // namespace torchkiln::stamp
