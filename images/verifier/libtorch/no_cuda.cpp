// In place of cuda.cpp and collectives.cpp where the image's torch is one for the CPU.
#include "libtorch/tests.hpp"

namespace torchkiln::verifier {

int compute_capability_major() {
  return 0;
}

std::string cuda_build_text() {
  return {};
}

std::string nccl_compiled() {
  return {};
}

/// Every other test of the level needs this one.
Registry cuda_tests() {
  return {{"gpu.device", [](const Context&) -> Outcome {
             return Failure{"the image's torch is built for the CPU only", Fault::image, {}};
           }}};
}

Registry collective_tests() {
  return {};
}

}  // namespace torchkiln::verifier
