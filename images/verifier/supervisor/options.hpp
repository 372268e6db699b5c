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
};

extern const char* const k_usage;

/// The options, or what is wrong with them.
std::variant<Options, std::string> parse_options(const std::vector<std::string>& arguments);

}  // namespace torchkiln::verifier
