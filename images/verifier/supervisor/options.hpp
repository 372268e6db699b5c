// The command line of torchkiln-verify.
#pragma once

#include "plan/plan.hpp"

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

namespace torchkiln::verifier {

struct Options {
  enum class Task { verify, list, help, run_boot_tests };
  Task task = Task::verify;
  Level level = Level::cpu;
  std::string nonce;
  /// Where the report goes: a file, "-" for standard output, or empty for nowhere.
  std::string json;
  std::vector<std::string> only;
  std::uint64_t seed = 1;
  /// 0: no soak test.
  double soak_s = 0;

  /// At the level asked for, or gpu above that: it is about devices, not about what is between them.
  Soak soak() const { return {level >= Level::gpu ? Level::gpu : Level::cpu, soak_s}; }
};

extern const char* const k_usage;

/// The options, or what is wrong with them.
std::variant<Options, std::string> parse_options(const std::vector<std::string>& arguments);

}  // namespace torchkiln::verifier
