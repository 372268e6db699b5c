// verify-libtorch: the tests that compute with torch, as a program written against LibTorch would. Started by
// torchkiln-verify, which speaks to it by the lines that worker/worker.hpp describes.
#include "libtorch/tests.hpp"

#include <cstdlib>

int main() {
  using namespace torchkiln::verifier;
  // cuBLAS is bit-reproducible only with a fixed workspace, and reads this when it starts
  // (https://docs.nvidia.com/cuda/cublas/#results-reproducibility).
  setenv("CUBLAS_WORKSPACE_CONFIG", ":4096:8", 1);

  Registry registry;
  for (auto tests : {library_tests(), version_tests(), autograd_tests(), compiler_tests(), cuda_tests(),
                     collective_tests(), speed_tests()}) {
    registry.merge(tests);
  }
  for (const auto device : {Device::cpu, Device::cuda}) {
    for (auto tests :
         {numeric_tests(device), convolution_tests(device), sequence_tests(device), mixed_precision_tests(device),
          determinism_tests(device), training_tests(device), model_tests(device), soak_tests(device)}) {
      registry.merge(tests);
    }
  }
  return run_worker(registry, [](const Context& context) {
    Facts facts;
    facts.versions = versions(context);
    return facts;
  });
}
