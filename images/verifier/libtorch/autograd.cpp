// Gradients against central differences of the function itself, in double, along random directions.
#include "libtorch/random.hpp"
#include "libtorch/tensors.hpp"

#include <ATen/ops/batch_norm.h>
#include <ATen/ops/conv2d.h>
#include <ATen/ops/conv_transpose2d.h>
#include <ATen/ops/cross_entropy_loss.h>
#include <ATen/ops/gelu.h>
#include <ATen/ops/layer_norm.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/lstm_cell.h>
#include <ATen/ops/max_pool2d.h>
#include <ATen/ops/scaled_dot_product_attention.h>
#include <algorithm>
#include <c10/core/GradMode.h>
#include <cmath>

namespace torchkiln::verifier {
namespace {

using Tensors = std::vector<at::Tensor>;

struct Case {
  const char* name;
  /// Sizes of the inputs, all of which are differentiated.
  std::vector<std::vector<std::int64_t>> inputs;
  at::Tensor (*function)(const Tensors&);
};

const Case k_cases[] = {
    {"linear, gelu",
     {{5, 7}, {4, 7}, {4}},
     [](const Tensors& x) { return at::gelu(at::linear(x[0], x[1], x[2])); }},
    {"conv2d, max_pool2d",
     {{2, 3, 8, 8}, {4, 3, 3, 3}},
     [](const Tensors& x) { return at::max_pool2d(at::conv2d(x[0], x[1], {}, 1, 1), 2); }},
    {"conv_transpose2d",
     {{2, 3, 5, 5}, {3, 4, 3, 3}},
     [](const Tensors& x) { return at::conv_transpose2d(x[0], x[1], {}, 2).tanh(); }},
    {"batch_norm",
     {{6, 3, 4, 4}, {3}, {3}},
     [](const Tensors& x) { return at::batch_norm(x[0], x[1], x[2], {}, {}, true, 0.1, 1e-5, true).sigmoid(); }},
    {"layer_norm",
     {{4, 6}, {6}, {6}},
     [](const Tensors& x) { return at::layer_norm(x[0], {6}, x[1], x[2]).exp(); }},
    {"attention",
     {{2, 5, 4}, {2, 5, 4}, {2, 5, 4}},
     [](const Tensors& x) { return at::scaled_dot_product_attention(x[0], x[1], x[2]); }},
    {"lstm cell",
     {{3, 4}, {3, 5}, {3, 5}, {20, 4}, {20, 5}},
     [](const Tensors& x) {
       return std::get<0>(at::lstm_cell(x[0], {x[1], x[2]}, x[3], x[4]));
     }},
    {"cross entropy",
     {{6, 4}},
     [](const Tensors& x) {
       return at::cross_entropy_loss(x[0], at::tensor({0, 1, 2, 3, 0, 1}, at::kLong));
     }},
};

/// |analytic - numeric| along a random direction of length 1, relative to the length of the gradient.
double gradient_error(const Case& which, Random& random) {
  Tensors inputs;
  for (const auto& sizes : which.inputs) {
    std::int64_t count = 1;
    for (const auto size : sizes) count *= size;
    inputs.push_back(tensor_of(random.normals(count), sizes, at::kDouble, Device::cpu).requires_grad_());
  }
  const auto output = which.function(inputs);
  // A fixed random weighting makes one number of the output, in which no element is forgotten.
  const auto weights = tensor_of(random.normals(output.numel()), output.sizes(), at::kDouble, Device::cpu);
  output.backward(weights);

  double gradient_square = 0;
  double direction_square = 0;
  double analytic = 0;
  Tensors directions;
  for (const auto& input : inputs) {
    const auto direction = tensor_of(random.normals(input.numel()), input.sizes(), at::kDouble, Device::cpu);
    gradient_square += input.grad().square().sum().item<double>();
    direction_square += direction.square().sum().item<double>();
    analytic += (input.grad() * direction).sum().item<double>();
    directions.push_back(direction);
  }
  const c10::NoGradGuard no_gradients;
  // The error of central differences is about step^2 + epsilon/step: least near epsilon^(1/3).
  const double length = std::sqrt(direction_square);
  const double step = 1e-5 / length;
  const auto value_at = [&](double offset) {
    Tensors moved;
    for (std::size_t i = 0; i < inputs.size(); ++i) moved.push_back(inputs[i] + offset * directions[i]);
    return (which.function(moved) * weights).sum().item<double>();
  };
  const double numeric = (value_at(step) - value_at(-step)) / (2 * step);
  return std::abs(analytic - numeric) / length / std::sqrt(gradient_square);
}

Outcome autograd(const Context& context) {
  Random random(context.seed);
  Errors errors;
  for (const auto& which : k_cases) errors.add(which.name, gradient_error(which, random));
  return errors.measurement;
}

}  // namespace

Registry autograd_tests() {
  return {{"cpu.autograd", autograd}};
}

}  // namespace torchkiln::verifier
