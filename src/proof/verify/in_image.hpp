#pragma once
// Running the image's own torchkiln-verify and believing nothing of its answer that is not complete: the plan that this
// torchkiln's verifier has, the same nonce, a test for every row of the plan and nothing else, and no pass whose measured
// value does not keep the limit.

#include "assembly/oci/image_config.hpp"
#include "assembly/runtime/runtime.hpp"
#include "foundation/base/progress.hpp"
#include "proof/report/test_run.hpp"

#include <functional>
#include <map>
#include <string>
#include <vector>

#include <verifier/plan/plan.hpp>

namespace torchkiln::verify {

/// Runs a command in the image under test, in whatever runs containers here.
using RunInImage = std::function<base::Result<runtime::RunOutcome>(const runtime::RunRequest&)>;

/// How much a run may take.
struct RunLimits {
  double timeout_s = 3600;
  std::uint64_t shared_memory_bytes = 1ULL << 30;  ///< of /dev/shm, and of /tmp and /run, which are in memory too
  unsigned soak_s = 0;                             ///< how long the soak test takes; 0: there is none
};

/// A process as the image's configuration says: its user, environment, folder and entrypoint, on a read-only root,
/// without network.
runtime::RunRequest request_for(const oci::ImageConfig& config, std::vector<std::string> arguments);

struct InImageResult {
  std::vector<report::TestOutcome> tests;
  std::map<std::string, std::string> versions;
  report::HostFacts host;
};

/// Runs the levels boot to `level`. What goes wrong with the image (no verifier in it, it crashes, it answers
/// nonsense) becomes failed tests.
base::Result<InImageResult> run_in_image(const RunInImage& run, const oci::ImageConfig& config, report::Level level,
                                         const std::string& nonce, const RunLimits& limits, base::Step& step);

/// In what `listed`, the tests that an image's verifier says it has, differs from `plan` up to the level: in ids,
/// levels and limits. Empty when in nothing. An image must not choose its own tests: one with fewer, or with limits
/// that nothing fails, would reach any level. For tests.
std::string plan_difference(const std::string& listed, const std::vector<verifier::Test>& plan, report::Level level);

/// Judges the program's report by the plan; for tests.
InImageResult judge_answers(const std::vector<verifier::Test>& plan, const std::string& report, report::Level level,
                            const std::string& nonce);

}  // namespace torchkiln::verify
