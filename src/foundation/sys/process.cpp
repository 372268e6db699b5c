#include "foundation/sys/process.hpp"

#include "foundation/base/text.hpp"
#include "foundation/sys/environment.hpp"
#include "foundation/sys/files.hpp"
#include "foundation/sys/interrupt.hpp"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

extern char** environ;

namespace torchkiln::sys {

using base::ErrorCode;
using base::fail;
using base::Result;

namespace {

/// Lines of a failed program's output that its Error carries.
constexpr std::size_t k_error_lines = 12;

struct Pipe {
  FileDescriptor read, write;
};

Result<Pipe> make_pipe() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0)
    return fail(ErrorCode::file_failed, std::string("cannot create a pipe: ") + std::strerror(errno));
  return Pipe{FileDescriptor(ends[0]), FileDescriptor(ends[1])};
}

std::vector<char*> c_strings(std::vector<std::string>& strings) {
  std::vector<char*> pointers;
  for (auto& text : strings) pointers.push_back(text.data());
  pointers.push_back(nullptr);
  return pointers;
}

std::vector<std::string> environment_strings(const Command& command) {
  std::vector<std::string> strings;
  for (const auto& [key, value] : command.environment ? *command.environment : current_environment())
    strings.push_back(key + "=" + value);
  return strings;
}

/// Gives whole lines of a growing text to a function.
class LineFeeder {
 public:
  explicit LineFeeder(const std::function<void(std::string_view)>& sink) : m_sink(sink) {}
  void feed(std::string_view bytes) {
    if (!m_sink) return;
    m_rest += bytes;
    for (std::size_t at; (at = m_rest.find('\n')) != std::string::npos; m_rest.erase(0, at + 1))
      m_sink(std::string_view(m_rest).substr(0, at));
  }
  void finish() {
    if (m_sink && !m_rest.empty()) m_sink(m_rest);
    m_rest.clear();
  }

 private:
  const std::function<void(std::string_view)>& m_sink;
  std::string m_rest;
};

base::Error not_found(const std::string& program, int error_number) {
  return {ErrorCode::tool_missing,
          "cannot run '" + program + "': " + std::strerror(error_number),
          std::nullopt,
          {},
          {"install it; scripts/setup installs every program that torchkiln drives"}};
}

}  // namespace

std::map<std::string, std::string> current_environment() {
  std::map<std::string, std::string> variables;
  for (char** entry = environ; *entry; ++entry) {
    const std::string_view text = *entry;
    const auto equals = text.find('=');
    if (equals != std::string_view::npos) variables.emplace(text.substr(0, equals), text.substr(equals + 1));
  }
  return variables;
}

namespace {

Result<pid_t> spawn(const Command& command, int input_fd, int output_fd, int error_fd, bool new_group) {
  TK_ASSERT(!command.arguments.empty(), "a command has a program");
  auto program = find_program(command.arguments[0]);
  if (command.arguments[0].find('/') != std::string::npos) program = command.arguments[0];
  if (!program) return fail(not_found(command.arguments[0], ENOENT));

  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  if (input_fd >= 0) posix_spawn_file_actions_adddup2(&actions, input_fd, 0);
  if (output_fd >= 0) posix_spawn_file_actions_adddup2(&actions, output_fd, 1);
  if (error_fd >= 0) posix_spawn_file_actions_adddup2(&actions, error_fd, 2);
  // What our caller left open is not the program's: mmdebstrap's shell, dash, knows no descriptor above 9.
  posix_spawn_file_actions_addclosefrom_np(&actions, 3);
  if (!command.directory.empty()) posix_spawn_file_actions_addchdir_np(&actions, command.directory.c_str());

  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t defaults;
  sigemptyset(&defaults);
  for (const int signal : {SIGINT, SIGTERM, SIGPIPE}) sigaddset(&defaults, signal);
  posix_spawnattr_setsigdefault(&attributes, &defaults);
  short flags = POSIX_SPAWN_SETSIGDEF;
  if (new_group) {
    posix_spawnattr_setpgroup(&attributes, 0);
    flags = static_cast<short>(flags | POSIX_SPAWN_SETPGROUP);
  }
  posix_spawnattr_setflags(&attributes, flags);

  auto argument_strings = command.arguments;
  auto variable_strings = environment_strings(command);
  auto arguments = c_strings(argument_strings);
  auto variables = c_strings(variable_strings);
  pid_t pid = -1;
  const int error =
      ::posix_spawn(&pid, program->c_str(), &actions, &attributes, arguments.data(), variables.data());
  posix_spawn_file_actions_destroy(&actions);
  posix_spawnattr_destroy(&attributes);
  if (error != 0) return fail(not_found(command.arguments[0], error));
  return pid;
}

int exit_status_of(int wait_status) {
  return WIFEXITED(wait_status) ? WEXITSTATUS(wait_status) : 128 + WTERMSIG(wait_status);
}

/// Ends the process group and reaps its leader.
int end_group(pid_t pid, double grace_s) {
  ::kill(-pid, SIGTERM);
  const double deadline = monotonic_s() + grace_s;
  int status = 0;
  for (;;) {
    if (::waitpid(pid, &status, WNOHANG) == pid) break;
    if (monotonic_s() > deadline) {
      ::kill(-pid, SIGKILL);
      ::waitpid(pid, &status, 0);
      break;
    }
    ::usleep(20'000);
  }
  ::kill(-pid, SIGKILL);  // whoever of the group outlived its leader
  return status;
}

}  // namespace

Result<ProcessOutput> run(const Command& command) {
  TK_TRY(auto input, make_pipe());
  TK_TRY(auto output, make_pipe());
  TK_TRY(auto errors, make_pipe());
  const int output_fd = command.output_fd >= 0 ? command.output_fd : output.write.get();
  TK_TRY(const pid_t pid, spawn(command, input.read.get(), output_fd, errors.write.get(), true));
  input.read.reset();
  output.write.reset();
  errors.write.reset();
  if (command.input.empty())
    input.write.reset();
  else
    ::fcntl(input.write.get(), F_SETFL, O_NONBLOCK);

  ProcessOutput result;
  LineFeeder feeder(command.on_line);
  std::string_view pending_input = command.input;
  const double deadline = command.timeout_s > 0 ? monotonic_s() + command.timeout_s : 0;
  char buffer[1 << 16];
  while (output.read || errors.read) {
    pollfd waits[4] = {{output.read.get(), POLLIN, 0},
                       {errors.read.get(), POLLIN, 0},
                       {interrupt_fd(), POLLIN, 0},
                       {input.write.get(), POLLOUT, 0}};
    ::poll(waits, 4, deadline > 0 ? 100 : 1000);
    if (interrupted()) {
      end_group(pid, command.grace_s);
      return interrupted_error();
    }
    if (deadline > 0 && monotonic_s() > deadline) {
      result.timed_out = true;
      result.exit_status = exit_status_of(end_group(pid, command.grace_s));
      feeder.finish();
      return result;
    }
    if (input.write && (waits[3].revents & (POLLOUT | POLLERR | POLLHUP))) {
      const auto written = ::write(input.write.get(), pending_input.data(), pending_input.size());
      if (written > 0) pending_input.remove_prefix(static_cast<std::size_t>(written));
      if (pending_input.empty() || (written < 0 && errno != EAGAIN && errno != EINTR)) input.write.reset();
    }
    for (int i = 0; i < 2; ++i) {
      auto& fd = i == 0 ? output.read : errors.read;
      if (!fd || !(waits[i].revents & (POLLIN | POLLHUP | POLLERR))) continue;
      const auto got = ::read(fd.get(), buffer, sizeof buffer);
      if (got < 0 && errno == EINTR) continue;
      if (got <= 0) {
        fd.reset();
        continue;
      }
      const std::string_view bytes(buffer, static_cast<std::size_t>(got));
      (i == 0 ? result.output : result.errors) += bytes;
      if (i == 1) feeder.feed(bytes);
      if (result.output.size() + result.errors.size() > command.output_limit_bytes) {
        end_group(pid, command.grace_s);
        return fail(ErrorCode::tool_failed, "'" + command.arguments[0] + "' wrote more than " +
                                                base::format_bytes(command.output_limit_bytes) + " of output");
      }
    }
  }
  feeder.finish();
  // Both streams are closed, but the program may still run: the time-out and an interrupt hold here too.
  int status = 0;
  for (;;) {
    const pid_t reaped = ::waitpid(pid, &status, WNOHANG);
    if (reaped == pid || (reaped < 0 && errno != EINTR)) break;
    pollfd wait = {interrupt_fd(), POLLIN, 0};
    ::poll(&wait, 1, 5);
    if (interrupted()) {
      end_group(pid, command.grace_s);
      return interrupted_error();
    }
    if (deadline > 0 && monotonic_s() > deadline) {
      status = end_group(pid, command.grace_s);
      result.timed_out = true;
      break;
    }
  }
  result.exit_status = exit_status_of(status);
  return result;
}

Result<ProcessOutput> run_checked(const Command& command) {
  TK_TRY(auto result, run(command));
  if (result.exit_status == 0 && !result.timed_out) return result;
  base::Error error;
  error.code = ErrorCode::tool_failed;
  const auto name = std::filesystem::path(command.arguments[0]).filename().string();
  error.message = result.timed_out ? "'" + name + "' did not end within " +
                                         std::to_string(static_cast<int>(command.timeout_s)) + " s"
                                   : "'" + name + "' failed with status " + std::to_string(result.exit_status);
  const std::string& said = result.errors.empty() ? result.output : result.errors;
  const auto said_lines = base::lines(said);
  for (std::size_t i = said_lines.size() > k_error_lines ? said_lines.size() - k_error_lines : 0;
       i < said_lines.size(); ++i)
    if (!base::trim(said_lines[i]).empty()) error.notes.emplace_back(said_lines[i]);
  return fail(std::move(error));
}

Result<int> run_interactive(const Command& command) {
  TK_TRY(const pid_t pid, spawn(command, -1, -1, -1, false));
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    if (interrupted()) ::kill(pid, SIGTERM);
  }
  return exit_status_of(status);
}

}  // namespace torchkiln::sys
