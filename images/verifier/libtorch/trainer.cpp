#include "libtorch/trainer.hpp"

#include "libtorch/deterministic.hpp"
#include "libtorch/random.hpp"
#include "libtorch/tensors.hpp"

#include <c10/core/GradMode.h>
#include <cstring>
#include <numeric>
#include <torch/nn/modules/batchnorm.h>
#include <torch/nn/modules/conv.h>
#include <torch/nn/modules/linear.h>
#include <torch/optim/sgd.h>
#include <torch/serialize/archive.h>

namespace torchkiln::verifier {
namespace {

constexpr std::int64_t k_colours = 3;
constexpr std::int64_t k_side = 32;  // as CIFAR's pictures
constexpr std::int64_t k_batch = 64;
constexpr std::int64_t k_trained_on = k_batch * Trainer::k_epoch_steps;
constexpr std::int64_t k_held_out = 256;
constexpr double k_noise = 0.7;
constexpr double k_learning_rate = 0.05;
constexpr double k_momentum = 0.9;

struct Pictures {
  at::Tensor images;
  std::vector<std::int64_t> labels;
};

/// Each picture is its class's pattern, shifted cyclically by up to one pixel each way, plus noise.
Pictures draw(const std::vector<Numbers>& patterns, std::int64_t count, Random& random) {
  Pictures pictures;
  std::vector<float> pixels;
  pixels.reserve(static_cast<std::size_t>(count * k_colours * k_side * k_side));
  for (std::int64_t i = 0; i < count; ++i) {
    const auto label = random.below(Trainer::k_classes);
    const auto down = random.below(3) + k_side - 1;
    const auto right = random.below(3) + k_side - 1;
    for (std::int64_t row = 0; row < k_colours * k_side; ++row) {
      for (std::int64_t x = 0; x < k_side; ++x) {
        const auto y = row / k_side * k_side + (row + down) % k_side;
        const auto source = y * k_side + (x + right) % k_side;
        const double pixel = patterns[static_cast<std::size_t>(label)][static_cast<std::size_t>(source)];
        pixels.push_back(static_cast<float>(pixel + k_noise * random.normal()));
      }
    }
    pictures.labels.push_back(label);
  }
  pictures.images = at::tensor(pixels).reshape({count, k_colours, k_side, k_side});
  return pictures;
}

template <typename Element>
void shuffle(std::vector<Element>& elements, Random& random) {
  for (auto left = static_cast<std::int64_t>(elements.size()); left > 1; --left) {
    std::swap(elements[static_cast<std::size_t>(left - 1)], elements[static_cast<std::size_t>(random.below(left))]);
  }
}

/// Strides instead of pooling: the gradient of max pooling is not deterministic on a GPU.
struct Network : torch::nn::Module {
  Network() {
    using torch::nn::Conv2dOptions;
    // No bias before a normalisation that takes it away again: its gradient would be nothing but rounding.
    first = register_module("first",
                            torch::nn::Conv2d(Conv2dOptions(k_colours, 8, 3).stride(2).padding(1).bias(false)));
    norm = register_module("norm", torch::nn::BatchNorm2d(8));
    second = register_module("second", torch::nn::Conv2d(Conv2dOptions(8, 16, 3).stride(2).padding(1)));
    third = register_module("third", torch::nn::Conv2d(Conv2dOptions(16, 32, 3).stride(2).padding(1)));
    last = register_module("last", torch::nn::Linear(32 * k_side / 8 * k_side / 8, Trainer::k_classes));
  }

  at::Tensor forward(const at::Tensor& images) {
    auto x = at::relu(norm->forward(first->forward(images)));
    x = at::relu(second->forward(x));
    x = at::relu(third->forward(x));
    return last->forward(x.flatten(1));
  }

  torch::nn::Conv2d first = nullptr, second = nullptr, third = nullptr;
  torch::nn::BatchNorm2d norm = nullptr;
  torch::nn::Linear last = nullptr;
};

at::Tensor label_tensor(const std::vector<std::int64_t>& labels) {
  return at::tensor(labels, at::kLong);
}

}  // namespace

struct Trainer::State {
  explicit State(const Setting& setting)
      : place(place_of(setting.device)),
        network(make_network(setting, place)),
        optimiser(network->parameters(), torch::optim::SGDOptions(k_learning_rate).momentum(k_momentum)) {
    Random random(setting.data_seed);
    std::vector<Numbers> patterns;
    for (int label = 0; label < k_classes; ++label) patterns.push_back(random.normals(k_colours * k_side * k_side));
    auto trained_on = draw(patterns, k_trained_on, random);
    const auto held_out = draw(patterns, k_held_out, random);
    order.resize(k_trained_on);
    std::iota(order.begin(), order.end(), 0);
    shuffle(order, random);
    if (setting.labels == Labels::shuffled) shuffle(trained_on.labels, random);

    images = trained_on.images.to(place);
    labels = label_tensor(trained_on.labels).to(place);
    held_out_images = held_out.images.to(place);
    held_out_labels = label_tensor(held_out.labels).to(place);
    for (const auto& parameter : network->parameters()) first_parameters.push_back(parameter.detach().clone());
  }

  /// The first weights are drawn on the CPU, so that they are the same on every device.
  static std::shared_ptr<Network> make_network(const Setting& setting, at::Device place) {
    make_deterministic();
    at::manual_seed(setting.weight_seed);
    auto made = std::make_shared<Network>();
    made->to(place);
    return made;
  }

  void expect_here(const at::Tensor& tensor) {
    if (tensor.device() != place) ++tensors_elsewhere;
  }

  at::Device place;
  std::shared_ptr<Network> network;
  torch::optim::SGD optimiser;
  at::Tensor images, labels, held_out_images, held_out_labels;
  std::vector<std::int64_t> order;
  std::vector<at::Tensor> first_parameters;
  std::int64_t steps = 0;
  std::int64_t values_not_finite = 0;
  std::int64_t tensors_elsewhere = 0;
};

Trainer::Trainer(const Setting& setting) : m_state(std::make_unique<State>(setting)) {}

Trainer::~Trainer() = default;

double Trainer::step() {
  auto& s = *m_state;
  const auto begin = s.order.begin() + s.steps % k_epoch_steps * k_batch;
  const auto batch = label_tensor(std::vector<std::int64_t>(begin, begin + k_batch)).to(s.place);
  s.network->train();
  s.optimiser.zero_grad();
  const auto scores = s.network->forward(s.images.index_select(0, batch));
  const auto loss = at::cross_entropy_loss(scores, s.labels.index_select(0, batch));
  loss.backward();
  s.expect_here(scores);
  s.expect_here(loss);
  for (const auto& parameter : s.network->parameters()) {
    s.expect_here(parameter);
    s.expect_here(parameter.grad());
    s.values_not_finite += parameter.grad().isfinite().logical_not().sum().item<std::int64_t>();
  }
  s.optimiser.step();
  ++s.steps;
  return loss.item<double>();
}

double Trainer::held_out_loss() {
  auto& s = *m_state;
  const c10::NoGradGuard no_gradients;
  s.network->eval();
  return at::cross_entropy_loss(s.network->forward(s.held_out_images), s.held_out_labels).item<double>();
}

Trainer::Health Trainer::health() const {
  Health health{m_state->values_not_finite, 0, m_state->tensors_elsewhere};
  const auto parameters = m_state->network->parameters();
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    if (parameters[i].equal(m_state->first_parameters[i])) ++health.parameters_unmoved;
  }
  return health;
}

void Trainer::save(const std::string& path) {
  torch::serialize::OutputArchive file, network, optimiser;
  m_state->network->save(network);
  m_state->optimiser.save(optimiser);
  file.write("network", network);
  file.write("optimiser", optimiser);
  file.write("steps", at::scalar_tensor(m_state->steps, at::kLong));
  file.save_to(path);
}

void Trainer::load(const std::string& path) {
  torch::serialize::InputArchive file, network, optimiser;
  file.load_from(path, m_state->place);
  file.read("network", network);
  file.read("optimiser", optimiser);
  m_state->network->load(network);
  m_state->optimiser.load(optimiser);
  at::Tensor steps;
  file.read("steps", steps);
  m_state->steps = steps.item<std::int64_t>();
}

std::vector<std::uint8_t> Trainer::state() const {
  std::vector<std::uint8_t> bytes;
  for (const auto& tensors : {m_state->network->parameters(), m_state->network->buffers()}) {
    for (const auto& tensor : tensors) {
      const auto here = tensor.detach().to(at::kCPU).contiguous();
      const auto* begin = static_cast<const std::uint8_t*>(here.const_data_ptr());
      bytes.insert(bytes.end(), begin, begin + here.nbytes());
    }
  }
  return bytes;
}

}  // namespace torchkiln::verifier
