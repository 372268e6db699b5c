#pragma once
// Progress on standard error: a live line per running step on a terminal, one line per finished step elsewhere, or
// a JSON object per event. Also remembers where the time went.

#include "foundation/base/progress.hpp"
#include "interface/console/terminal.hpp"

#include <chrono>
#include <condition_variable>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace torchkiln::console {

/// A finished step.
struct StepTime {
  std::string verb, subject, outcome;
  double seconds = 0;
};

class ConsoleProgress final : public base::Progress {
 public:
  explicit ConsoleProgress(const View& view);
  ~ConsoleProgress() override;

  StepId begin(std::string_view verb, std::string_view subject) override;
  void update(StepId step, std::uint64_t done, std::uint64_t total) override;
  void output(StepId step, std::string_view line) override;
  void end(StepId step, std::string_view outcome) override;
  void abandon(StepId step) override;
  void warn(std::string_view text) override;

  /// Every finished step, in the order of their ends.
  std::vector<StepTime> times() const;
  /// Takes the live lines off the terminal, before other output.
  void clear();

 private:
  struct Running {
    std::string verb, subject, last_line;
    double start_s = 0;
    std::uint64_t done = 0, total = 0;
  };
  void tick();
  /// What takes the live lines off the terminal.
  std::string taken_off();
  /// The lines to show now; what is shown must have been taken off.
  std::string live_lines();
  void redraw();
  void emit(const std::string& line);
  void emit_event(std::string_view event, StepId step, std::string_view key, std::string_view value);

  ProgressMode m_mode;
  Detail m_detail;
  Paint m_paint;
  mutable std::mutex m_mutex;
  std::condition_variable m_wake;
  bool m_stop = false;
  int m_next = 1;
  std::map<StepId, Running> m_running;
  std::vector<StepTime> m_finished;
  int m_live_lines = 0;
  double m_last_line_s = 0;
  std::thread m_ticker;
};

}  // namespace torchkiln::console
