// A child process that is read line by line under a deadline and always ends: killed with its whole process group,
// and by the kernel when the supervisor itself dies.
#pragma once

#include <chrono>
#include <csignal>
#include <string>
#include <sys/types.h>
#include <vector>

namespace torchkiln::verifier {

using Clock = std::chrono::steady_clock;

class Child {
 public:
  enum class Event {
    line,         ///< a whole line of its standard output
    ended,        ///< the process is gone, or closed its standard output
    timeout,      ///< the deadline passed
    interrupted,  ///< `interrupted` became non-zero
    flood,        ///< a line longer than 1 MiB
  };
  struct Reading {
    Event event = Event::ended;
    std::string line;
  };

  /// Starts `argv`. A program that cannot be started shows as a child that ended with 127 and the reason on its
  /// standard error.
  explicit Child(const std::vector<std::string>& argv);
  ~Child();
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  /// Writes to its standard input. The lines of the protocol fit the pipe many times over, so this never waits;
  /// that nobody reads them any more shows at the next read.
  void send(const std::string& line) const;

  Reading next(Clock::time_point deadline, const volatile std::sig_atomic_t& interrupted);

  /// Kills whatever is left, waits for it and says how it ended: "exit status 1", "signal 11 (Segmentation fault)".
  /// A process that the kernel does not let go (a GPU that hangs) is left behind after 5 s, and said so.
  std::string end();

  /// The last 4 KiB of its standard error.
  const std::string& last_words() const { return m_errors; }

 private:
  void read_output();
  void read_errors();
  void close_pipes();
  bool take_line(std::string& line);
  bool has_exited();
  void wait_for_exit(std::chrono::milliseconds limit);

  pid_t m_process = -1;
  int m_input = -1;
  int m_output = -1;
  int m_error = -1;
  bool m_reaped = false;
  int m_status = 0;
  std::string m_buffer;
  std::string m_errors;
};

}  // namespace torchkiln::verifier
