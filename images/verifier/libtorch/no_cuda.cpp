// In place of what needs CUDA's libraries where the image's torch is one for the CPU.
#include "libtorch/tests.hpp"

namespace torchkiln::verifier {

int compute_capability_major() {
  return 0;
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

Registry compiler_tests() {
  return {{"cpu.nvrtc", [](const Context&) -> Outcome {
             return Measurement{0.0, {{"NVRTC", "none, as this torch is built for the CPU only"}}, {}};
           }}};
}

Registry speed_tests() {
  return {};
}

}  // namespace torchkiln::verifier
