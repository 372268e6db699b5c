#pragma once
// What a GPU is known to do: tests named gpu.speed.* record how fast this one was, and a GPU that does much less
// than others of its model deserves a warning: it may be throttled, shared, or held back by the image.

#include "foundation/base/error.hpp"
#include "proof/report/test_run.hpp"

#include <filesystem>
#include <string>
#include <vector>

namespace torchkiln::verify {

/// A row of manifests/baselines/gpu.toml.
struct Baseline {
  std::string gpu;     ///< as the driver names it: "NVIDIA H100 80GB HBM3"
  std::string test;    ///< "gpu.speed.matmul.fp16"
  double value = 0;    ///< in the test's unit
  std::string source;  ///< where it was measured, such as a report under tests/gpu/reports/
};

/// Below this share of its baseline a test warns.
inline constexpr double k_baseline_share = 0.7;

/// An Error (matrix_invalid) with its place for what is no row. No file: no baselines.
base::Result<std::vector<Baseline>> read_baselines(const std::filesystem::path& file);

/// Turns passes of tests that are slow for these GPUs into warnings.
void warn_if_slow(std::vector<report::TestOutcome>& tests, const std::vector<report::GpuFacts>& gpus,
                  const std::vector<Baseline>& baselines);

}  // namespace torchkiln::verify
