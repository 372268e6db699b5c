#include "interface/console/progress.hpp"

#include "foundation/base/text.hpp"
#include "foundation/sys/environment.hpp"

#include <algorithm>
#include <sys/ioctl.h>
#include <unistd.h>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace torchkiln::console {

namespace {

constexpr int k_verb_columns = 14;
constexpr double k_heartbeat_s = 30;
constexpr auto k_redraw_interval = std::chrono::milliseconds(200);

struct TerminalSize {
  std::size_t columns = 80, rows = 24;
};

TerminalSize terminal_size() {
  winsize size = {};
  if (::ioctl(2, TIOCGWINSZ, &size) != 0 || size.ws_col <= 20 || size.ws_row < 2) return {};
  return {size.ws_col, size.ws_row};
}

/// At most `bytes` of the text, which is UTF-8, and no half character.
std::string_view cut(std::string_view text, std::size_t bytes) {
  if (text.size() <= bytes) return text;
  while (bytes > 0 && (static_cast<unsigned char>(text[bytes]) & 0xc0) == 0x80) --bytes;
  return text.substr(0, bytes);
}

/// A byte that other programs wrote may hold control codes; a line of ours must not.
std::string printable(std::string_view line) {
  std::string text;
  for (const char c : line)
    if (static_cast<unsigned char>(c) >= 0x20 && c != 0x7f) text += c;
  return text;
}

}  // namespace

ConsoleProgress::ConsoleProgress(const View& view)
    : m_mode(view.detail == Detail::quiet ? ProgressMode::none : resolved(view.progress)),
      m_detail(view.detail),
      m_paint(coloring_of(view.color, 2)),
      m_last_line_s(sys::monotonic_s()) {
  if (m_mode == ProgressMode::tty || m_mode == ProgressMode::plain) m_ticker = std::thread([this] { tick(); });
}

ConsoleProgress::~ConsoleProgress() {
  {
    const std::lock_guard lock(m_mutex);
    m_stop = true;
    print_message(taken_off());
  }
  m_wake.notify_all();
  if (m_ticker.joinable()) m_ticker.join();
}

base::Progress::StepId ConsoleProgress::begin(std::string_view verb, std::string_view subject) {
  const std::lock_guard lock(m_mutex);
  const int id = m_next++;
  m_running[id] = {std::string(verb), std::string(subject), {}, sys::monotonic_s(), 0, 0};
  if (m_mode == ProgressMode::json) emit_event("begin", id, "subject", subject);
  if (m_mode == ProgressMode::plain && m_detail == Detail::verbose)
    emit(fmt::format("{:>{}} {} …", verb, k_verb_columns, subject));
  return id;
}

void ConsoleProgress::update(StepId step, std::uint64_t done, std::uint64_t total) {
  const std::lock_guard lock(m_mutex);
  auto& running = m_running[step];
  running.done = done;
  running.total = total;
}

void ConsoleProgress::output(StepId step, std::string_view line) {
  const std::lock_guard lock(m_mutex);
  auto text = printable(line);
  if (m_mode == ProgressMode::json) emit_event("output", step, "line", text);
  if (m_detail == Detail::verbose && m_mode != ProgressMode::json && m_mode != ProgressMode::none)
    emit(std::string(k_verb_columns + 1, ' ') + m_paint.dim(text));
  m_running[step].last_line = std::move(text);
}

void ConsoleProgress::end(StepId step, std::string_view outcome) {
  const std::lock_guard lock(m_mutex);
  const auto found = m_running.find(step);
  TK_ASSERT(found != m_running.end(), "a step ends once");
  const auto running = found->second;
  m_running.erase(found);
  const double seconds = sys::monotonic_s() - running.start_s;
  m_finished.push_back({running.verb, running.subject, std::string(outcome), seconds});
  if (m_mode == ProgressMode::json) {
    emit_event("end", step, "outcome", outcome);
    return;
  }
  const auto verb = fmt::format("{:>{}}", running.verb, k_verb_columns);
  emit(fmt::format("{} {}{}{} {}", m_paint.green(verb), running.subject, outcome.empty() ? "" : ": ", outcome,
                   m_paint.dim(fmt::format("({:.1f} s)", seconds))));
}

void ConsoleProgress::abandon(StepId step) {
  const std::lock_guard lock(m_mutex);
  m_running.erase(step);
  if (m_mode == ProgressMode::json) emit_event("abandon", step, "", "");
  redraw();
}

void ConsoleProgress::warn(std::string_view text) {
  const std::lock_guard lock(m_mutex);
  if (m_mode == ProgressMode::json) {
    emit_event("warning", 0, "text", text);
    return;
  }
  print_message(taken_off() + m_paint.yellow("warning:") + " " + std::string(text) + "\n");
}

std::vector<StepTime> ConsoleProgress::times() const {
  const std::lock_guard lock(m_mutex);
  return m_finished;
}

void ConsoleProgress::clear() {
  const std::lock_guard lock(m_mutex);
  print_message(taken_off());
}

void ConsoleProgress::emit(const std::string& line) {
  if (m_mode == ProgressMode::none) return;
  // One write, or the display flickers.
  auto text = taken_off() + line + "\n";
  if (m_mode == ProgressMode::tty) text += live_lines();
  print_message(text);
  m_last_line_s = sys::monotonic_s();
}

void ConsoleProgress::emit_event(std::string_view event, StepId step, std::string_view key,
                                 std::string_view value) {
  nlohmann::ordered_json json = {{"schema", "torchkiln.progress/1"}, {"event", event}, {"step", step}};
  if (const auto running = m_running.find(step); running != m_running.end()) json["verb"] = running->second.verb;
  if (!key.empty()) json[std::string(key)] = value;
  print_message(json.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n");
}

std::string ConsoleProgress::taken_off() {
  if (m_live_lines == 0) return "";
  return fmt::format("\x1b[{}A\x1b[J", std::exchange(m_live_lines, 0));
}

std::string ConsoleProgress::live_lines() {
  const auto [columns, rows] = terminal_size();
  std::string text;
  for (const auto& [id, running] : m_running) {
    // The cursor cannot go back to a line that was scrolled out.
    if (m_live_lines + 1 >= static_cast<int>(rows)) break;
    std::string line = running.subject;
    if (running.total > 0)
      line += fmt::format(": {} of {}", base::format_bytes(running.done), base::format_bytes(running.total));
    else if (!running.last_line.empty())
      line += ": " + running.last_line;
    const auto seconds = fmt::format(" {:.0f} s", sys::monotonic_s() - running.start_s);
    const auto used = k_verb_columns + 2 + seconds.size();
    const auto room = columns > used ? columns - used : 0;
    text += m_paint.cyan(fmt::format("{:>{}}", running.verb, k_verb_columns)) + " " + std::string(cut(line, room)) +
            m_paint.dim(seconds) + "\n";
    ++m_live_lines;
  }
  return text;
}

void ConsoleProgress::redraw() {
  if (m_mode != ProgressMode::tty) return;
  auto text = taken_off();
  text += live_lines();
  print_message(text);
}

void ConsoleProgress::tick() {
  std::unique_lock lock(m_mutex);
  while (!m_stop) {
    m_wake.wait_for(lock, k_redraw_interval);
    if (m_stop) return;
    if (m_mode == ProgressMode::tty) {
      redraw();
    } else if (!m_running.empty() && sys::monotonic_s() - m_last_line_s > k_heartbeat_s) {
      // Nothing was said for a while: whoever watches a log wants to see that it lives.
      for (const auto& [id, running] : m_running) {
        const auto amount = running.total > 0 ? fmt::format(", {} of {}", base::format_bytes(running.done),
                                                            base::format_bytes(running.total))
                                              : "";
        print_message(fmt::format("{:>{}} {} … {:.0f} s{}\n", running.verb, k_verb_columns, running.subject,
                                  sys::monotonic_s() - running.start_s, amount));
      }
      m_last_line_s = sys::monotonic_s();
    }
  }
}

}  // namespace torchkiln::console
