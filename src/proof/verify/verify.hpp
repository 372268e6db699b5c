#pragma once
// Verifying an image: what its files say of themselves (level static), then its own in-image test (boot, cpu, gpu,
// multi-gpu), run in a container of exactly these layers. The report is torchkiln.report/1. A level is reached only
// when every test of it and of all levels below passed; a test that is missing, skipped or not understood never
// counts as passed.

#include "assembly/engine/cache.hpp"
#include "assembly/oci/layout.hpp"
#include "assembly/oci/reference.hpp"
#include "foundation/base/progress.hpp"
#include "plan/lock/lock.hpp"
#include "proof/report/test_run.hpp"
#include "proof/verify/baseline.hpp"
#include "proof/verify/in_image.hpp"

#include <optional>
#include <string>

namespace torchkiln::verify {

using report::Level;
using report::TestOutcome;
using report::TestRun;
using report::TestVerdict;

struct VerifyRequest {
  const oci::Layout& layout;
  oci::Image image;
  Level level = Level::cpu;
  std::optional<runtime::RuntimeKind> runtime = std::nullopt;  ///< runc or crun
  std::optional<oci::EngineReference> engine = std::nullopt;   ///< who holds the image and is to run it instead
  const lock::Lock* lock = nullptr;  ///< what the image should be made of; nothing: its own labels only
  RunLimits limits = {};
  std::vector<Baseline> baselines = {};  ///< what GPUs do elsewhere
};

struct Verification {
  TestRun run;
  std::string report;  ///< the bytes of torchkiln.report/1
  bool is_reached() const { return run.reached >= run.asked; }
};

/// An Error only when the image could not be tested at all (unreadable layout, no runtime works): a failing image
/// is a Verification that says so.
base::Result<Verification> verify(const VerifyRequest& request, const engine::Cache& cache,
                                  base::Progress& progress);

}  // namespace torchkiln::verify
