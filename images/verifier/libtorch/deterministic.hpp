// For tests in which two runs must agree in every bit.
#pragma once

#include <ATen/Context.h>

namespace torchkiln::verifier {

/// Two runs must agree in every bit, and a GPU must round as the CPU does.
inline void make_deterministic() {
  at::globalContext().setDeterministicAlgorithms(true, /*warn_only=*/false);
  at::globalContext().setDeterministicCuDNN(true);
  at::globalContext().setBenchmarkCuDNN(false);
  at::globalContext().setAllowTF32CuDNN(false);
}

}  // namespace torchkiln::verifier
