// The opt-in test that keeps the devices busy for as long as was asked and compares every result with the first:
// what overheats, or has memory that forgets, shows then.
#include "libtorch/random.hpp"
#include "libtorch/tensors.hpp"

#include <ATen/Context.h>
#include <chrono>
#include <torch/cuda.h>

namespace torchkiln::verifier {
namespace {

constexpr std::int64_t k_size = 512;

/// A chain of products that uses the same numbers in every run; no two runs may differ.
at::Tensor work(const at::Tensor& a, const at::Tensor& b, int rounds) {
  auto x = a;
  for (int i = 0; i < rounds; ++i) x = x.matmul(b).tanh();
  return x;
}

Outcome soak(Device device, const Context& context) {
  using Clock = std::chrono::steady_clock;
  at::globalContext().setFloat32MatmulPrecision("highest");
  Random random(context.seed);
  const auto a = tensor_of(random.normals(k_size * k_size), {k_size, k_size}, at::kFloat, Device::cpu);
  const auto b = tensor_of(random.normals(k_size * k_size), {k_size, k_size}, at::kFloat, Device::cpu) / k_size;
  std::vector<at::Device> places{at::Device(at::kCPU)};
  if (device == Device::cuda) {
    places.clear();
    for (int index = 0; index < static_cast<int>(torch::cuda::device_count()); ++index)
      places.emplace_back(at::kCUDA, static_cast<c10::DeviceIndex>(index));
  }
  const int rounds = device == Device::cuda ? 200 : 5;
  std::vector<at::Tensor> left, right, first;
  for (const auto& place : places) {
    left.push_back(a.to(place));
    right.push_back(b.to(place));
    first.push_back(work(left.back(), right.back(), rounds));
  }
  double differing = 0, runs = 0;
  for (const auto end = Clock::now() + std::chrono::duration<double>(context.soak_s); Clock::now() < end; ++runs) {
    std::vector<at::Tensor> results;  // started on all devices before any is waited for
    for (std::size_t i = 0; i < places.size(); ++i) results.push_back(work(left[i], right[i], rounds));
    for (std::size_t i = 0; i < places.size(); ++i) differing += results[i].ne(first[i]).sum().item<double>();
  }
  if (runs == 0) return Failure{"there was no time for a single run", Fault::host, {}};
  return Measurement{differing, {{"seconds", context.soak_s}, {"runs", runs}}, {}};
}

}  // namespace

Registry soak_tests(Device device) {
  return {{level_of(device) + "soak", [=](const Context& context) { return soak(device, context); }}};
}

}  // namespace torchkiln::verifier
