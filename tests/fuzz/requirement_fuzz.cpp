// NVIDIA_REQUIRE_* of images: the first line is the facts (cuda driver arch brand), the rest the requirement.

#include "decision/audit/nvidia_require.hpp"
#include "foundation/base/error.hpp"
#include "foundation/base/text.hpp"

using namespace torchkiln;
using audit::NvidiaRequirement;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const auto line_end = std::min(bytes.find('\n'), bytes.size());
  auto facts = base::split(bytes.substr(0, line_end), ' ');
  facts.resize(4);
  const auto text = bytes.substr(std::min(line_end + 1, bytes.size()));
  const auto requirement = NvidiaRequirement::parse(text);
  const auto answer =
      requirement.ask({std::string(facts[0]), std::string(facts[1]), std::string(facts[2]), std::string(facts[3])});
  TK_ASSERT(answer != NvidiaRequirement::Answer::malformed || !requirement.faults().empty(),
            "what is malformed has a fault that says so");
  (void)requirement.ask({});
  return 0;
}
