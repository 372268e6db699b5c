// What a training must show: it learns what is there to learn and not what is not, its gradients are finite, it can
// be repeated bit by bit, saved and taken up again, and on a GPU it follows the CPU.
#include "libtorch/trainer.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <optional>

namespace torchkiln::verifier {
namespace {

constexpr int k_steps = 5 * Trainer::k_epoch_steps;
constexpr int k_followed_steps = 5;

struct Run {
  std::vector<double> losses;
  double held_out_loss = 0;
  Trainer::Health health;
};

Run run(const Trainer::Setting& setting, int steps) {
  Trainer trainer(setting);
  Run run;
  for (int step = 0; step < steps; ++step) run.losses.push_back(trainer.step());
  run.held_out_loss = trainer.held_out_loss();
  run.health = trainer.health();
  return run;
}

Trainer::Setting setting(Device device, const Context& context) {
  return {device, Trainer::Labels::right, context.seed, context.seed};
}

/// The run that several tests look at, made by whichever comes first.
class SharedRun {
 public:
  const Run& get(Device device, const Context& context) {
    if (!m_run) m_run = run(setting(device, context), k_steps);
    return *m_run;
  }

 private:
  std::optional<Run> m_run;
};

/// Chance is the most that the control is credited with: a control that has learned noise by heart does worse than
/// chance on held-out pictures, and beating that would prove nothing.
Outcome learns(const Run& right, Device device, const Context& context) {
  auto shuffled = setting(device, context);
  shuffled.labels = Trainer::Labels::shuffled;
  const auto control = run(shuffled, k_steps);
  const double chance = std::log(Trainer::k_classes);
  return Measurement{std::min(chance, control.held_out_loss) - right.held_out_loss,
                     {{"held-out loss", right.held_out_loss},
                      {"held-out loss of the control", control.held_out_loss},
                      {"chance", chance},
                      {"losses", right.losses},
                      {"losses of the control", control.losses}},
                     {}};
}

Outcome gradients(const Run& right) {
  return Measurement{static_cast<double>(right.health.values_not_finite + right.health.parameters_unmoved),
                     {{"not finite", static_cast<double>(right.health.values_not_finite)},
                      {"unmoved", static_cast<double>(right.health.parameters_unmoved)}},
                     {}};
}

/// Any two losses but equal ones count, NaN against NaN too.
double steps_that_differ(const std::vector<double>& one, const std::vector<double>& other) {
  double differing = std::abs(static_cast<double>(one.size()) - static_cast<double>(other.size()));
  for (std::size_t i = 0; i < std::min(one.size(), other.size()); ++i) differing += one[i] == other[i] ? 0 : 1;
  return differing;
}

Outcome repeats(const Run& right, Device device, const Context& context) {
  const auto again = run(setting(device, context), k_steps);
  auto other_seed = setting(device, context);
  ++other_seed.weight_seed;
  if (run(other_seed, 1).losses.front() == right.losses.front()) {
    return Failure{
        "another seed gives the same first loss, so that the same seed does so says nothing", Fault::image, {}};
  }
  return Measurement{steps_that_differ(right.losses, again.losses), {}, {}};
}

Outcome checkpoint(Device device, const Context& context) {
  constexpr int before = 8;
  constexpr int after = 4;
  const std::string path = context.scratch + "/checkpoint.pt";
  Trainer original(setting(device, context));
  for (int step = 0; step < before; ++step) original.step();
  original.save(path);

  auto other_weights = setting(device, context);
  ++other_weights.weight_seed;
  Trainer restored(other_weights);
  if (restored.state() == original.state()) return Failure{"another seed gives the same weights", Fault::image, {}};
  restored.load(path);
  const auto wanted = original.state();
  const auto found = restored.state();
  double differing = std::abs(static_cast<double>(wanted.size()) - static_cast<double>(found.size()));
  for (std::size_t i = 0; i < std::min(wanted.size(), found.size()); ++i)
    differing += wanted[i] == found[i] ? 0 : 1;

  std::vector<double> original_losses;
  std::vector<double> restored_losses;
  for (int step = 0; step < after; ++step) {
    original_losses.push_back(original.step());
    restored_losses.push_back(restored.step());
  }
  const double steps = steps_that_differ(original_losses, restored_losses);
  return Measurement{differing + steps,
                     {{"bytes compared", static_cast<double>(wanted.size())},
                      {"bytes that differ", differing},
                      {"steps that differ", steps}},
                     {}};
}

Outcome on_device(const Run& right) {
  return Measurement{static_cast<double>(right.health.tensors_elsewhere), {}, {}};
}

Outcome follows_cpu(const Run& right, const Context& context) {
  const auto cpu = run(setting(Device::cpu, context), k_followed_steps);
  double worst = 0;
  for (std::size_t i = 0; i < cpu.losses.size(); ++i) {
    const double difference = std::abs(cpu.losses[i] - right.losses[i]);
    if (!(difference <= worst)) worst = difference;
  }
  return Measurement{worst, {{"losses on the CPU", cpu.losses}}, {}};
}

}  // namespace

Registry training_tests(Device device) {
  const std::string level = level_of(device);
  const auto shared = std::make_shared<SharedRun>();
  const auto right = [=](const Context& context) -> const Run& { return shared->get(device, context); };
  Registry tests{
      {level + "training.learns", [=](const Context& context) { return learns(right(context), device, context); }},
      {level + "training.gradients", [=](const Context& context) { return gradients(right(context)); }},
      {level + "training.repeats",
       [=](const Context& context) { return repeats(right(context), device, context); }},
      {level + "checkpoint", [=](const Context& context) { return checkpoint(device, context); }}};
  if (device == Device::cuda) {
    tests["gpu.training.device"] = [=](const Context& context) { return on_device(right(context)); };
    tests["gpu.training.follows_cpu"] = [=](const Context& context) {
      return follows_cpu(right(context), context);
    };
  }
  return tests;
}

}  // namespace torchkiln::verifier
