#pragma once
// What a build would do, and what it would need, as text and as JSON.

#include "assembly/engine/direct.hpp"
#include "interface/console/terminal.hpp"

#include <string>
#include <vector>

namespace torchkiln::console {

struct PlanSummary {
  const lock::Lock& lock;
  layer::LayerFormat format = layer::LayerFormat::gzip;
  std::vector<std::string> names;  ///< of the images, as LayersPlan has them
  engine::LayersPlan plan;
};
std::string plan_text(const PlanSummary& summary, const Paint& paint);
/// torchkiln.plan/1.
std::string plan_json(const PlanSummary& summary);

}  // namespace torchkiln::console
