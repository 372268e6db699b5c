#include "libtorch/models.hpp"

#include "libtorch/deterministic.hpp"
#include "libtorch/random.hpp"
#include "libtorch/tensors.hpp"

#include <ATen/Context.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/binary_cross_entropy_with_logits.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/cross_entropy_loss.h>
#include <ATen/ops/full_like.h>
#include <ATen/ops/leaky_relu.h>
#include <ATen/ops/mse_loss.h>
#include <ATen/ops/zeros_like.h>
#include <c10/core/GradMode.h>
#include <cmath>
#include <torch/nn/modules/batchnorm.h>
#include <torch/nn/modules/conv.h>
#include <torch/nn/modules/linear.h>
#include <torch/optim/adam.h>

namespace torchkiln::verifier {
namespace {

using torch::nn::BatchNorm2d;
using torch::nn::Conv2d;
using torch::nn::Conv2dOptions;
using torch::nn::ConvTranspose2d;
using torch::nn::ConvTranspose2dOptions;
using torch::nn::Linear;

constexpr std::int64_t k_side = 16;
constexpr std::int64_t k_batch = 32;
constexpr std::int64_t k_held_out = 256;
constexpr std::int64_t k_classes = 8;

/// What all of these share: random numbers that are the same on every device, and the bookkeeping of a step.
class Base : public Model {
 protected:
  explicit Base(const ModelSetting& setting)
      : m_place(place_of(setting.device)),
        m_device(setting.device),
        m_signal(setting.signal),
        m_random(setting.seed) {
    make_deterministic();
    at::manual_seed(setting.seed);
  }

  at::Tensor normal(at::IntArrayRef sizes) {
    std::int64_t count = 1;
    for (const auto size : sizes) count *= size;
    return tensor_of(m_random.normals(count), sizes, at::kFloat, m_device);
  }

  /// In [0, limit).
  at::Tensor below(std::int64_t limit, std::int64_t count) {
    std::vector<std::int64_t> drawn;
    for (std::int64_t i = 0; i < count; ++i) drawn.push_back(m_random.below(limit));
    return at::tensor(drawn, at::kLong).to(m_place);
  }

  /// Steps and counts what must not be. The loss is what it was before.
  double descend(torch::optim::Adam& optimiser, const at::Tensor& loss) {
    optimiser.zero_grad();
    loss.backward();
    if (loss.device() != m_place) ++m_tensors_elsewhere;
    for (const auto& group : optimiser.param_groups()) {
      for (const auto& parameter : group.params()) {
        if (parameter.device() != m_place) ++m_tensors_elsewhere;
        if (!parameter.grad().defined()) continue;  // of a branch that no sample of this batch took
        m_values_not_finite += parameter.grad().isfinite().logical_not().sum().item<double>();
      }
    }
    optimiser.step();
    return loss.item<double>();
  }

  at::Device m_place;
  Device m_device;
  Signal m_signal;
  Random m_random;
};

torch::optim::AdamOptions adam(double learning_rate) {
  return torch::optim::AdamOptions(learning_rate);
}

/// Adds what two convolutions make of its input to the input itself.
struct ResidualBlock : torch::nn::Module {
  ResidualBlock(std::int64_t in, std::int64_t out, std::int64_t stride) {
    first = register_module("first", Conv2d(Conv2dOptions(in, out, 3).stride(stride).padding(1).bias(false)));
    first_norm = register_module("first_norm", BatchNorm2d(out));
    second = register_module("second", Conv2d(Conv2dOptions(out, out, 3).padding(1).bias(false)));
    second_norm = register_module("second_norm", BatchNorm2d(out));
    if (in != out || stride != 1)
      shortcut = register_module("shortcut", Conv2d(Conv2dOptions(in, out, 1).stride(stride).bias(false)));
  }

  at::Tensor forward(const at::Tensor& x) {
    const auto inner = second_norm->forward(second->forward(at::relu(first_norm->forward(first->forward(x)))));
    return at::relu(inner + (shortcut.is_empty() ? x : shortcut->forward(x)));
  }

  Conv2d first = nullptr, second = nullptr, shortcut = nullptr;
  BatchNorm2d first_norm = nullptr, second_norm = nullptr;
};

struct ResNet : torch::nn::Module {
  ResNet() {
    stem = register_module("stem", Conv2d(Conv2dOptions(3, 16, 3).stride(2).padding(1)));
    first = register_module("first", std::make_shared<ResidualBlock>(16, 16, 1));
    second = register_module("second", std::make_shared<ResidualBlock>(16, 32, 2));
    last = register_module("last", Linear(32, k_classes));
  }

  at::Tensor forward(const at::Tensor& images) {
    return last->forward(second->forward(first->forward(at::relu(stem->forward(images)))).mean({2, 3}));
  }

  Conv2d stem = nullptr;
  std::shared_ptr<ResidualBlock> first, second;
  Linear last = nullptr;
};

/// Tells noisy pictures of three colours, 32 pixels a side as CIFAR's are, apart. The control's labels are drawn.
class ResNetTraining : public Base {
 public:
  explicit ResNetTraining(const ModelSetting& setting)
      : Base(setting), m_network(std::make_shared<ResNet>()), m_optimiser(m_network->parameters(), adam(4e-3)) {
    m_network->to(m_place);
    m_patterns = normal({k_classes, 3, 2 * k_side, 2 * k_side});
  }

  double step() override {
    m_network->train();
    const auto [images, labels] = draw(k_batch);
    const auto shown = m_signal == Signal::present ? labels : below(k_classes, k_batch);
    return descend(m_optimiser, at::cross_entropy_loss(m_network->forward(images), shown));
  }

  double held_out_loss() override {
    const c10::NoGradGuard no_gradients;
    m_network->eval();
    const auto [images, labels] = draw(k_held_out);
    return at::cross_entropy_loss(m_network->forward(images), labels).item<double>();
  }

 private:
  std::pair<at::Tensor, at::Tensor> draw(std::int64_t count) {
    const auto labels = below(k_classes, count);
    return {m_patterns.index_select(0, labels) + normal({count, 3, 2 * k_side, 2 * k_side}), labels};
  }

  std::shared_ptr<ResNet> m_network;
  torch::optim::Adam m_optimiser;
  at::Tensor m_patterns;
};

struct Generator : torch::nn::Module {
  static constexpr std::int64_t k_noise = 16;

  Generator() {
    const auto up = [](std::int64_t in, std::int64_t out) {
      return ConvTranspose2d(ConvTranspose2dOptions(in, out, 4).stride(2).padding(1));
    };
    first = register_module("first", Linear(k_noise, 32 * 4 * 4));
    second = register_module("second", up(32, 16));
    norm = register_module("norm", BatchNorm2d(16));
    third = register_module("third", up(16, 1));
  }

  at::Tensor forward(const at::Tensor& noise) {
    const auto x = at::relu(first->forward(noise)).reshape({-1, 32, 4, 4});
    return third->forward(at::relu(norm->forward(second->forward(x)))).tanh();
  }

  Linear first = nullptr;
  ConvTranspose2d second = nullptr, third = nullptr;
  BatchNorm2d norm = nullptr;
};

struct Discriminator : torch::nn::Module {
  Discriminator() {
    first = register_module("first", Conv2d(Conv2dOptions(1, 16, 4).stride(2).padding(1)));
    second = register_module("second", Conv2d(Conv2dOptions(16, 32, 4).stride(2).padding(1)));
    last = register_module("last", Linear(32 * 4 * 4, 1));
  }

  at::Tensor forward(const at::Tensor& images) {
    const auto x = at::leaky_relu(second->forward(at::leaky_relu(first->forward(images), 0.2)), 0.2);
    return last->forward(x.flatten(1)).squeeze(1);
  }

  Conv2d first = nullptr, second = nullptr;
  Linear last = nullptr;
};

/// Two networks against each other (Radford et al., 2015). What counts is how far the mean of the generated
/// pictures is from that of the real ones, relative to a generator that draws nothing; the control's discriminator
/// is told nothing about which picture is real.
class DcganTraining : public Base {
 public:
  explicit DcganTraining(const ModelSetting& setting)
      : Base(setting),
        m_generator(std::make_shared<Generator>()),
        m_discriminator(std::make_shared<Discriminator>()),
        m_generator_optimiser(m_generator->parameters(), adam(2e-3).betas({0.5, 0.999})),
        m_discriminator_optimiser(m_discriminator->parameters(), adam(2e-3).betas({0.5, 0.999})) {
    m_generator->to(m_place);
    m_discriminator->to(m_place);
    m_pattern = 0.8 * normal({1, 1, k_side / 4, k_side / 4}).sign().repeat_interleave(4, 2).repeat_interleave(4, 3);
  }

  double step() override {
    m_generator->train();
    const auto real = m_pattern + 0.1 * normal({k_batch, 1, k_side, k_side});
    const auto made = m_generator->forward(normal({k_batch, Generator::k_noise}));
    const auto images = at::cat({real, made.detach()});
    auto is_real =
        at::cat({at::full_like(real.select(1, 0).mean({1, 2}), 1), at::zeros_like(made.select(1, 0).mean({1, 2}))});
    if (m_signal == Signal::absent) is_real = below(2, 2 * k_batch).to(at::kFloat);
    const auto judged = m_discriminator->forward(images);
    const double loss = descend(m_discriminator_optimiser, at::binary_cross_entropy_with_logits(judged, is_real));
    const auto fooled = m_discriminator->forward(made);
    return loss +
           descend(m_generator_optimiser, at::binary_cross_entropy_with_logits(fooled, at::full_like(fooled, 1)));
  }

  double held_out_loss() override {
    const c10::NoGradGuard no_gradients;
    m_generator->eval();
    const auto made = m_generator->forward(normal({k_held_out, Generator::k_noise})).mean(0, true);
    return ((made - m_pattern).square().sum() / m_pattern.square().sum()).sqrt().item<double>();
  }

 private:
  std::shared_ptr<Generator> m_generator;
  std::shared_ptr<Discriminator> m_discriminator;
  torch::optim::Adam m_generator_optimiser, m_discriminator_optimiser;
  at::Tensor m_pattern;
};

/// Down, up and across, with the time of every picture added inside.
struct UNet : torch::nn::Module {
  static constexpr std::int64_t k_frequencies = 8;

  UNet() {
    const auto conv = [](std::int64_t in, std::int64_t out, std::int64_t stride) {
      return Conv2d(Conv2dOptions(in, out, 3).stride(stride).padding(1));
    };
    in = register_module("in", conv(1, 16, 1));
    down = register_module("down", conv(16, 32, 2));
    time = register_module("time", Linear(2 * k_frequencies, 32));
    middle = register_module("middle", conv(32, 32, 1));
    up = register_module("up", ConvTranspose2d(ConvTranspose2dOptions(32, 16, 4).stride(2).padding(1)));
    out = register_module("out", conv(32, 1, 1));
  }

  /// `times` are in [0, 1].
  at::Tensor forward(const at::Tensor& images, const at::Tensor& times) {
    const auto frequencies = at::arange(k_frequencies, times.options()).exp2();
    const auto angles = times.unsqueeze(1) * frequencies.unsqueeze(0) * std::numbers::pi;
    const auto embedded = time->forward(at::cat({angles.sin(), angles.cos()}, 1));
    const auto wide = at::relu(in->forward(images));
    const auto deep = at::relu(down->forward(wide) + embedded.unsqueeze(2).unsqueeze(3));
    const auto back = at::relu(up->forward(at::relu(middle->forward(deep))));
    return out->forward(at::cat({wide, back}, 1));
  }

  Conv2d in = nullptr, down = nullptr, middle = nullptr, out = nullptr;
  ConvTranspose2d up = nullptr;
  Linear time = nullptr;
};

/// Predicts the noise in pictures between picture and noise (Ho et al., 2020). Who predicts zero has the loss 1,
/// the variance of the noise. The control is asked for noise that is not the picture's.
class DiffusionTraining : public Base {
 public:
  explicit DiffusionTraining(const ModelSetting& setting)
      : Base(setting), m_network(std::make_shared<UNet>()), m_optimiser(m_network->parameters(), adam(4e-3)) {
    m_network->to(m_place);
    m_patterns = normal({k_classes, 1, k_side, k_side});
  }

  double step() override { return descend(m_optimiser, loss(k_batch, m_signal)); }

  double held_out_loss() override {
    const c10::NoGradGuard no_gradients;
    return loss(k_held_out, Signal::present).item<double>();
  }

 private:
  at::Tensor loss(std::int64_t count, Signal signal) {
    constexpr std::int64_t k_times = 16;
    const auto times = (below(k_times, count).to(at::kFloat) + 1) / k_times;
    // The cosine schedule: picture · cos + noise · sin keeps the variance.
    const auto angle = (times * std::numbers::pi / 2).reshape({count, 1, 1, 1});
    const auto noise = normal({count, 1, k_side, k_side});
    const auto images = m_patterns.index_select(0, below(k_classes, count)) * angle.cos() + noise * angle.sin();
    const auto wanted = signal == Signal::present ? noise : normal(noise.sizes());
    return at::mse_loss(m_network->forward(images, times), wanted);
  }

  std::shared_ptr<UNet> m_network;
  torch::optim::Adam m_optimiser;
  at::Tensor m_patterns;
};

/// Its data decide which way they go: every sample names an expert, and how often it passes it.
struct Experts : torch::nn::Module {
  static constexpr std::int64_t k_experts = 3;
  static constexpr std::int64_t k_width = 32;

  Experts() {
    in = register_module("in", Linear(k_width, k_width));
    for (std::int64_t i = 0; i < k_experts; ++i)
      experts.push_back(register_module("expert" + std::to_string(i), Linear(k_width, k_width)));
    last = register_module("last", Linear(k_width, k_classes));
  }

  at::Tensor forward(const at::Tensor& samples, const at::Tensor& kinds) {
    const auto x = in->forward(samples).tanh();
    auto y = at::zeros_like(x);
    for (std::int64_t kind = 0; kind < k_experts; ++kind) {
      const auto rows = kinds.eq(kind).nonzero().squeeze(1);  // as many as there are: a shape that the data decide
      if (rows.numel() == 0) continue;
      auto taken = x.index_select(0, rows);
      for (std::int64_t pass = 0; pass <= kind; ++pass)
        taken = taken + experts[static_cast<std::size_t>(kind)]->forward(taken).tanh();
      y = y.index_add(0, rows, taken);
    }
    return last->forward(y);
  }

  Linear in = nullptr, last = nullptr;
  std::vector<Linear> experts;
};

/// The same samples have another label under every kind. The control's kinds are drawn.
class ConditionalTraining : public Base {
 public:
  explicit ConditionalTraining(const ModelSetting& setting)
      : Base(setting), m_network(std::make_shared<Experts>()), m_optimiser(m_network->parameters(), adam(1e-2)) {
    m_network->to(m_place);
    m_patterns = normal({k_classes, Experts::k_width});
  }

  double step() override { return descend(m_optimiser, loss(2 * k_batch, m_signal)); }

  double held_out_loss() override {
    const c10::NoGradGuard no_gradients;
    return loss(k_held_out, Signal::present).item<double>();
  }

 private:
  at::Tensor loss(std::int64_t count, Signal signal) {
    const auto classes = below(k_classes, count);
    const auto kinds = below(Experts::k_experts, count);
    const auto samples = m_patterns.index_select(0, classes) + 0.5 * normal({count, Experts::k_width});
    const auto labels = (classes * (2 * kinds + 1) + kinds).remainder(k_classes);
    const auto shown = signal == Signal::present ? labels : below(k_classes, count);
    return at::cross_entropy_loss(m_network->forward(samples, kinds), shown);
  }

  std::shared_ptr<Experts> m_network;
  torch::optim::Adam m_optimiser;
  at::Tensor m_patterns;
};

template <typename Training>
std::unique_ptr<Model> make(const ModelSetting& setting) {
  return std::make_unique<Training>(setting);
}

}  // namespace

const std::vector<ModelKind>& model_kinds() {
  static const double chance = std::log(static_cast<double>(k_classes));
  static const std::vector<ModelKind> kinds{{"resnet", 30, chance, make<ResNetTraining>},
                                            {"dcgan", 80, 1, make<DcganTraining>},
                                            {"diffusion", 60, 1, make<DiffusionTraining>},
                                            {"conditional", 80, chance, make<ConditionalTraining>}};
  return kinds;
}

}  // namespace torchkiln::verifier
