// Between the oracle's plain numbers and tensors.
#pragma once

#include "libtorch/tests.hpp"

// Not <ATen/ATen.h>: parsing every operator's header takes longer than all that the includer does with some.
#include <ATen/TensorOperators.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/tensor.h>
#include <stdexcept>
#include <vector>

namespace torchkiln::verifier {

inline at::Device place_of(Device device) {
  return device == Device::cuda ? at::Device(at::kCUDA, 0) : at::Device(at::kCPU);
}

/// The numbers rounded to `type`, on the device.
inline at::Tensor tensor_of(const Numbers& numbers, at::IntArrayRef sizes, at::ScalarType type, Device device) {
  return at::tensor(numbers, at::kDouble).reshape(sizes).to(type).to(place_of(device));
}

/// The numbers of a result, which must have been computed where it was asked for: silently falling back to the CPU
/// is a failure.
inline Numbers numbers_of(const at::Tensor& tensor, Device device) {
  if (tensor.device() != place_of(device)) {
    throw std::runtime_error("the result is on " + tensor.device().str() + ", not on " + place_of(device).str());
  }
  const auto flat = tensor.detach().to(at::kCPU).to(at::kDouble).contiguous();
  const auto* begin = flat.const_data_ptr<double>();
  return Numbers(begin, begin + flat.numel());
}

}  // namespace torchkiln::verifier
