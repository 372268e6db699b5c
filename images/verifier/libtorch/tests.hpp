// The tests of the LibTorch program, grouped by file. Files that include torch's own headers take long to compile,
// so these declarations, and the tests that only arrange measurements, stay free of them.
#pragma once

#include "libtorch/oracle.hpp"
#include "worker/worker.hpp"

namespace torchkiln::verifier {

/// Where a computation runs: the processor, or the first GPU.
enum class Device { cpu, cuda };

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
Registry autograd_tests();
Registry training_tests(Device device);
Registry cuda_tests();
Registry collective_tests();

/// Of the first GPU; 0 where there is none.
int compute_capability_major();

/// The NCCL that torch was compiled with, such as 2.27.3; empty where it has none.
std::string nccl_compiled();

/// Versions of torch, CUDA, cuDNN and NCCL, compiled and at run time.
std::vector<std::pair<std::string, std::string>> versions(const Context& context);

}  // namespace torchkiln::verifier
