#include "foundation/sys/process.hpp"

#include "foundation/sys/environment.hpp"
#include "foundation/sys/files.hpp"
#include "foundation/sys/interrupt.hpp"
#include "support/child.hpp"
#include "support/test_folder.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <csignal>
#include <thread>

using namespace torchkiln::sys;
using torchkiln::base::ErrorCode;
using torchkiln::test::error_of;
using torchkiln::test::in_child;
using torchkiln::test::must;
using torchkiln::test::TestFolder;

namespace {

Command shell(const std::string& script) {
  Command command;
  command.arguments = {"sh", "-c", script};
  return command;
}

/// Whether the process is gone; waits a little for init to reap it.
bool is_gone(const std::string& pid) {
  for (int i = 0; i < 100; ++i) {
    const auto status = read_file("/proc/" + pid + "/stat");
    if (!status || status->find(") Z ") != std::string::npos) return true;
    ::usleep(20'000);
  }
  return false;
}

}  // namespace

TEST_CASE("a program's status, output and errors are values") {
  const auto done = must(run(shell("echo out; echo err >&2; exit 7")));
  CHECK(done.exit_status == 7);
  CHECK(done.output == "out\n");
  CHECK(done.errors == "err\n");
  CHECK_FALSE(done.timed_out);
}

TEST_CASE("a program that a signal ended has status 128 and the signal's number") {
  CHECK(must(run(shell("kill -9 $$"))).exit_status == 137);
  CHECK(must(run(shell("kill -15 $$"))).exit_status == 143);
}

TEST_CASE("arguments reach the program as they are, with no shell between") {
  Command command;
  command.arguments = {"printf", "%s|", "a b", "$HOME", "`id`", "", "*", "new\nline", "\"'\\"};
  CHECK(must(run(command)).output == "a b|$HOME|`id`||*|new\nline|\"'\\|");
}

TEST_CASE("a program gets the folder and environment it was given and nothing else") {
  TestFolder folder;
  auto command = shell("pwd; env | sort");
  command.directory = folder.path();
  command.environment = {{"B", "2=3"}, {"A", ""}};
  const auto done = must(run(command));
  CHECK_THAT(done.output, Catch::Matchers::StartsWith(folder.path().string() + "\nA=\nB=2=3\n"));
  CHECK(done.output.find("HOME=") == std::string::npos);
}

TEST_CASE("a program does not get what we have open, even where our caller meant it for every child") {
  const int kept = ::dup(0);
  REQUIRE(kept > 2);
  const auto descriptor = "/proc/self/fd/" + std::to_string(kept);
  CHECK(::access(descriptor.c_str(), F_OK) == 0);
  CHECK(must(run(shell("test ! -e " + descriptor))).exit_status == 0);
  ::close(kept);
}

TEST_CASE("a folder that is not there is an error") {
  auto command = shell("true");
  command.directory = "/no/such/folder";
  CHECK(error_of(run(command)).code == ErrorCode::tool_missing);
}

TEST_CASE("a large input goes through while a large output comes") {
  std::string input;
  for (int i = 0; i < 300'000; ++i) input += std::to_string(i) + "\n";
  Command command;
  command.arguments = {"cat"};
  command.input = input;
  CHECK(must(run(command)).output == input);
}

TEST_CASE("a program that does not read its input is no trouble") {
  ::signal(SIGPIPE, SIG_IGN);  // as catch_interrupts() has it
  auto command = shell("exec <&-; sleep 0.1; echo done");
  command.input = std::string(1U << 20, 'x');
  CHECK(must(run(command)).output == "done\n");
}

TEST_CASE("standard input is empty where none is given") {
  Command command;
  command.arguments = {"cat"};
  CHECK(must(run(command)).output.empty());
}

TEST_CASE("lines of standard error are told as they come, the last without its end too") {
  std::vector<std::string> lines;
  auto command = shell("printf 'one\\ntwo\\nthr' >&2; echo not this; sleep 0.05; printf ee >&2");
  command.on_line = [&](std::string_view line) { lines.emplace_back(line); };
  must(run(command));
  CHECK(lines == std::vector<std::string>{"one", "two", "three"});
}

TEST_CASE("standard output can go to a file of ours") {
  TestFolder folder;
  const auto fd = must(open_file(folder.path("out"), O_WRONLY | O_CREAT));
  auto command = shell("echo text; echo err >&2");
  command.output_fd = fd.get();
  const auto done = must(run(command));
  CHECK(done.output.empty());
  CHECK(done.errors == "err\n");
  CHECK(folder.text("out") == "text\n");
}

TEST_CASE("a time-out ends the whole group, grandchildren too") {
  TestFolder folder;
  auto command = shell("sleep 1000 & echo $! > grandchild; echo $$ > child; wait");
  command.directory = folder.path();
  command.timeout_s = 0.5;
  const double start_s = monotonic_s();
  const auto done = must(run(command));
  CHECK(done.timed_out);
  CHECK(done.exit_status == 128 + SIGTERM);
  CHECK(monotonic_s() - start_s < 4);
  for (const char* who : {"child", "grandchild"}) {
    auto pid = folder.text(who);
    pid.pop_back();
    CHECK(is_gone(pid));
  }
}

TEST_CASE("a program that closed its outputs but goes on is ended by the time-out as well") {
  auto command = shell("exec >&- 2>&-; exec sleep 1000");
  command.timeout_s = 0.3;
  const double start_s = monotonic_s();
  const auto done = must(run(command));
  CHECK(done.timed_out);
  CHECK(monotonic_s() - start_s < 4);
}

TEST_CASE("a program that ignores the request to end is killed") {
  auto command = shell("trap '' TERM; echo ready; while :; do sleep 0.2; done");
  command.timeout_s = 0.3;
  command.grace_s = 0.5;
  const auto done = must(run(command));
  CHECK(done.timed_out);
  CHECK(done.exit_status == 128 + SIGKILL);
  CHECK(done.output == "ready\n");
}

TEST_CASE("a program that writes without end is ended at the limit") {
  TestFolder folder;
  auto command = shell("echo $$ > pid; exec yes");
  command.directory = folder.path();
  command.output_limit_bytes = 1'000'000;
  const auto error = error_of(run(command));
  CHECK(error.code == ErrorCode::tool_failed);
  CHECK(error.message == "'sh' wrote more than 1.0 MB of output");
  auto pid = folder.text("pid");
  pid.pop_back();
  CHECK(is_gone(pid));
}

TEST_CASE("a program that is not installed is tool_missing with a hint") {
  Command command;
  command.arguments = {"no-such-program-anywhere"};
  const auto error = error_of(run(command));
  CHECK(error.code == ErrorCode::tool_missing);
  CHECK(error.message == "cannot run 'no-such-program-anywhere': No such file or directory");
  CHECK(error.hints ==
        std::vector<std::string>{"install it; scripts/setup installs every program that torchkiln drives"});
  command.arguments = {"/no/such/program"};
  CHECK(error_of(run(command)).code == ErrorCode::tool_missing);
  TestFolder folder;
  command.arguments = {folder.write("not-executable", "#!/bin/sh\n").string()};
  CHECK(error_of(run(command)).message == "cannot run '" + command.arguments[0] + "': Permission denied");
}

TEST_CASE("a checked program's failure carries the last lines that it said") {
  CHECK(must(run_checked(shell("echo fine"))).output == "fine\n");
  const auto error =
      error_of(run_checked(shell("for i in $(seq 20); do echo line $i >&2; echo >&2; done; exit 3")));
  CHECK(error.code == ErrorCode::tool_failed);
  CHECK(error.message == "'sh' failed with status 3");
  CHECK(error.notes.size() <= 12);
  CHECK(error.notes.back() == "line 20");
  auto slow = shell("sleep 1000");
  slow.timeout_s = 1;
  CHECK(error_of(run_checked(slow)).message == "'sh' did not end within 1 s");
}

TEST_CASE("what a program said on standard output is told when it said nothing else") {
  CHECK(error_of(run_checked(shell("echo only this; exit 1"))).notes == std::vector<std::string>{"only this"});
}

TEST_CASE("a program run for the user gives its status back") {
  CHECK(must(run_interactive(shell("exit 5"))) == 5);
  CHECK(must(run_interactive(shell("kill -9 $$"))) == 137);
}

TEST_CASE("our environment is given as it is") {
  ::setenv("TK_TEST_VARIABLE", "a=b", 1);
  CHECK(current_environment().at("TK_TEST_VARIABLE") == "a=b");
  ::unsetenv("TK_TEST_VARIABLE");
}

TEST_CASE("an interrupt ends the program's whole group and is an error of its own") {
  TestFolder folder;
  CHECK(in_child([&]() -> std::string {
          catch_interrupts();
          std::thread([] {
            ::usleep(300'000);
            ::kill(::getpid(), SIGINT);
          }).detach();
          auto command = shell("sleep 1000 & echo $! > grandchild; wait");
          command.directory = folder.path();
          const auto done = run(command);
          if (done) return "it ended by itself";
          return std::string(name(done.error().code)) + " " + (interrupted() ? "and it is known" : "");
        }) == "interrupted and it is known");
  auto pid = folder.text("grandchild");
  pid.pop_back();
  CHECK(is_gone(pid));
}

TEST_CASE("a second interrupt ends us at once") {
  CHECK(in_child([]() -> std::string {
          catch_interrupts();
          ::kill(::getpid(), SIGTERM);
          ::kill(::getpid(), SIGTERM);
          return "still here";
        }) == " (died of signal 15)");
}
