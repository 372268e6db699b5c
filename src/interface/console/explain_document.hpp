#pragma once
// What `torchkiln explain` says of an error, for people and for programs. Pure.

#include "decision/diagnosis/bearing.hpp"
#include "interface/console/terminal.hpp"

#include <cstddef>
#include <string>
#include <vector>

namespace torchkiln::console {

/// An error with what this machine's facts say to it; empty when nobody asked for them.
struct Explanation {
  diagnosis::Finding finding;
  std::vector<diagnosis::Bearing> bearings;
};

/// Lines of at most `columns`, but for commands. For no explanation: that the text is not known, and what to send.
std::string explain_text(const std::vector<Explanation>& explanations, const Paint& paint, std::size_t columns);
/// torchkiln.explain/1.
std::string explain_json(const std::vector<Explanation>& explanations);

}  // namespace torchkiln::console
