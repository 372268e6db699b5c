#pragma once
// Why, in words: every rule that fails, or what a running pair rests on; and what of a running pair is limited.
// Internal to the room.

#include "decision/audit/judge.hpp"

#include <string>
#include <vector>

namespace torchkiln::audit {

/// One pair: what was said of machine and image, and what came out.
struct Pair {
  const Judge& judge;
  const host::Machine& machine;
  const MachineFacts& machine_facts;
  const Image& image;
  const ImageFacts& image_facts;
  const Assessment& assessment;

  const matrix::Matrix& matrix() const { return judge.matrix(); }
  matrix::Architecture architecture() const { return Judge::architecture_of(machine_facts, image_facts); }
  const ImageOnArchitecture& on() const { return image_facts.on[static_cast<std::size_t>(architecture())]; }
  /// The CUDA that the driver has to run; nothing where there is none.
  std::optional<version::CudaVersion> cuda() const;
  /// "PyTorch 2.8.0+cu128".
  std::string image_in_words() const;
  /// The Pythons of wheels, "3.9 to 3.13"; free-threaded ones only where the image has one.
  std::string pythons_in_words(const std::vector<std::string>& tags) const;
  /// "V100 (compute capability 7.0)".
  std::string gpu_in_words(std::size_t item) const;
};

std::vector<Reason> reasons_of(const Pair& pair);
std::vector<Limitation> limitations_of(const Pair& pair);

/// The reason about one rule that fails.
Reason reason_of(const Pair& pair, const Finding& finding);

}  // namespace torchkiln::audit
