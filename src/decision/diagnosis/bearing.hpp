#pragma once
// What is known of a machine that bears on an error: only facts that somebody read, and what the matrix says of
// them.

#include "decision/diagnosis/diagnosis.hpp"
#include "knowledge/host/machine.hpp"
#include "knowledge/matrix/matrix.hpp"

#include <string>
#include <vector>

namespace torchkiln::diagnosis {

struct Bearing {
  std::string text;    ///< "the driver here is 470.82.01, whose own CUDA is 11.4"
  std::string source;  ///< "NVML", "manifests/cuda.toml:12"; several joined by ", "
};

/// Empty where nothing that is known of the machine bears on it.
std::vector<Bearing> bearings(const Finding& finding, const host::Machine& machine, const matrix::Matrix& matrix);

}  // namespace torchkiln::diagnosis
