// LibTorch has no torch.amp.GradScaler, but its two kernels are public operators: this is the class on top of them.
#pragma once

#include <ATen/TensorOperators.h>
#include <ATen/core/Tensor.h>
#include <vector>

namespace torchkiln::verifier {

/// Scales the loss up so that float16 gradients do not vanish; a step whose gradients overflow is left out and
/// halves the scale, and `growth_interval` good steps in a row double it.
class GradientScaler {
 public:
  GradientScaler(double scale, std::int64_t growth_interval, at::Device place);

  at::Tensor scaled(const at::Tensor& loss) const { return loss * m_scale; }

  enum class Gradients { finite, overflowed };
  /// Divides the gradients by the scale, in place.
  Gradients unscale(std::vector<at::Tensor> gradients);

  /// After each step, made or left out.
  void update();

  double scale() const { return m_scale.item<double>(); }

 private:
  std::int64_t m_growth_interval;
  at::Tensor m_scale, m_growth_tracker, m_found_infinity;
};

}  // namespace torchkiln::verifier
