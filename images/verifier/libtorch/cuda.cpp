// The GPUs themselves: that they are there, that this torch has kernels for them, that memory and copies are sound.
#include "libtorch/loaded.hpp"
#include "libtorch/random.hpp"
#include "libtorch/tests.hpp"

#include <ATen/core/Tensor.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/zeros.h>
#include <algorithm>
#include <c10/core/Event.h>
#include <c10/core/StreamGuard.h>
#include <c10/core/impl/VirtualGuardImpl.h>
#include <torch/cuda.h>

namespace torchkiln::verifier {
namespace {

constexpr std::int64_t k_mib = 1 << 20;
constexpr int k_attribute_compute_capability_major = 75;  // cudaDevAttrComputeCapabilityMajor

/// torch's own type for it changes from release to release.
int gpu_count() {
  return static_cast<int>(torch::cuda::device_count());
}

at::Device gpu(int index) {
  return at::Device(at::kCUDA, static_cast<c10::DeviceIndex>(index));
}

at::TensorOptions longs_on(at::Device device) {
  return at::TensorOptions().dtype(at::kLong).device(device);
}

/// torch's own count hides why there is no GPU; the runtime tells.
Outcome device(const Context&) {
  if (const auto count = gpu_count(); count > 0) return Measurement{static_cast<double>(count), {}, {}};
  int count = 0;
  const int status = required<int(int*)>("cudaGetDeviceCount")(&count);
  if (status == 0) return Measurement{0.0, {{"GPUs that CUDA sees", static_cast<double>(count)}}, {}};
  return Failure{std::string("torch sees no GPU: ") + required<const char*(int)>("cudaGetErrorString")(status) +
                     " (" + std::to_string(status) + ")",
                 Fault::host,
                 {}};
}

/// A driver of the runtime's major version or a later one runs it; one older than the runtime within the major
/// version does so without the newest features and without compiling PTX
/// (https://docs.nvidia.com/deploy/cuda-compatibility/minor-version-compatibility.html).
Outcome driver(const Context&) {
  int of_driver = 0;
  int of_runtime = 0;
  call("cudaDriverGetVersion", &of_driver);
  call("cudaRuntimeGetVersion", &of_runtime);
  const auto text = [](int code) { return std::to_string(code / 1000) + "." + std::to_string(code % 1000 / 10); };
  Measurement measurement{static_cast<double>(of_driver / 1000 - of_runtime / 1000),
                          {{"driver", text(of_driver)}, {"runtime", text(of_runtime)}},
                          {}};
  if (of_driver < of_runtime) {
    measurement.warning = "the driver is of CUDA " + text(of_driver) + ", older than the runtime's " +
                          text(of_runtime) + ": minor-version compatibility, PTX cannot be compiled";
  }
  return measurement;
}

Outcome kernels(const Context&) {
  constexpr std::int64_t count = 1000;
  Measurement measurement;
  double failing = 0;
  for (int index = 0; index < gpu_count(); ++index) {
    const auto name = "GPU " + std::to_string(index);
    try {
      const auto sum = at::arange(count, longs_on(gpu(index))).mul(2).sum().item<std::int64_t>();
      if (sum == count * (count - 1)) continue;
      measurement.details.push_back({name, "a sum is " + std::to_string(sum)});
    } catch (const c10::Error& error) {
      measurement.details.push_back({name, std::string(error.what_without_backtrace())});
    }
    ++failing;
  }
  measurement.value = failing;
  return measurement;
}

/// Writes a pattern that differs in every word to half of the free memory, 1 GiB at most, reads all of it back, and
/// does the same with its complement, so that every bit has been both.
Outcome memory(const Context& context) {
  std::size_t free_bytes = 0;
  std::size_t total_bytes = 0;
  call("cudaMemGetInfo", &free_bytes, &total_bytes);
  constexpr std::size_t k_needed_bytes = 512U << 20;
  if (free_bytes < k_needed_bytes) {
    return Failure{"only " + std::to_string(free_bytes >> 20) + " MiB of the GPU's " +
                       std::to_string(total_bytes >> 20) + " MiB are free: another process holds the rest",
                   Fault::host,
                   {}};
  }
  const auto words = std::min<std::int64_t>(static_cast<std::int64_t>(free_bytes / 2), 1024 * k_mib) / 8;
  constexpr std::int64_t k_part = 8 * k_mib;  // words: 64 MiB, so that the comparison needs little memory
  const std::int64_t odd = static_cast<std::int64_t>(context.seed) * 2 + 0x5851f42d4c957f2d;
  const auto for_each_part = [&](auto visit) {
    for (std::int64_t begin = 0; begin < words; begin += k_part) visit(begin, std::min(begin + k_part, words));
  };
  const auto pattern = [&](std::int64_t begin, std::int64_t end, at::Device where, bool complement) {
    const auto words_there = at::arange(begin, end, longs_on(where)).mul(odd);
    return complement ? words_there.bitwise_not() : words_there;
  };
  auto written = at::empty({words}, longs_on(gpu(0)));
  std::int64_t differing = 0;
  for (const bool complement : {false, true}) {
    for_each_part(
        [&](auto begin, auto end) { written.slice(0, begin, end).copy_(pattern(begin, end, gpu(0), complement)); });
    for_each_part([&](auto begin, auto end) {
      const auto read = written.slice(0, begin, end).to(at::kCPU);
      differing += read.ne(pattern(begin, end, at::kCPU, complement)).sum().template item<std::int64_t>();
    });
  }
  return Measurement{static_cast<double>(8 * differing), {{"bytes", static_cast<double>(8 * words)}}, {}};
}

Outcome copies(const Context& context) {
  constexpr std::int64_t words = 8 * k_mib;
  const auto pinned = at::TensorOptions().dtype(at::kLong).pinned_memory(true);
  auto out = at::empty({2, words}, pinned);
  auto back = at::zeros({2, words}, pinned);
  Random random(context.seed);
  auto* begin = out.data_ptr<std::int64_t>();
  for (std::int64_t i = 0; i < out.numel(); ++i) begin[i] = static_cast<std::int64_t>(random.bits());
  // Each half goes there, is changed, changed back and returns, both at once, each on a stream of its own.
  const c10::impl::VirtualGuardImpl streams(at::kCUDA);
  for (const int half : {0, 1}) {
    const c10::StreamGuard guard(streams.getStreamFromGlobalPool(gpu(0)));
    const auto there = out[half].to(gpu(0), /*non_blocking=*/true).bitwise_not().bitwise_not();
    back[half].copy_(there, /*non_blocking=*/true);
  }
  torch::cuda::synchronize(0);
  const auto differing = out.ne(back).sum().item<std::int64_t>();
  return Measurement{static_cast<double>(8 * differing), {{"bytes", static_cast<double>(16 * words)}}, {}};
}

/// A long piece of work on one stream, a second stream that waits for its event, and a third that waits for the
/// second's: without the events the later streams would read what is not there yet.
Outcome streams(const Context&) {
  constexpr std::int64_t words = 4 * k_mib;
  constexpr int k_rounds = 200;
  const auto worked = [](at::Tensor x) {
    for (int i = 0; i < k_rounds; ++i) x.mul_(3).add_(i);
    return x;
  };
  const auto expected = worked(at::arange(words, longs_on(at::kCPU))).mul(5).bitwise_not();
  const c10::impl::VirtualGuardImpl streams(at::kCUDA);
  const auto first = streams.getStreamFromGlobalPool(gpu(0));
  const auto second = streams.getStreamFromGlobalPool(gpu(0));
  const auto third = streams.getStreamFromGlobalPool(gpu(0));
  c10::Event after_first(at::kCUDA), after_second(at::kCUDA);
  at::Tensor numbers, products, result;
  {
    const c10::StreamGuard guard(first);
    numbers = worked(at::arange(words, longs_on(gpu(0))));
    after_first.record(first);
  }
  {
    const c10::StreamGuard guard(second);
    after_first.block(second);
    products = numbers.mul(5);
    after_second.record(second);
  }
  {
    const c10::StreamGuard guard(third);
    after_second.block(third);
    result = products.bitwise_not();
  }
  torch::cuda::synchronize(0);
  if (!after_first.query() || !after_second.query())
    return Failure{"an event has not happened although the GPU is idle", Fault::image, {}};
  return Measurement{result.to(at::kCPU).ne(expected).sum().item<double>(), {}, {}};
}

}  // namespace

int compute_capability_major() {
  int major = 0;
  call("cudaDeviceGetAttribute", &major, k_attribute_compute_capability_major, 0);
  return major;
}

Registry cuda_tests() {
  return {{"gpu.device", device}, {"gpu.driver", driver}, {"gpu.kernels", kernels},
          {"gpu.memory", memory}, {"gpu.copies", copies}, {"gpu.streams", streams}};
}

}  // namespace torchkiln::verifier
