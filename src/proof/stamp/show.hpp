#pragma once
// All that has been signed about an image: on which machines it was proven and on which it failed, and what else is
// known of it. For people to look at; whether it is enough is check()'s to say.

#include "assembly/oci/layout.hpp"
#include "foundation/base/error.hpp"
#include "proof/stamp/signed_statement.hpp"
#include "proof/stamp/statement.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace torchkiln::stamp {

/// One run that a trusted key signed, good or bad.
struct ShownRun {
  base::Digest stamp;
  std::string key_hint;
  TestResult result;
  bool is_expired = false;
};

/// Something else that a trusted key signed: an SBOM, provenance, a summary.
struct ShownStatement {
  base::Digest stamp;
  std::string key_hint;
  std::string predicate_type;
};

struct Shown {
  std::vector<ShownRun> runs;              ///< newest first
  std::vector<ShownStatement> statements;  ///< in the layout's order
  std::vector<Refusal> refusals;           ///< what is signed by nobody who is trusted, or about something else
};

/// What trusted keys signed about `image` in the layout. `now_s` is the time, in seconds since 1970.
base::Result<Shown> show(const oci::Layout& layout, const oci::Image& image, const std::vector<PublicKey>& trusted,
                         std::int64_t now_s);

}  // namespace torchkiln::stamp
