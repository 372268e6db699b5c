#pragma once
// Child programs: argument vectors, never a shell string; a time-out, an output limit, and the whole process
// group killed on interrupt or time-out.

#include "foundation/base/error.hpp"

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace torchkiln::sys {

struct Command {
  std::vector<std::string> arguments;  ///< arguments[0] is looked up on PATH
  /// The whole environment of the child; nothing: ours.
  std::optional<std::map<std::string, std::string>> environment = std::nullopt;
  std::filesystem::path directory;  ///< working directory; empty: ours
  std::string input;                ///< given on standard input
  double timeout_s = 0;             ///< 0: none
  double grace_s = 5;               ///< between SIGTERM and SIGKILL, when it has to be ended
  std::uint64_t output_limit_bytes = 64U << 20;
  /// Called for every line of standard error (and standard output, unless it is kept) as it comes.
  std::function<void(std::string_view)> on_line;
  /// When set, standard output is written to this file descriptor instead of being kept.
  int output_fd = -1;
};

struct ProcessOutput {
  int exit_status = 0;  ///< 128 + signal number when a signal ended it
  std::string output;   ///< standard output
  std::string errors;   ///< standard error
  bool timed_out = false;
};

/// Runs the command to its end. A non-zero exit status is a value; an Error means that it could not be started
/// (tool_missing), ran past its output limit, or that we were interrupted. A program that does not read its input
/// must not end us: SIGPIPE has to be ignored (catch_interrupts() does).
base::Result<ProcessOutput> run(const Command& command);

/// Like run(), but a non-zero exit status or time-out is an Error too (tool_failed), with the last lines that the
/// program wrote as notes.
base::Result<ProcessOutput> run_checked(const Command& command);

/// The environment of this process.
std::map<std::string, std::string> current_environment();

/// Replaces nothing: runs the command with our own standard streams and terminal, waits, and gives its exit
/// status. For interactive use.
base::Result<int> run_interactive(const Command& command);

}  // namespace torchkiln::sys
