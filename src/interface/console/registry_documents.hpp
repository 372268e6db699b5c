#pragma once
// What went to a registry and what came from one, as text and as JSON.

#include "assembly/registry/pull.hpp"
#include "assembly/registry/push.hpp"
#include "interface/console/terminal.hpp"

#include <string>
#include <vector>

namespace torchkiln::console {

struct PushSummary {
  std::vector<registry::Pushed> pushed;
  double seconds = 0;
};
std::string push_text(const PushSummary& summary, const Paint& paint);
/// torchkiln.push/1.
std::string push_json(const PushSummary& summary);

struct PullSummary {
  registry::Pulled pulled;
  std::string reference;  ///< as it was asked for
  std::string layout;     ///< where it is now; empty: in the cache
  double seconds = 0;
};
std::string pull_text(const PullSummary& summary, const Paint& paint);
/// torchkiln.pull/1.
std::string pull_json(const PullSummary& summary);

}  // namespace torchkiln::console
