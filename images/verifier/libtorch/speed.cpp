// How fast the GPU is with this image: recorded, and compared by torchkiln with what such a GPU does elsewhere. The
// limits here only tell a GPU that computes from one that does not.
#include "libtorch/autocast.hpp"
#include "libtorch/tensors.hpp"

#include <ATen/Context.h>
#include <ATen/ops/conv2d.h>
#include <ATen/ops/cross_entropy_loss.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/randint.h>
#include <ATen/ops/randn.h>
#include <algorithm>
#include <chrono>
#include <functional>
#include <optional>
#include <torch/cuda.h>

namespace torchkiln::verifier {
namespace {

at::TensorOptions on_gpu(at::ScalarType type) {
  return at::TensorOptions().dtype(type).device(place_of(Device::cuda));
}

/// The shortest of several timings of `count` runs, after some that warm up: clocks, caches, choices of algorithms.
double seconds_of(int count, const std::function<void()>& run) {
  constexpr int k_timings = 5;
  using Clock = std::chrono::steady_clock;
  double best = 0;
  for (int timing = -1; timing < k_timings; ++timing) {
    torch::cuda::synchronize(0);
    const auto begin = Clock::now();
    for (int i = 0; i < count; ++i) run();
    torch::cuda::synchronize(0);
    const double seconds = std::chrono::duration<double>(Clock::now() - begin).count();
    if (timing == 0 || (timing > 0 && seconds < best)) best = seconds;
  }
  return best / count;
}

Outcome matmul(at::ScalarType type, const char* float32_precision) {
  constexpr std::int64_t size = 4096;
  at::globalContext().setFloat32MatmulPrecision(float32_precision);
  const auto a = at::randn({size, size}, on_gpu(type));
  const auto b = at::randn({size, size}, on_gpu(type));
  const double seconds = seconds_of(10, [&] { a.matmul(b); });
  at::globalContext().setFloat32MatmulPrecision("highest");
  return Measurement{2.0 * size * size * size / seconds / 1e12, {{"size", static_cast<double>(size)}}, {}};
}

constexpr std::int64_t k_copied_bytes = 256 << 20;

Outcome copies_on_device(const Context&) {
  const auto from = at::empty({k_copied_bytes}, on_gpu(at::kByte)).fill_(1);
  const auto to = at::empty_like(from);
  const double seconds = seconds_of(10, [&] { to.copy_(from); });
  return Measurement{2.0 * k_copied_bytes / seconds / 1e9, {{"counted", "read and written"}}, {}};
}

Outcome copies_from_host(const Context&) {
  const auto from = at::empty({k_copied_bytes}, at::TensorOptions().dtype(at::kByte).pinned_memory(true)).fill_(1);
  const auto to = at::empty({k_copied_bytes}, on_gpu(at::kByte));
  const double seconds = seconds_of(4, [&] { to.copy_(from, /*non_blocking=*/true); });
  return Measurement{k_copied_bytes / seconds / 1e9, {}, {}};
}

/// Forward and backward of a stack of convolutions wide enough for tensor cores, the shape of a ResNet's middle.
class Training {
 public:
  static constexpr std::int64_t k_batch = 64;

  Training() : m_images(at::randn({k_batch, 64, 56, 56}, on_gpu(at::kFloat))) {
    m_labels = at::randint(0, 64, {k_batch}, on_gpu(at::kLong));
    for (int layer = 0; layer < 8; ++layer)
      m_weights.push_back((at::randn({64, 64, 3, 3}, on_gpu(at::kFloat)) / 24).requires_grad_());
  }

  void step() {
    auto x = m_images;
    for (const auto& weight : m_weights) x = at::conv2d(x, weight, {}, 1, 1).relu();
    at::cross_entropy_loss(x.mean({2, 3}), m_labels).backward();
    for (auto& weight : m_weights) weight.mutable_grad().reset();
  }

 private:
  at::Tensor m_images, m_labels;
  std::vector<at::Tensor> m_weights;
};

double images_per_second(std::optional<at::ScalarType> autocast_type) {
  at::globalContext().setDeterministicAlgorithms(false, /*warn_only=*/false);
  at::globalContext().setDeterministicCuDNN(false);
  at::globalContext().setBenchmarkCuDNN(true);
  Training training;
  const double seconds = seconds_of(5, [&] {
    std::optional<Autocast> autocast;
    if (autocast_type) autocast.emplace(Device::cuda, *autocast_type);
    training.step();
  });
  at::globalContext().setBenchmarkCuDNN(false);
  return Training::k_batch / seconds;
}

Outcome mixed_precision(const Context&) {
  const double full = images_per_second(std::nullopt);
  const double mixed = images_per_second(at::kHalf);
  return Measurement{mixed / full, {{"images/s in float32", full}, {"images/s in float16", mixed}}, {}};
}

}  // namespace

Registry speed_tests() {
  return {{"gpu.speed.matmul.fp32", [](const Context&) { return matmul(at::kFloat, "highest"); }},
          {"gpu.speed.matmul.tf32", [](const Context&) { return matmul(at::kFloat, "high"); }},
          {"gpu.speed.matmul.fp16", [](const Context&) { return matmul(at::kHalf, "highest"); }},
          {"gpu.speed.copy.device", copies_on_device},
          {"gpu.speed.copy.host", copies_from_host},
          {"gpu.speed.training",
           [](const Context&) -> Outcome {
             return Measurement{images_per_second(std::nullopt), {}, {}};
           }},
          {"gpu.speed.amp", mixed_precision}};
}

}  // namespace torchkiln::verifier
