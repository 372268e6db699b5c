// Trains a small convolutional network on generated pictures of CIFAR's shape. The picture classes are noise
// patterns, shifted and buried in more noise: a network that learns tells them apart, one that does not stays at
// chance, and one that is shown shuffled labels can only learn by heart. Torch stays behind this header.
#pragma once

#include "libtorch/tests.hpp"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace torchkiln::verifier {

class Trainer {
 public:
  enum class Labels { right, shuffled };
  struct Setting {
    Device device = Device::cpu;
    Labels labels = Labels::right;
    /// Of pictures, labels and their order.
    std::uint64_t data_seed = 1;
    /// Of the network's first weights.
    std::uint64_t weight_seed = 1;
  };
  /// Counted over all steps so far.
  struct Health {
    std::int64_t values_not_finite = 0;
    std::int64_t parameters_unmoved = 0;
    std::int64_t tensors_elsewhere = 0;  ///< not on the device that was asked for
  };

  static constexpr int k_classes = 8;
  static constexpr int k_epoch_steps = 8;

  explicit Trainer(const Setting& setting);
  ~Trainer();
  Trainer(const Trainer&) = delete;
  Trainer& operator=(const Trainer&) = delete;

  /// Trains on the next batch; its loss before the step, in nats.
  double step();

  /// Mean loss over pictures that are never trained on, with their right labels, in nats.
  double held_out_loss();

  Health health() const;

  /// Network, optimiser and position, as a file of torch::save's format.
  void save(const std::string& path);
  void load(const std::string& path);

  /// All parameters and buffers, byte for byte.
  std::vector<std::uint8_t> state() const;

 private:
  struct State;
  std::unique_ptr<State> m_state;
};

}  // namespace torchkiln::verifier
