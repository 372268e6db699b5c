#include "assembly/runtime/child.hpp"

#include "foundation/sys/environment.hpp"

#include <cerrno>
#include <cstring>
#include <optional>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

extern char** environ;

namespace torchkiln::runtime {

using base::ErrorCode;
using base::fail;
using base::Result;

namespace {

sigset_t signal_set(std::initializer_list<int> signals) {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : signals) sigaddset(&set, signal);
  return set;
}

int exit_status_of(int wait_status) {
  return WIFEXITED(wait_status) ? WEXITSTATUS(wait_status) : 128 + WTERMSIG(wait_status);
}

}  // namespace

void hold_signals() {
  const auto held = signal_set({SIGTERM, SIGINT, SIGCHLD});
  ::sigprocmask(SIG_BLOCK, &held, nullptr);
  ::signal(SIGPIPE, SIG_IGN);
}

bool stop_requested() {
  const auto wanted = signal_set({SIGTERM, SIGINT});
  const struct timespec none = {0, 0};
  return ::sigtimedwait(&wanted, nullptr, &none) > 0;
}

Result<pid_t> start_child(const std::vector<std::string>& arguments) {
  const auto program = sys::find_program(arguments.at(0));
  if (!program) return fail(ErrorCode::tool_missing, "'" + arguments[0] + "' is not installed");
  std::vector<std::string> strings = arguments;
  std::vector<char*> pointers;
  for (auto& text : strings) pointers.push_back(text.data());
  pointers.push_back(nullptr);

  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  const auto none = signal_set({});
  const auto reset = signal_set({SIGTERM, SIGINT, SIGCHLD, SIGPIPE});
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setsigdefault(&attributes, &reset);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  pid_t pid = -1;
  const int error = ::posix_spawn(&pid, program->c_str(), nullptr, &attributes, pointers.data(), environ);
  posix_spawnattr_destroy(&attributes);
  if (error != 0)
    return fail(ErrorCode::tool_failed, "cannot run '" + program->string() + "': " + std::strerror(error));
  return pid;
}

ChildEnd wait_for_child(pid_t pid) {
  const auto wanted = signal_set({SIGTERM, SIGINT, SIGCHLD});
  for (;;) {
    int status = 0;
    for (pid_t reaped; (reaped = ::waitpid(-1, &status, WNOHANG)) > 0;)
      if (reaped == pid) return {exit_status_of(status)};
    const int signal = ::sigwaitinfo(&wanted, nullptr);
    if (signal == SIGTERM || signal == SIGINT) return {128 + signal, true};
  }
}

Result<int> run_child(const std::vector<std::string>& arguments) {
  TK_TRY(const pid_t pid, start_child(arguments));
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  return exit_status_of(status);
}

void end_all_others() {
  TK_ASSERT(::getpid() == 1, "only a PID namespace of ours is emptied");
  ::kill(-1, SIGKILL);
  while (::waitpid(-1, nullptr, 0) > 0 || errno == EINTR) {
  }
}

}  // namespace torchkiln::runtime
