// What each of the models must show, on every device by the same code: it learns what its control cannot, with
// finite gradients, again by the same numbers, and on a GPU as on the CPU.
#include "libtorch/models.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <memory>

namespace torchkiln::verifier {
namespace {

constexpr int k_repeated_steps = 8;
constexpr int k_followed_steps = 5;

struct ModelRun {
  std::vector<double> losses;
  double held_out_loss = 0;
  double values_not_finite = 0;
  double tensors_elsewhere = 0;
};

ModelRun run(const ModelKind& kind, const ModelSetting& setting, int steps) {
  const auto model = kind.make(setting);
  ModelRun run;
  for (int step = 0; step < steps; ++step) run.losses.push_back(model->step());
  run.held_out_loss = model->held_out_loss();
  run.values_not_finite = model->values_not_finite();
  run.tensors_elsewhere = model->tensors_elsewhere();
  return run;
}

ModelSetting setting(Device device, const Context& context) {
  return {device, Signal::present, context.seed};
}

/// A control that does worse than one who knows nothing is credited with knowing nothing.
Outcome learns(const ModelKind& kind, Device device, const Context& context) {
  auto without = setting(device, context);
  without.signal = Signal::absent;
  const auto right = run(kind, setting(device, context), kind.steps);
  const auto control = run(kind, without, kind.steps);
  if (right.tensors_elsewhere != 0) return Failure{"tensors are not on the device", Fault::image, {}};
  Details details{{"held-out loss", right.held_out_loss},
                  {"held-out loss of the control", control.held_out_loss},
                  {"loss of one who knows nothing", kind.ignorant_loss},
                  {"gradient values not finite", right.values_not_finite},
                  {"losses", right.losses},
                  {"losses of the control", control.losses}};
  if (right.values_not_finite != 0) return Failure{"gradients are not finite", Fault::image, details};
  const double beaten = std::min(kind.ignorant_loss, control.held_out_loss);
  return Measurement{1 - right.held_out_loss / beaten, details, {}};
}

double steps_that_differ(const ModelRun& one, const ModelRun& other) {
  double differing = 0;
  for (std::size_t i = 0; i < one.losses.size(); ++i) differing += one.losses[i] == other.losses[i] ? 0 : 1;
  return differing;
}

Outcome repeats(const ModelKind& kind, Device device, const Context& context) {
  const auto first = run(kind, setting(device, context), k_repeated_steps);
  const auto again = run(kind, setting(device, context), k_repeated_steps);
  auto other = setting(device, context);
  ++other.seed;
  if (run(kind, other, 1).losses.front() == first.losses.front())
    return Failure{
        "another seed gives the same loss, so that the same seed does so says nothing", Fault::image, {}};
  return Measurement{steps_that_differ(first, again), {{"losses", first.losses}}, {}};
}

Outcome follows_cpu(const ModelKind& kind, const Context& context) {
  const auto cpu = run(kind, setting(Device::cpu, context), k_followed_steps);
  const auto gpu = run(kind, setting(Device::cuda, context), k_followed_steps);
  double worst = 0;
  for (std::size_t i = 0; i < cpu.losses.size(); ++i) worst = worse(worst, std::abs(cpu.losses[i] - gpu.losses[i]));
  return Measurement{worst, {{"losses on the CPU", cpu.losses}, {"losses", gpu.losses}}, {}};
}

}  // namespace

Registry model_tests(Device device) {
  Registry tests;
  for (const auto& kind : model_kinds()) {
    const auto id = level_of(device) + kind.name;
    tests[id + ".learns"] = [&kind, device](const Context& context) { return learns(kind, device, context); };
    tests[id + ".repeats"] = [&kind, device](const Context& context) { return repeats(kind, device, context); };
    if (device == Device::cuda)
      tests[id + ".follows_cpu"] = [&kind](const Context& context) { return follows_cpu(kind, context); };
  }
  return tests;
}

}  // namespace torchkiln::verifier
