// Several GPUs: copies between every two of them, and NCCL's collectives over all of them in one process, with the
// NCCL that torch itself has loaded.
#include "libtorch/loaded.hpp"
#include "libtorch/tests.hpp"

#include <ATen/core/Tensor.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/zeros.h>
#include <c10/core/DeviceGuard.h>
#include <numeric>
#include <torch/cuda.h>

namespace torch::cuda::nccl {
// torch/csrc/cuda/nccl.h, whose other includes need CUDA's headers.
std::uint64_t version();
}  // namespace torch::cuda::nccl

namespace torchkiln::verifier {
namespace {

constexpr std::int64_t k_count = 1 << 20;

// nccl.h
constexpr int k_float32 = 7;
constexpr int k_sum = 0;
using Communicator = void*;
/// torch works on CUDA's default stream, unless told otherwise; NCCL is given the same.
constexpr void* k_default_stream = nullptr;

/// torch's own type for it changes from release to release.
int gpu_count() {
  return static_cast<int>(torch::cuda::device_count());
}

at::Device gpu(int index) {
  return at::Device(at::kCUDA, static_cast<c10::DeviceIndex>(index));
}

/// 0 to 1023 again and again, times a factor that is the GPU's own: whole numbers that float32 adds up exactly.
at::Tensor own_values(int index) {
  return at::arange(k_count).remainder(1024).mul(index + 1).to(at::kFloat);
}

std::vector<at::Tensor> on_every_gpu() {
  std::vector<at::Tensor> tensors;
  for (int index = 0; index < gpu_count(); ++index) {
    tensors.push_back(own_values(index).to(gpu(index)));
  }
  return tensors;
}

double values_that_differ(const std::vector<at::Tensor>& tensors, const at::Tensor& expected) {
  std::int64_t differing = 0;
  for (const auto& tensor : tensors) differing += tensor.to(at::kCPU).ne(expected).sum().item<std::int64_t>();
  return static_cast<double>(differing);
}

/// One communicator a GPU, all in this process.
class Communicators {
 public:
  Communicators() : m_communicators(static_cast<std::size_t>(gpu_count())) {
    std::vector<int> devices(m_communicators.size());
    std::iota(devices.begin(), devices.end(), 0);
    call("ncclCommInitAll", m_communicators.data(), static_cast<int>(devices.size()),
         static_cast<const int*>(devices.data()));
  }
  ~Communicators() {
    for (auto* communicator : m_communicators) loaded<int(Communicator)>("ncclCommDestroy")(communicator);
  }
  Communicators(const Communicators&) = delete;
  Communicators& operator=(const Communicators&) = delete;

  /// Calls start(GPU's index, its communicator) for every GPU as one collective, and waits for it.
  template <typename Start>
  void together(Start start) const {
    const int count = static_cast<int>(m_communicators.size());
    call("ncclGroupStart");
    for (int index = 0; index < count; ++index) {
      const c10::DeviceGuard guard(gpu(index));
      start(index, m_communicators[static_cast<std::size_t>(index)]);
    }
    call("ncclGroupEnd");
    for (int index = 0; index < count; ++index) torch::cuda::synchronize(index);
  }

 private:
  std::vector<Communicator> m_communicators;
};

Outcome devices(const Context&) {
  return Measurement{static_cast<double>(gpu_count()), {}, {}};
}

Outcome copies(const Context&) {
  const auto tensors = on_every_gpu();
  const int count = static_cast<int>(tensors.size());
  Measurement measurement;
  double differing = 0;
  for (int from = 0; from < count; ++from) {
    for (int to = 0; to < count; ++to) {
      if (from == to) continue;
      const auto copy = tensors[static_cast<std::size_t>(from)].to(gpu(to));
      const double bytes = 4 * values_that_differ({copy}, own_values(from));
      differing += bytes;
      if (bytes > 0) measurement.details.push_back({std::to_string(from) + " to " + std::to_string(to), bytes});
    }
  }
  measurement.value = differing;
  return measurement;
}

Outcome all_reduce(const Context&) {
  const auto tensors = on_every_gpu();
  auto expected = at::zeros({k_count});
  for (int index = 0; index < static_cast<int>(tensors.size()); ++index) expected.add_(own_values(index));
  Communicators().together([&](int index, Communicator communicator) {
    void* values = tensors[static_cast<std::size_t>(index)].data_ptr();
    call("ncclAllReduce", static_cast<const void*>(values), values, std::size_t{k_count}, k_float32, k_sum,
         communicator, k_default_stream);
  });
  return Measurement{values_that_differ(tensors, expected), {}, {}};
}

Outcome broadcast(const Context&) {
  const auto tensors = on_every_gpu();
  Communicators().together([&](int index, Communicator communicator) {
    void* values = tensors[static_cast<std::size_t>(index)].data_ptr();
    constexpr int root = 0;
    call("ncclBroadcast", static_cast<const void*>(values), values, std::size_t{k_count}, k_float32, root,
         communicator, k_default_stream);
  });
  return Measurement{values_that_differ(tensors, own_values(0)), {}, {}};
}

}  // namespace

/// torch packs the version as major << 32 | minor << 16 | patch.
std::string nccl_compiled() {
  const auto code = torch::cuda::nccl::version();
  const auto part = [&](int shift) { return std::to_string(code >> shift & 0xffff); };
  return code == 0 ? std::string() : part(32) + "." + part(16) + "." + part(0);
}

Registry collective_tests() {
  return {{"multi-gpu.devices", devices},
          {"multi-gpu.copies", copies},
          {"multi-gpu.all_reduce", all_reduce},
          {"multi-gpu.broadcast", broadcast}};
}

}  // namespace torchkiln::verifier
