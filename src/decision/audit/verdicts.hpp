#pragma once
// Verdicts alone, of one machine against very many images: what a machine and a build have to do with each other is
// worked out once, however many images hold that build. The same as Judge::assess() would say (tests compare them).
// Internal to the room.

#include "decision/audit/judge.hpp"

#include <array>
#include <cstdint>
#include <vector>

namespace torchkiln::audit {

/// By architecture: the build that a machine runs as it is and that the solver prefers; null when there is none.
using Newest = std::array<const matrix::Build*, 2>;

class Verdicts {
 public:
  /// Both must outlive this.
  Verdicts(const Judge& judge, const std::vector<ImageFacts>& images);

  /// Writes a verdict for each image to `row`.
  void judge(const MachineFacts& machine, Verdict* row);
  /// Of the machine that was judged last.
  Newest newest();

 private:
  /// The first rule that fails between a machine and a build, and the verdict where none does.
  struct Core {
    bool is_known = false;
    bool fails = false;
    Rule first{};
    Verdict running{};
  };
  /// What one image brings besides its build, and which requirements it shares with others.
  struct ImagePart {
    const ImageFacts* facts = nullptr;
    std::size_t requirements = 0;
  };
  const Core& core(const matrix::Build& build);
  Verdict judge_one(const ImagePart& image);
  NvidiaRequirement::Answer answer(const ImagePart& image);

  const Judge& m_judge;
  std::vector<ImagePart> m_images;
  std::vector<const Candidate*> m_candidates;     ///< by the build's number in the matrix; null without CUDA
  std::vector<const ImageFacts*> m_requirements;  ///< an image with each set of requirements
  MachineFacts m_machine;
  MachineFacts m_without_glibc;
  std::vector<Core> m_cores;   ///< by the build's number
  std::vector<int> m_answers;  ///< by set of requirements; -1 where nobody asked yet
};

}  // namespace torchkiln::audit
