#include "foundation/sys/interrupt.hpp"

#include <atomic>
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

namespace torchkiln::sys {

namespace {

std::atomic<bool> g_interrupted{false};
int g_pipe[2] = {-1, -1};

void on_signal(int signal) {
  if (g_interrupted.exchange(true)) {
    // The user insists: die of the signal itself.
    ::signal(signal, SIG_DFL);
    ::raise(signal);
    return;
  }
  const char byte = 0;
  [[maybe_unused]] const auto written = ::write(g_pipe[1], &byte, 1);
}

}  // namespace

void catch_interrupts() {
  if (g_pipe[0] < 0 && ::pipe2(g_pipe, O_CLOEXEC | O_NONBLOCK) != 0) g_pipe[0] = g_pipe[1] = -1;
  struct sigaction action = {};
  action.sa_handler = on_signal;
  sigemptyset(&action.sa_mask);
  ::sigaction(SIGINT, &action, nullptr);
  ::sigaction(SIGTERM, &action, nullptr);
  action.sa_handler = SIG_IGN;
  ::sigaction(SIGPIPE, &action, nullptr);
}

bool interrupted() {
  return g_interrupted.load(std::memory_order_relaxed);
}
int interrupt_fd() {
  return g_pipe[0];
}

base::Unexpected interrupted_error() {
  return base::fail(base::ErrorCode::interrupted, "interrupted");
}

}  // namespace torchkiln::sys
