// Operations whose fast versions add up in any order: under deterministic algorithms two runs must agree in every
// bit.
#include "libtorch/random.hpp"
#include "libtorch/tensors.hpp"

#include <ATen/Context.h>
#include <ATen/ops/bmm.h>
#include <ATen/ops/embedding.h>
#include <ATen/ops/index_add.h>
#include <ATen/ops/index_put.h>
#include <ATen/ops/zeros.h>
#include <functional>

namespace torchkiln::verifier {
namespace {

constexpr std::int64_t k_rows = 4096;  // added to
constexpr std::int64_t k_places = 37;  // so few places that every one gets many
constexpr std::int64_t k_width = 24;
constexpr int k_runs = 3;

/// Puts torch's default back at the end.
class DeterministicAlgorithms {
 public:
  DeterministicAlgorithms() { at::globalContext().setDeterministicAlgorithms(true, /*warn_only=*/false); }
  ~DeterministicAlgorithms() { at::globalContext().setDeterministicAlgorithms(false, /*warn_only=*/false); }
  DeterministicAlgorithms(const DeterministicAlgorithms&) = delete;
  DeterministicAlgorithms& operator=(const DeterministicAlgorithms&) = delete;
};

struct Operation {
  const char* name;
  std::function<at::Tensor()> run;
};

Outcome deterministic(Device device, const Context& context) {
  const DeterministicAlgorithms on;
  Random random(context.seed);
  std::vector<std::int64_t> drawn;
  for (std::int64_t i = 0; i < k_rows; ++i) drawn.push_back(random.below(k_places));
  const auto places = at::tensor(drawn, at::kLong).to(place_of(device));
  const auto numbers = random.normals(k_rows * k_width);
  const auto values = tensor_of(numbers, {k_rows, k_width}, at::kFloat, device);
  const auto nothing = at::zeros({k_places, k_width}, values.options());
  const auto batches = values.reshape({8, k_rows / 8, k_width});
  const Operation operations[] = {
      {"index_add", [&] { return nothing.index_add(0, places, values); }},
      {"index_put", [&] { return at::index_put(nothing, {places}, values, /*accumulate=*/true); }},
      {"the gradient of an embedding",
       [&] {
         const auto table = nothing.clone().requires_grad_();
         at::embedding(table, places).backward(values);
         return table.grad();
       }},
      {"bmm", [&] { return at::bmm(batches.transpose(1, 2), batches); }},
  };
  Numbers sums(static_cast<std::size_t>(k_places * k_width), 0.0);
  const auto rounded = numbers_of(values, device);
  for (std::size_t i = 0; i < rounded.size(); ++i) {
    const auto row = static_cast<std::size_t>(drawn[i / k_width]);
    sums[row * k_width + i % k_width] += rounded[i];
  }
  Measurement measurement;
  double differing = 0;
  for (const auto& [name, run] : operations) {
    const auto first = run();
    // The first three add up the same; agreeing on something wrong is no determinism.
    if (first.numel() == nothing.numel() && relative_error(numbers_of(first, device), sums) > 1e-5)
      return Failure{std::string(name) + " gives wrong sums", Fault::image, {}};
    double other = 0;
    for (int i = 1; i < k_runs; ++i) other += run().ne(first).sum().item<double>();
    differing += other;
    measurement.details.push_back({name, other});
  }
  measurement.value = differing;
  return measurement;
}

}  // namespace

Registry determinism_tests(Device device) {
  return {
      {level_of(device) + "deterministic", [=](const Context& context) { return deterministic(device, context); }}};
}

}  // namespace torchkiln::verifier
