#pragma once
// What an image must have been proven to be. From options, or from a file:
//
//   schema = "torchkiln.policy/1"
//   keys = ["kiln.pub"]          # PEM; paths are beside the policy
//   level = "gpu"                # static, boot, cpu, gpu (if left out) or multi-gpu
//   gpus = ["sm_90", "A100"]     # each by some stamp
//   driver_at_least = "570"
//   max_age = "90d"
//   lock = "kiln.lock"           # the lock that the image must have been made from

#include "foundation/base/digest.hpp"
#include "foundation/base/error.hpp"
#include "knowledge/version/cuda.hpp"
#include "proof/report/test_run.hpp"
#include "proof/stamp/key.hpp"

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace torchkiln::stamp {

struct Policy {
  std::vector<PublicKey> keys;               ///< a stamp counts when one of these signed it
  report::Level level = report::Level::gpu;  ///< at least
  /// Seconds since the run finished, at most.
  std::optional<std::int64_t> max_age_s = std::nullopt;
  /// Each must be covered by some stamp: a compute capability ("sm_90", "9.0") or words of a model name ("H200").
  std::vector<std::string> gpus = {};
  std::optional<version::DriverVersion> driver_at_least = std::nullopt;
  /// The lock that the image must have been made from, by its identity.
  std::optional<base::Digest> lock = std::nullopt;
};

/// Reads a torchkiln.policy/1 with the keys and the lock that it names. What is wrong is named with its line
/// (input_invalid). A policy without a key is refused: everybody can make a key, so a stamp counts only by its key.
base::Result<Policy> read_policy(const std::filesystem::path& file);

/// "90d", "12h", "30m", "45s" as seconds; input_invalid for anything else, and for less than a second or more than a
/// million units.
base::Result<std::int64_t> parse_age(std::string_view text);
/// A level that a stamp can prove: any but "none".
base::Result<report::Level> parse_proven_level(std::string_view text);
/// "sm_90", "9.0", or words that a model's name may have.
base::Result<std::string> parse_proven_gpu(std::string_view text);

}  // namespace torchkiln::stamp
