// Recurrent layers and attention: outputs against loops of our own, gradients against torch's own in double on the
// CPU, which level cpu compares with central differences.
#include "libtorch/random.hpp"
#include "libtorch/tensors.hpp"

#include <ATen/Context.h>
#include <ATen/ops/gru.h>
#include <ATen/ops/lstm.h>
#include <ATen/ops/scaled_dot_product_attention.h>
#include <ATen/ops/zeros.h>
#include <functional>

namespace torchkiln::verifier {
namespace {

using Tensors = std::vector<at::Tensor>;
using Layer = std::function<at::Tensor(const Tensors&)>;

constexpr RecurrentShape k_recurrent{12, 4, 24, 32};
constexpr AttentionShape k_attention{6, 40, 32};

/// The gradients of sum(output · weights) for all inputs.
Tensors gradients(const Layer& layer, const Tensors& inputs, const at::Tensor& weights) {
  Tensors leaves, found;
  for (const auto& input : inputs) leaves.push_back(input.detach().clone().requires_grad_());
  layer(leaves).backward(weights);
  for (const auto& leaf : leaves) found.push_back(leaf.grad());
  return found;
}

/// Adds the errors of the output and, as one number, of all gradients.
void compare(Errors& errors, const std::string& name, const Layer& layer, const Tensors& inputs,
             const Numbers& expected, const at::Tensor& weights, Device device) {
  errors.add(name, relative_error(numbers_of(layer(inputs), device), expected));
  Tensors exact_inputs;
  for (const auto& input : inputs) exact_inputs.push_back(input.to(at::kCPU).to(at::kDouble));
  const auto exact = gradients(layer, exact_inputs, weights.to(at::kCPU).to(at::kDouble));
  const auto computed = gradients(layer, inputs, weights);
  double worst = 0;
  for (std::size_t i = 0; i < exact.size(); ++i) {
    worst = worse(worst, relative_error(numbers_of(computed[i], device), numbers_of(exact[i], Device::cpu)));
  }
  errors.add(name + ", gradients", worst);
}

Outcome recurrent(Device device, const Context& context) {
  at::globalContext().setAllowTF32CuDNN(false);
  const auto [steps, batch, in, hidden] = k_recurrent;
  Random random(context.seed);
  const auto draw = [&](at::IntArrayRef sizes, double scale) {
    std::int64_t count = 1;
    for (const auto size : sizes) count *= size;
    auto numbers = random.normals(count);
    for (auto& number : numbers) number *= scale;
    return tensor_of(numbers, sizes, at::kFloat, device);
  };
  const auto start_of = [&, sizes = std::vector<std::int64_t>{1, batch, hidden}](const at::Tensor& like) {
    return at::zeros(sizes, like.options());
  };
  const Layer lstm = [&](const Tensors& x) {
    const auto start = start_of(x[0].detach());
    return std::get<0>(at::lstm(x[0], {start, start}, {x[1], x[2], x[3], x[4]}, true, 1, 0.0, true, false, false));
  };
  const Layer gru = [&](const Tensors& x) {
    return std::get<0>(
        at::gru(x[0], start_of(x[0].detach()), {x[1], x[2], x[3], x[4]}, true, 1, 0.0, true, false, false));
  };
  Errors errors;
  for (const std::string name : {"lstm", "gru"}) {
    const std::int64_t rows = (name == "lstm" ? 4 : 3) * hidden;
    const Tensors inputs{draw({steps, batch, in}, 1), draw({rows, in}, 0.3), draw({rows, hidden}, 0.3),
                         draw({rows}, 0.3), draw({rows}, 0.3)};
    const RecurrentWeights weights{numbers_of(inputs[1], device), numbers_of(inputs[2], device),
                                   numbers_of(inputs[3], device), numbers_of(inputs[4], device)};
    const auto reference = name == "lstm" ? reference_lstm : reference_gru;
    compare(errors, name, name == "lstm" ? lstm : gru, inputs,
            reference(numbers_of(inputs[0], device), weights, k_recurrent), draw({steps, batch, hidden}, 1),
            device);
  }
  return errors.measurement;
}

Outcome attention(Device device, at::ScalarType type, const Context& context) {
  const auto [heads, length, width] = k_attention;
  Random random(context.seed);
  const auto draw = [&, sizes = std::vector<std::int64_t>{1, heads, length, width}] {
    return tensor_of(random.normals(heads * length * width), sizes, type, device);
  };
  const Tensors inputs{draw(), draw(), draw()};
  const auto weights = draw();
  Errors errors;
  for (const auto mask : {Mask::none, Mask::causal}) {
    const Layer layer = [=](const Tensors& x) {
      return at::scaled_dot_product_attention(x[0], x[1], x[2], {}, 0.0, mask == Mask::causal);
    };
    const auto expected = reference_attention(numbers_of(inputs[0], device), numbers_of(inputs[1], device),
                                              numbers_of(inputs[2], device), k_attention, mask);
    compare(errors, mask == Mask::causal ? "causal" : "full", layer, inputs, expected, weights, device);
  }
  return errors.measurement;
}

}  // namespace

Registry sequence_tests(Device device) {
  const std::string level = level_of(device);
  const auto attention_in = [=](at::ScalarType type) -> TestFunction {
    return [=](const Context& context) { return attention(device, type, context); };
  };
  Registry tests{{level + "recurrent.fp32", [=](const Context& context) { return recurrent(device, context); }},
                 {level + "attention.fp32", attention_in(at::kFloat)},
                 {level + "attention.bf16", attention_in(at::kBFloat16)}};
  if (device == Device::cuda) tests["gpu.attention.fp16"] = attention_in(at::kHalf);
  return tests;
}

}  // namespace torchkiln::verifier
