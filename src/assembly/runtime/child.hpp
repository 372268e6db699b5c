#pragma once
// Child processes of the second program. It keeps SIGTERM, SIGINT and SIGCHLD blocked and takes them one by one
// where it waits, so that no handler runs and none is missed.

#include "foundation/base/error.hpp"

#include <string>
#include <sys/types.h>
#include <vector>

namespace torchkiln::runtime {

/// Blocks the three signals. Call it before anything else.
void hold_signals();
/// Whether SIGTERM or SIGINT came since the last call.
bool stop_requested();

/// Starts a program with our streams, no signal blocked, and its own process group kept as ours.
base::Result<pid_t> start_child(const std::vector<std::string>& arguments);

struct ChildEnd {
  int exit_status = 0;   ///< 128 + signal number when a signal ended it
  bool stopped = false;  ///< we were asked to stop; the child still runs
};
/// Waits until the child ends or we are asked to stop. Reaps other children that come by, as a PID 1 must.
ChildEnd wait_for_child(pid_t pid);

/// start_child() and wait_for_child(), whatever signals come; for short work that must not be left half done.
base::Result<int> run_child(const std::vector<std::string>& arguments);

/// Ends every other process of our PID namespace and reaps them. We are its PID 1.
void end_all_others();

}  // namespace torchkiln::runtime
