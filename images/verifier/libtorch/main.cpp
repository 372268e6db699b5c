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
  for (auto tests :
       {library_tests(), version_tests(), numeric_tests(Device::cpu), autograd_tests(), training_tests(Device::cpu),
        cuda_tests(), numeric_tests(Device::cuda), training_tests(Device::cuda), collective_tests()}) {
    registry.merge(tests);
  }
  return run_worker(registry, [](const Context& context) {
    Facts facts;
    facts.versions = versions(context);
    return facts;
  });
}
