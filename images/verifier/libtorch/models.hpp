// Small networks of the kinds that people train, each with something to learn from generated data and a control in
// which there is nothing to learn. Torch stays behind this header.
#pragma once

#include "libtorch/tests.hpp"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace torchkiln::verifier {

/// What is learned from: the data, or data from which what there was to learn has been taken.
enum class Signal { present, absent };

struct ModelSetting {
  Device device = Device::cpu;
  Signal signal = Signal::present;
  std::uint64_t seed = 1;
};

class Model {
 public:
  virtual ~Model() = default;

  /// Trains on the next batch; its loss before the step.
  virtual double step() = 0;

  /// The loss that counts, on data that is never trained on and from which nothing has been taken.
  virtual double held_out_loss() = 0;

  /// Gradient values that were not finite and tensors that were not on the device, in all steps so far.
  double values_not_finite() const { return m_values_not_finite; }
  double tensors_elsewhere() const { return m_tensors_elsewhere; }

 protected:
  double m_values_not_finite = 0;
  double m_tensors_elsewhere = 0;
};

struct ModelKind {
  std::string name;
  int steps;
  /// The held-out loss of a model that knows nothing: the most that a control is credited with.
  double ignorant_loss;
  std::unique_ptr<Model> (*make)(const ModelSetting&);
};

/// resnet, dcgan, diffusion, conditional.
const std::vector<ModelKind>& model_kinds();

}  // namespace torchkiln::verifier
