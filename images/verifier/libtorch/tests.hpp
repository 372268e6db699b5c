// The tests of the LibTorch program, grouped by file. Files that include torch's own headers take long to compile,
// so these declarations, and the tests that only arrange measurements, stay free of them.
#pragma once

#include "libtorch/oracle.hpp"
#include "worker/worker.hpp"

namespace torchkiln::verifier {

/// Where a computation runs: the processor, or the first GPU.
enum class Device { cpu, cuda };

/// "cpu." or "gpu.", with which the ids of a device's tests begin.
inline std::string level_of(Device device) {
  return device == Device::cuda ? "gpu." : "cpu.";
}

/// Errors by name; the worst of them is what is measured.
struct Errors {
  void add(const std::string& name, double error) {
    measurement.details.push_back({name, error});
    m_worst = worse(m_worst, error);
    measurement.value = m_worst;
  }

  Measurement measurement{0.0, {}, {}};

 private:
  double m_worst = 0;
};

Registry library_tests();
Registry version_tests();
Registry numeric_tests(Device device);
Registry convolution_tests(Device device);
Registry sequence_tests(Device device);
Registry mixed_precision_tests(Device device);
Registry determinism_tests(Device device);
Registry autograd_tests();
Registry training_tests(Device device);
Registry model_tests(Device device);
Registry compiler_tests();
Registry cuda_tests();
Registry speed_tests();
Registry soak_tests(Device device);
Registry collective_tests();

/// Of the first GPU; 0 where there is none.
int compute_capability_major();

/// The NCCL that torch was compiled with, such as 2.27.3; empty where it has none.
std::string nccl_compiled();

/// Versions of torch, CUDA, cuDNN and NCCL, compiled and at run time.
std::vector<std::pair<std::string, std::string>> versions(const Context& context);

}  // namespace torchkiln::verifier
