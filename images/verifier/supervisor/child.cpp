#include "supervisor/child.hpp"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

namespace torchkiln::verifier {
namespace {

constexpr std::size_t k_line_limit_bytes = 1 << 20;
constexpr std::size_t k_last_words_bytes = 4096;
constexpr auto k_reap_limit = std::chrono::seconds(5);
constexpr auto k_leave_limit = std::chrono::seconds(2);
/// How long at most until a process is missed whose pipes live on in its own children.
constexpr auto k_poll_slice = std::chrono::milliseconds(200);

[[noreturn]] void become(const std::vector<std::string>& argv, int input, int output, int error, pid_t parent) {
  setpgid(0, 0);
  std::signal(SIGPIPE, SIG_DFL);
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(127);
  dup2(input, STDIN_FILENO);
  dup2(output, STDOUT_FILENO);
  dup2(error, STDERR_FILENO);
  std::vector<char*> pointers;
  for (const auto& argument : argv) pointers.push_back(const_cast<char*>(argument.c_str()));
  pointers.push_back(nullptr);
  execv(pointers[0], pointers.data());
  dprintf(STDERR_FILENO, "%s: %s\n", pointers[0], std::strerror(errno));
  _exit(127);
}

/// Appends what can be read now; false at the end of the stream.
bool drain(int descriptor, std::string& into) {
  char buffer[4096];
  const auto count = read(descriptor, buffer, sizeof buffer);
  if (count > 0) into.append(buffer, static_cast<std::size_t>(count));
  return count > 0 || (count < 0 && (errno == EAGAIN || errno == EINTR));
}

std::string describe(int status) {
  if (WIFEXITED(status)) return "exit status " + std::to_string(WEXITSTATUS(status));
  const int signal = WTERMSIG(status);
  return "signal " + std::to_string(signal) + " (" + strsignal(signal) + ")";
}

}  // namespace

Child::Child(const std::vector<std::string>& argv) {
  int in[2];
  int out[2];
  int err[2];
  if (pipe2(in, O_CLOEXEC) != 0) return;
  if (pipe2(out, O_CLOEXEC) != 0) return;
  if (pipe2(err, O_CLOEXEC) != 0) return;
  const pid_t parent = getpid();
  m_process = fork();
  if (m_process == 0) become(argv, in[0], out[1], err[1], parent);
  if (m_process > 0) setpgid(m_process, m_process);
  close(in[0]);
  close(out[1]);
  close(err[1]);
  m_input = in[1];
  m_output = out[0];
  m_error = err[0];
  if (m_process < 0) m_errors = std::string("fork: ") + std::strerror(errno);
}

Child::~Child() {
  end();
}

void Child::send(const std::string& line) const {
  [[maybe_unused]] const auto written = write(m_input, line.data(), line.size());
}

bool Child::take_line(std::string& line) {
  const auto end_of_line = m_buffer.find('\n');
  if (end_of_line == std::string::npos) return false;
  line = m_buffer.substr(0, end_of_line);
  m_buffer.erase(0, end_of_line + 1);
  return true;
}

void Child::read_output() {
  if (!drain(m_output, m_buffer)) {
    close(m_output);
    m_output = -1;
  }
}

void Child::read_errors() {
  if (!drain(m_error, m_errors)) {
    close(m_error);
    m_error = -1;
  }
  if (m_errors.size() > k_last_words_bytes) m_errors.erase(0, m_errors.size() - k_last_words_bytes);
}

bool Child::has_exited() {
  if (!m_reaped && m_process > 0) m_reaped = waitpid(m_process, &m_status, WNOHANG) == m_process;
  return m_reaped || m_process < 0;
}

Child::Reading Child::next(Clock::time_point deadline, const volatile std::sig_atomic_t& interrupted) {
  Reading reading;
  while (true) {
    if (take_line(reading.line)) return {Event::line, reading.line};
    if (m_buffer.size() > k_line_limit_bytes) return {Event::flood, {}};
    if (interrupted != 0) return {Event::interrupted, {}};
    if (m_output < 0) return {Event::ended, {}};
    const auto now = Clock::now();
    if (now >= deadline) return {Event::timeout, {}};
    const auto slice =
        std::min(std::chrono::duration_cast<std::chrono::milliseconds>(deadline - now), k_poll_slice);
    pollfd watched[2] = {{m_output, POLLIN, 0}, {m_error, POLLIN, 0}};
    const int ready = poll(watched, 2, static_cast<int>(slice.count()) + 1);
    if (ready > 0 && watched[1].revents != 0) read_errors();
    if (ready > 0 && watched[0].revents != 0) read_output();
    if (ready == 0 && has_exited()) return {Event::ended, {}};
  }
}

void Child::wait_for_exit(std::chrono::milliseconds limit) {
  const auto deadline = Clock::now() + limit;
  while (!has_exited() && Clock::now() < deadline) std::this_thread::sleep_for(std::chrono::milliseconds(5));
}

std::string Child::end() {
  if (m_process < 0) return "never started";
  if (m_input >= 0) close(m_input);
  m_input = -1;
  // A process that closed its output is about to exit by itself: let it, so that its own status is what is said.
  if (m_output < 0) wait_for_exit(k_leave_limit);
  kill(-m_process, SIGKILL);
  wait_for_exit(k_reap_limit);
  while (m_error >= 0) {
    pollfd watched = {m_error, POLLIN, 0};
    if (poll(&watched, 1, 0) <= 0) break;
    read_errors();
  }
  close_pipes();
  m_process = -1;
  if (!m_reaped) return "the kernel does not let the process go";
  return describe(m_status);
}

void Child::close_pipes() {
  if (m_output >= 0) close(m_output);
  if (m_error >= 0) close(m_error);
  m_output = m_error = -1;
}

}  // namespace torchkiln::verifier
