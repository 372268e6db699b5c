#include "interface/console/terminal.hpp"

#include "foundation/sys/environment.hpp"

#include <cerrno>
#include <unistd.h>

#include <fmt/format.h>

namespace torchkiln::console {

namespace {

void write_fully(int fd, std::string_view text) {
  while (!text.empty()) {
    const auto written = ::write(fd, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return;
    text.remove_prefix(static_cast<std::size_t>(written));
  }
}

}  // namespace

Coloring coloring_of(ColorMode mode, int fd) {
  if (mode == ColorMode::always) return Coloring::on;
  if (mode == ColorMode::never || sys::environment("NO_COLOR") || sys::environment("TERM") == "dumb")
    return Coloring::off;
  return ::isatty(fd) ? Coloring::on : Coloring::off;
}

ProgressMode resolved(ProgressMode mode) {
  if (mode != ProgressMode::automatic) return mode;
  const bool live = ::isatty(2) && !sys::environment("CI") && sys::environment("TERM") != "dumb";
  return live ? ProgressMode::tty : ProgressMode::plain;
}

std::string Paint::wrap(const char* code, std::string_view text) const {
  if (m_coloring == Coloring::off) return std::string(text);
  return "\x1b[" + std::string(code) + "m" + std::string(text) + "\x1b[0m";
}

std::string row(std::string_view label, std::string_view value) {
  return fmt::format("  {:<10} {}\n", label, value);
}

void print_result(std::string_view text) {
  write_fully(1, text);
}
void print_message(std::string_view text) {
  write_fully(2, text);
}

}  // namespace torchkiln::console
