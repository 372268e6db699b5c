#pragma once
// SIGINT and SIGTERM. Signals belong to the process, so this is the one place with process-wide state: a flag
// that long loops ask for, and a file descriptor that wakes whoever waits in poll().

#include "foundation/base/error.hpp"

namespace torchkiln::sys {

/// Catches SIGINT and SIGTERM from now on; a second one ends the process at once. SIGPIPE is ignored.
void catch_interrupts();
/// Whether one came.
bool interrupted();
/// Readable once one came; -1 before catch_interrupts().
int interrupt_fd();
/// The Error of an interrupted piece of work.
base::Unexpected interrupted_error();

}  // namespace torchkiln::sys
