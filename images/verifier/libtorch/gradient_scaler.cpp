#include "libtorch/gradient_scaler.hpp"

#include <ATen/ops/_amp_foreach_non_finite_check_and_unscale.h>
#include <ATen/ops/_amp_update_scale.h>
#include <ATen/ops/full.h>
#include <ATen/ops/zeros.h>
#include <torch/version.h>

namespace torchkiln::verifier {
namespace {

constexpr double k_growth_factor = 2;
constexpr double k_backoff_factor = 0.5;

at::TensorOptions options(at::ScalarType type, at::Device place) {
  return at::TensorOptions().dtype(type).device(place);
}

/// Before torch 2.3 the kernels are there for GPUs only.
constexpr bool k_has_processor_kernels = TORCH_VERSION_MAJOR > 2 || TORCH_VERSION_MINOR >= 3;

}  // namespace

GradientScaler::GradientScaler(double scale, std::int64_t growth_interval, at::Device place)
    : m_growth_interval(growth_interval),
      m_scale(at::full({}, scale, options(at::kFloat, place))),
      m_growth_tracker(at::zeros({}, options(at::kInt, place))),
      m_found_infinity(at::zeros({}, options(at::kFloat, place))) {}

GradientScaler::Gradients GradientScaler::unscale(std::vector<at::Tensor> gradients) {
  m_found_infinity.zero_();
  const auto inverse = m_scale.reciprocal();
  if (k_has_processor_kernels || m_scale.is_cuda()) {
    at::_amp_foreach_non_finite_check_and_unscale_(gradients, m_found_infinity, inverse);
  } else {
    for (auto& gradient : gradients) {
      if (!gradient.isfinite().all().item<bool>()) m_found_infinity.fill_(1);
      gradient.mul_(inverse);
    }
  }
  return m_found_infinity.item<double>() == 0 ? Gradients::finite : Gradients::overflowed;
}

void GradientScaler::update() {
  if (k_has_processor_kernels || m_scale.is_cuda()) {
    at::_amp_update_scale_(m_scale, m_growth_tracker, m_found_infinity, k_growth_factor, k_backoff_factor,
                           m_growth_interval);
    return;
  }
  const bool overflowed = m_found_infinity.item<double>() != 0;
  if (overflowed) m_scale.mul_(k_backoff_factor);
  const auto steps = overflowed ? 0 : m_growth_tracker.item<std::int64_t>() + 1;
  if (steps == m_growth_interval) m_scale.mul_(k_growth_factor);
  m_growth_tracker.fill_(steps == m_growth_interval ? 0 : steps);
}

}  // namespace torchkiln::verifier
