#pragma once
// Running the image's own torchkiln-verify and believing nothing of its answer that is not complete: the same
// nonce, a test for every row of the plan, and nothing else.

#include "assembly/oci/image_config.hpp"
#include "assembly/runtime/runtime.hpp"
#include "foundation/base/progress.hpp"
#include "proof/report/test_run.hpp"

#include <functional>
#include <map>
#include <string>
#include <vector>

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

/// Judges the program's two answers, its plan and its report; for tests.
InImageResult judge_answers(const std::string& plan, const std::string& report, report::Level level,
                            const std::string& nonce);

}  // namespace torchkiln::verify
