// Automatic mixed precision: which operations autocast rounds and which not, and a gradient scaler that must leave
// out exactly the step that overflows.
#include "libtorch/autocast.hpp"
#include "libtorch/gradient_scaler.hpp"
#include "libtorch/random.hpp"
#include "libtorch/tensors.hpp"

#include <ATen/ops/linear.h>
#include <ATen/ops/mse_loss.h>
#include <c10/core/GradMode.h>
#include <limits>

namespace torchkiln::verifier {
namespace {

Outcome autocast(Device device, at::ScalarType type, const Context& context) {
  constexpr std::int64_t rows = 32, inner = 96, columns = 24;
  Random random(context.seed);
  // Rounded beforehand: what is measured is the computation, not the rounding of its operands.
  const auto x = tensor_of(random.normals(rows * inner), {rows, inner}, type, device).to(at::kFloat);
  auto w = tensor_of(random.normals(columns * inner), {columns, inner}, type, device).to(at::kFloat);
  w.requires_grad_();
  const auto expected = reference_matmul(numbers_of(x, device), numbers_of(w.t(), device), rows, inner, columns);
  Errors errors;
  {
    const Autocast on(device, type);
    const auto y = at::linear(x, w);
    if (y.scalar_type() != type) return Failure{"autocast does not round a linear layer", Fault::image, {}};
    const auto loss = at::mse_loss(y, y.detach() + 1);
    if (loss.scalar_type() != at::kFloat) return Failure{"autocast rounds a loss", Fault::image, {}};
    errors.add("linear", relative_error(numbers_of(y, device), expected));
    loss.backward();
  }
  if (w.grad().scalar_type() != at::kFloat) return Failure{"autocast rounds a gradient", Fault::image, {}};
  // Every term of the loss has the slope -2/count: rows of the gradient are sums over x.
  Numbers gradient;
  const auto inputs = numbers_of(x, device);
  for (std::int64_t column = 0; column < columns; ++column) {
    for (std::int64_t i = 0; i < inner; ++i) {
      double sum = 0;
      for (std::int64_t row = 0; row < rows; ++row) sum += inputs[static_cast<std::size_t>(row * inner + i)];
      gradient.push_back(-2 * sum / (rows * columns));
    }
  }
  errors.add("gradient", relative_error(numbers_of(w.grad(), device), gradient));
  if (at::linear(x, w).scalar_type() != at::kFloat) return Failure{"autocast stays on", Fault::image, {}};
  return errors.measurement;
}

/// One weight vector, trained for a few steps by a scaled loss, as a training loop with torch.amp.GradScaler does.
class ScaledTraining {
 public:
  ScaledTraining(Device device, const Context& context) : m_scaler(k_scale, k_growth_interval, place_of(device)) {
    Random random(context.seed);
    m_inputs = tensor_of(random.normals(16 * 8), {16, 8}, at::kFloat, device);
    m_weights = tensor_of(random.normals(8), {8}, at::kFloat, device);
  }

  static constexpr double k_scale = 65536;
  static constexpr std::int64_t k_growth_interval = 3;

  GradientScaler::Gradients step(double injected) {
    const auto gradient = [&](double scale_of_loss) {
      auto weights = m_weights.detach().clone().requires_grad_();
      const auto loss = (m_inputs.matmul(weights) - 1).square().mean();
      (scale_of_loss == 1 ? loss : m_scaler.scaled(loss)).backward();
      return weights.grad();
    };
    auto scaled = gradient(m_scaler.scale());
    scaled[0] += injected;
    const auto found = m_scaler.unscale({scaled});
    // A power of two scales without rounding.
    if (injected == 0 && !scaled.equal(gradient(1))) ++m_wrong_gradients;
    if (found == GradientScaler::Gradients::finite) m_weights -= 0.1 * scaled;
    m_scaler.update();
    return found;
  }

  double scale() const { return m_scaler.scale(); }
  at::Tensor weights() const { return m_weights.clone(); }
  double wrong_gradients() const { return m_wrong_gradients; }

 private:
  GradientScaler m_scaler;
  at::Tensor m_inputs, m_weights;
  double m_wrong_gradients = 0;
};

Outcome gradient_scaler(Device device, const Context& context) {
  ScaledTraining training(device, context);
  Measurement measurement;
  double wrong = 0;
  const auto expect = [&](const char* what, bool holds) {
    wrong += holds ? 0 : 1;
    measurement.details.push_back({what, holds ? "yes" : "no"});
  };
  constexpr double k_infinity = std::numeric_limits<double>::infinity();
  const auto first = training.weights();
  const auto good = training.step(0);
  const auto second = training.weights();
  expect("a good step is made", good == GradientScaler::Gradients::finite && !second.equal(first));
  const auto bad = training.step(k_infinity);
  expect("an infinite gradient is seen", bad == GradientScaler::Gradients::overflowed);
  expect("its step is left out", training.weights().equal(second));
  expect("the scale is halved", training.scale() == ScaledTraining::k_scale / 2);
  expect("a NaN is seen",
         training.step(std::numeric_limits<double>::quiet_NaN()) == GradientScaler::Gradients::overflowed);
  for (std::int64_t i = 0; i < ScaledTraining::k_growth_interval; ++i) training.step(0);
  expect("good steps in a row double it", training.scale() == ScaledTraining::k_scale / 2);
  expect("gradients are scaled back exactly", training.wrong_gradients() == 0);
  measurement.value = wrong;
  return measurement;
}

}  // namespace

Registry mixed_precision_tests(Device device) {
  const std::string level = level_of(device);
  const auto autocast_to = [=](at::ScalarType type) -> TestFunction {
    return [=](const Context& context) { return autocast(device, type, context); };
  };
  Registry tests{
      {level + "autocast.bf16", autocast_to(at::kBFloat16)},
      {level + "gradient_scaler", [=](const Context& context) { return gradient_scaler(device, context); }}};
  if (device == Device::cuda) tests["gpu.autocast.fp16"] = autocast_to(at::kHalf);
  return tests;
}

}  // namespace torchkiln::verifier
