// What stands on standard error while work goes on. Each case runs in a child whose standard error is a file or a
// terminal of the test.

#include "interface/console/progress.hpp"

#include "support/child.hpp"
#include "support/test_folder.hpp"

#include <catch2/catch.hpp>
#include <functional>
#include <memory>
#include <pty.h>
#include <thread>
#include <vector>

#include <nlohmann/json.hpp>

using namespace torchkiln;
using namespace torchkiln::console;
using namespace std::chrono_literals;

namespace {

/// What a child with this view wrote to its standard error.
std::string said(const View& view, const std::function<void(ConsoleProgress&)>& work) {
  const test::TestFolder folder;
  const auto file = (folder.path() / "stderr").string();
  test::in_child([&] {
    const int fd = ::open(file.c_str(), O_WRONLY | O_CREAT, 0600);
    ::dup2(fd, 2);
    ConsoleProgress progress(view);
    work(progress);
    return std::string();
  });
  return test::must(sys::read_file(file));
}

/// The same on a terminal of 60 columns and 4 rows.
std::string said_on_terminal(const std::function<void(ConsoleProgress&)>& work) {
  winsize size = {};
  size.ws_col = 60, size.ws_row = 4;
  int terminal = -1;
  const pid_t child = ::forkpty(&terminal, nullptr, nullptr, &size);
  REQUIRE(child >= 0);
  if (child == 0) {
    {
      ConsoleProgress progress({.progress = ProgressMode::tty, .color = ColorMode::never});
      work(progress);
    }
    ::_exit(0);
  }
  std::string text;
  char buffer[4096];
  for (ssize_t got; (got = ::read(terminal, buffer, sizeof buffer)) > 0;)
    text.append(buffer, static_cast<std::size_t>(got));
  ::waitpid(child, nullptr, 0);
  ::close(terminal);
  return text;
}

/// The screen once `text` was written to it, line by line, without what was taken off again.
std::vector<std::string> screen_of(const std::string& text) {
  std::vector<std::string> lines(1);
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\r') continue;
    if (text[i] == '\n') {
      lines.emplace_back();
    } else if (text[i] == '\x1b') {
      std::size_t end = i + 2;
      while (end < text.size() && std::isdigit(static_cast<unsigned char>(text[end]))) ++end;
      const auto number = end > i + 2 ? std::stoul(text.substr(i + 2)) : 1;
      // Up n lines, then all below is erased: as the display uses them, always together and at a line's start.
      if (text[end] == 'A') {
        REQUIRE(number < lines.size());
        lines.resize(lines.size() - number);
        lines.back().clear();
      }
      i = end;
    } else {
      lines.back() += text[i];
    }
  }
  return lines;
}

std::string without_seconds(std::string line) {
  const auto at = line.rfind(" (");
  return at == std::string::npos ? line : line.substr(0, at);
}

}  // namespace

TEST_CASE("elsewhere than on a terminal a finished step is one line") {
  const auto text = said({.progress = ProgressMode::plain}, [](ConsoleProgress& progress) {
    base::Step step(progress, "Locking", "kiln.toml");
    step.output("a line of uv");
    step.end("62 packages");
    base::Step gone(progress, "Building", "x");
  });
  CHECK(without_seconds(text) == "       Locking kiln.toml: 62 packages");
  CHECK_THAT(text, Catch::Matchers::EndsWith(" s)\n"));
}

TEST_CASE("verbose shows what programs say, without their control codes") {
  const auto text =
      said({.progress = ProgressMode::plain, .detail = Detail::verbose}, [](ConsoleProgress& progress) {
        base::Step step(progress, "Locking", "kiln.toml");
        step.output("\x1b[2Jwiped\r");
        step.end("done");
      });
  CHECK_THAT(text, Catch::Matchers::Contains("               [2Jwiped\n"));
}

TEST_CASE("quiet says warnings only") {
  CHECK(said({.progress = ProgressMode::plain, .detail = Detail::quiet}, [](ConsoleProgress& progress) {
          base::Step(progress, "Locking", "kiln.toml").end("done");
          progress.warn("the clock is wrong");
        }) == "warning: the clock is wrong\n");
}

TEST_CASE("for programs an event is a JSON object a line") {
  const auto text = said({.progress = ProgressMode::json}, [](ConsoleProgress& progress) {
    base::Step step(progress, "Locking", "kiln.toml");
    step.output("no UTF-8: \xff");
    step.end("done");
    base::Step gone(progress, "Building", "x");
  });
  std::vector<std::string> events;
  for (std::size_t at = 0; at < text.size();) {
    const auto end = text.find('\n', at);
    REQUIRE(end != std::string::npos);
    const auto json = nlohmann::json::parse(text.substr(at, end - at));
    CHECK(json["schema"] == "torchkiln.progress/1");
    events.push_back(json["event"]);
    at = end + 1;
  }
  CHECK(events == std::vector<std::string>{"begin", "output", "end", "begin", "abandon"});
}

TEST_CASE("on a terminal running steps are live lines that are gone at the end") {
  const auto text = said_on_terminal([](ConsoleProgress& progress) {
    base::Step one(progress, "Downloading", "62 wheels");
    one.update(1'000'000, 4'000'000);
    base::Step two(progress, "Building", "the base läyer with a name that is longer than the whole line");
    std::this_thread::sleep_for(500ms);
    one.end("4.0 MB");
  });
  CHECK_THAT(text, Catch::Matchers::Contains("62 wheels: 1.0 MB of 4.0 MB"));
  const auto screen = screen_of(text);
  REQUIRE(screen.size() == 2);
  CHECK(without_seconds(screen[0]) == "   Downloading 62 wheels: 4.0 MB");
  CHECK(screen[1].empty());
}

TEST_CASE("a live line is never wider than the terminal, and cut between characters") {
  const auto text = said_on_terminal([](ConsoleProgress& progress) {
    std::string many;
    for (int i = 0; i < 40; ++i) many += "ä";
    // The limit falls into the middle of one of these two-byte characters or between two, whatever the clock says.
    base::Step step(progress, "Building", "x" + many);
    base::Step other(progress, "Building", many);
    std::this_thread::sleep_for(300ms);
  });
  CHECK_THAT(text, Catch::Matchers::Contains("Building"));
  for (const auto& line : screen_of(text)) CHECK(line.size() <= 60);
  CHECK_NOTHROW(nlohmann::json(text).dump());  // throws where bytes are no UTF-8
}

TEST_CASE("more steps than the terminal has rows do not spoil what stands above") {
  const auto text = said_on_terminal([](ConsoleProgress& progress) {
    base::Step(progress, "Locking", "first").end("done");
    std::vector<std::unique_ptr<base::Step>> steps;
    for (int i = 0; i < 8; ++i) steps.push_back(std::make_unique<base::Step>(progress, "Building", "x"));
    std::this_thread::sleep_for(500ms);
  });
  const auto screen = screen_of(text);
  CHECK(without_seconds(screen[0]) == "       Locking first: done");
  for (std::size_t at = text.find("\x1b["); at != std::string::npos; at = text.find("\x1b[", at + 1))
    if (text[at + 3] == 'A') CHECK(text[at + 2] <= '3');
}
