// NCCL's collectives over one GPU or all of them, in one process, with the NCCL that torch itself has loaded; and
// copies between every two GPUs.
#include "libtorch/loaded.hpp"
#include "libtorch/random.hpp"
#include "libtorch/tensors.hpp"

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

/// One tensor a GPU, of the first `count` GPUs.
std::vector<at::Tensor> on_gpus(int count) {
  std::vector<at::Tensor> tensors;
  for (int index = 0; index < count; ++index) tensors.push_back(own_values(index).to(gpu(index)));
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
  explicit Communicators(int count) : m_communicators(static_cast<std::size_t>(count)) {
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
  const int count = gpu_count();
  const auto tensors = on_gpus(count);
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

const void* read_from(const at::Tensor& tensor) {
  return tensor.data_ptr();
}

/// The sum of all GPUs' own values.
at::Tensor sum_of(int count) {
  auto sum = at::zeros({k_count});
  for (int index = 0; index < count; ++index) sum.add_(own_values(index));
  return sum;
}

double all_reduce(int count) {
  const auto tensors = on_gpus(count);
  Communicators(count).together([&](int index, Communicator communicator) {
    const auto& values = tensors[static_cast<std::size_t>(index)];
    call("ncclAllReduce", read_from(values), values.data_ptr(), std::size_t{k_count}, k_float32, k_sum,
         communicator, k_default_stream);
  });
  return values_that_differ(tensors, sum_of(count));
}

/// From the last GPU, which is another one than the first where there are several.
double broadcast(int count) {
  const auto tensors = on_gpus(count);
  const int root = count - 1;
  Communicators(count).together([&](int index, Communicator communicator) {
    const auto& values = tensors[static_cast<std::size_t>(index)];
    call("ncclBroadcast", read_from(values), values.data_ptr(), std::size_t{k_count}, k_float32, root, communicator,
         k_default_stream);
  });
  return values_that_differ(tensors, own_values(root));
}

/// Every GPU gets its own part of the sum.
double reduce_scatter(int count) {
  const auto tensors = on_gpus(count);
  const auto part = k_count / count;
  std::vector<at::Tensor> parts;
  for (int index = 0; index < count; ++index)
    parts.push_back(at::zeros({part}, tensors[0].options().device(gpu(index))));
  Communicators(count).together([&](int index, Communicator communicator) {
    const auto place = static_cast<std::size_t>(index);
    call("ncclReduceScatter", read_from(tensors[place]), parts[place].data_ptr(), static_cast<std::size_t>(part),
         k_float32, k_sum, communicator, k_default_stream);
  });
  const auto sum = sum_of(count);
  double differing = 0;
  for (int index = 0; index < count; ++index) {
    differing += values_that_differ({parts[static_cast<std::size_t>(index)]},
                                    sum.slice(0, index * part, (index + 1) * part));
  }
  return differing;
}

/// Every GPU gets the values of all, one after the other.
double all_gather(int count) {
  const auto tensors = on_gpus(count);
  std::vector<at::Tensor> all;
  for (int index = 0; index < count; ++index)
    all.push_back(at::zeros({count * k_count}, tensors[0].options().device(gpu(index))));
  Communicators(count).together([&](int index, Communicator communicator) {
    const auto place = static_cast<std::size_t>(index);
    call("ncclAllGather", read_from(tensors[place]), all[place].data_ptr(), std::size_t{k_count}, k_float32,
         communicator, k_default_stream);
  });
  double differing = 0;
  for (int index = 0; index < count; ++index) {
    for (const auto& gathered : all) {
      const auto part = gathered.slice(0, index * k_count, (index + 1) * k_count);
      differing += values_that_differ({part}, own_values(index));
    }
  }
  return differing;
}

/// Data-parallel training in one process: every GPU has the same weights and its share of the batch, and NCCL adds
/// the gradients up. All GPUs must then have the same bits, and the gradient of the whole batch.
Outcome data_parallel(int count, const Context& context) {
  constexpr std::int64_t rows = 16, width = 64;
  Random random(context.seed);
  const auto weights = tensor_of(random.normals(width), {width}, at::kDouble, Device::cpu);
  const auto inputs =
      tensor_of(random.normals(count * rows * width), {count * rows, width}, at::kDouble, Device::cpu);
  const auto gradient_of = [](const at::Tensor& x, const at::Tensor& w) {
    const auto leaf = w.detach().clone().requires_grad_();
    x.matmul(leaf).tanh().square().sum().backward();
    return leaf.grad();
  };
  std::vector<at::Tensor> gradients;
  for (int index = 0; index < count; ++index) {
    const auto share = inputs.slice(0, index * rows, (index + 1) * rows).to(at::kFloat).to(gpu(index));
    gradients.push_back(gradient_of(share, weights.to(at::kFloat).to(gpu(index))));
  }
  Communicators(count).together([&](int index, Communicator communicator) {
    const auto& values = gradients[static_cast<std::size_t>(index)];
    call("ncclAllReduce", read_from(values), values.data_ptr(), static_cast<std::size_t>(width), k_float32, k_sum,
         communicator, k_default_stream);
  });
  const auto first = gradients[0].to(at::kCPU);
  for (const auto& gradient : gradients)
    if (!gradient.to(at::kCPU).equal(first)) return Failure{"the GPUs have different gradients", Fault::image, {}};
  return Measurement{
      relative_error(numbers_of(first, Device::cpu), numbers_of(gradient_of(inputs, weights), Device::cpu)),
      {},
      {}};
}

/// NCCL itself, as far as one GPU can tell.
Outcome over_one_gpu(const Context&) {
  Measurement measurement;
  double differing = 0;
  const std::pair<const char*, double (*)(int)> collectives[] = {
      {"all-reduce", all_reduce}, {"broadcast", broadcast}, {"reduce-scatter", reduce_scatter}};
  for (const auto& [name, collective] : collectives) {
    const double wrong = collective(1);
    differing += wrong;
    measurement.details.push_back({name, wrong});
  }
  measurement.value = differing;
  return measurement;
}

TestFunction over_all_gpus(double (*collective)(int)) {
  return [=](const Context&) -> Outcome { return Measurement{collective(gpu_count()), {}, {}}; };
}

}  // namespace

/// torch packs the version as major << 32 | minor << 16 | patch.
std::string nccl_compiled() {
  const auto code = torch::cuda::nccl::version();
  const auto part = [&](int shift) { return std::to_string(code >> shift & 0xffff); };
  return code == 0 ? std::string() : part(32) + "." + part(16) + "." + part(0);
}

Registry collective_tests() {
  return {{"gpu.nccl", over_one_gpu},
          {"multi-gpu.devices", devices},
          {"multi-gpu.copies", copies},
          {"multi-gpu.all_reduce", over_all_gpus(all_reduce)},
          {"multi-gpu.broadcast", over_all_gpus(broadcast)},
          {"multi-gpu.reduce_scatter", over_all_gpus(reduce_scatter)},
          {"multi-gpu.all_gather", over_all_gpus(all_gather)},
          {"multi-gpu.data_parallel", [](const Context& context) { return data_parallel(gpu_count(), context); }}};
}

}  // namespace torchkiln::verifier
