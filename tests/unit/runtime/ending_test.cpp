// How runs end before their time: time-outs, interrupts, kills. Nothing may stay behind.

#include "foundation/base/text.hpp"
#include "foundation/sys/environment.hpp"
#include "foundation/sys/interrupt.hpp"
#include "foundation/sys/process.hpp"
#include "layers.hpp"

#include <atomic>
#include <catch2/catch.hpp>
#include <csignal>
#include <fcntl.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

extern char** environ;

using namespace torchkiln;
using test::shell;
using test::TarText;
using test::Workshop;
namespace fs = std::filesystem;

namespace {

/// Processes with `word` in their arguments.
std::vector<pid_t> processes_with(const std::string& word) {
  std::vector<pid_t> found;
  for (const auto& entry : fs::directory_iterator("/proc")) {
    const auto pid = base::parse_integer(entry.path().filename().string());
    if (!pid || *pid == ::getpid()) continue;
    const auto arguments = sys::read_file(entry.path() / "cmdline");
    if (arguments && arguments->find(word) != std::string::npos) found.push_back(static_cast<pid_t>(*pid));
  }
  return found;
}

bool becomes_true(const std::function<bool()>& condition, double within_s) {
  for (const double end_s = sys::monotonic_s() + within_s; sys::monotonic_s() < end_s; ::usleep(20'000))
    if (condition()) return true;
  return condition();
}

/// A word that no other process on this machine has in its arguments.
std::string unique_word() {
  return "torchkiln-sleeper-" + std::to_string(::getpid()) + "-" + std::to_string(sys::monotonic_s());
}

/// Sleeps, with a grandchild, and hears no polite request to end.
std::string stubborn_sleep(const std::string& word) {
  return "trap '' TERM INT HUP; sh -c 'trap \"\" TERM INT; sleep 1000; : " + word +
         "' & echo ready >&2; while true; do sleep 1000; done; : " + word;
}

}  // namespace

TEST_CASE("a time-out ends the container, however stubborn, and tells what it had said") {
  Workshop here;
  const auto word = unique_word();
  auto request = shell("echo said; " + stubborn_sleep(word));
  request.root = runtime::RootAccess::throw_away;
  request.timeout_s = 1;
  const double start_s = sys::monotonic_s();
  const auto outcome = here.runner.run(here.runner.choose().value(), {}, request);
  REQUIRE(outcome);
  CHECK(outcome->timed_out);
  CHECK(outcome->exit_status != 0);
  CHECK(outcome->output == "said\n");
  CHECK(sys::monotonic_s() - start_s < 5);
  CHECK(processes_with(word).empty());
  CHECK(here.leftovers().empty());
}

// Not a test of its own: the program that the tests below start, and end.
TEST_CASE("sleeper", "[.sleeper]") {
  sys::catch_interrupts();
  REQUIRE(sys::environment("TORCHKILN_TEST_FOLDER"));
  const fs::path folder = *sys::environment("TORCHKILN_TEST_FOLDER");
  runtime::Runner runner(sys::executable_path(), folder / "runs");
  auto request = shell(stubborn_sleep(*sys::environment("TORCHKILN_TEST_WORD")));
  request.timeout_s = 0;
  request.root = runtime::RootAccess::throw_away;
  request.on_line = [&](std::string_view) { REQUIRE(sys::write_file(folder / "ready", "")); };
  const auto outcome = runner.run(runner.choose().value(), {}, request);
  REQUIRE_FALSE(outcome);
  REQUIRE(outcome.error().code == base::ErrorCode::interrupted);
  REQUIRE(sys::list_directory(folder / "runs").value() == std::vector<std::string>{"lock"});
}

namespace {

/// Starts the sleeper, waits until its container runs, sends it a signal, and gives how it ended.
int end_sleeper(const Workshop& here, const std::string& word, int signal) {
  ::setenv("TORCHKILN_TEST_FOLDER", here.folder.path().c_str(), 1);
  ::setenv("TORCHKILN_TEST_WORD", word.c_str(), 1);
  const auto program = sys::executable_path().string();
  std::string name = "sleeper", quiet = "-o", nowhere = "/dev/null", self = program;
  char* arguments[] = {self.data(), name.data(), quiet.data(), nowhere.data(), nullptr};
  pid_t pid = -1;
  REQUIRE(::posix_spawn(&pid, program.c_str(), nullptr, nullptr, arguments, environ) == 0);
  CHECK(becomes_true([&] { return fs::exists(here.folder.path() / "ready"); }, 20));
  CHECK(processes_with(word).size() >= 2);
  ::kill(pid, signal);
  int status = -1;
  REQUIRE(::waitpid(pid, &status, 0) == pid);
  return status;
}

}  // namespace

TEST_CASE("an interrupt ends the container and leaves nothing") {
  for (const int signal : {SIGINT, SIGTERM}) {
    Workshop here;
    const auto word = unique_word();
    CHECK(end_sleeper(here, word, signal) == 0);
    CHECK(processes_with(word).empty());
    CHECK(here.leftovers().empty());
  }
}

TEST_CASE("our own death ends the container, and the next run removes what was left") {
  Workshop here;
  const auto word = unique_word();
  CHECK(end_sleeper(here, word, SIGKILL) == SIGKILL);
  CHECK(becomes_true([&] { return processes_with(word).empty(); }, 5));
  CHECK(here.leftovers().size() == 1);
  auto next = shell("true");
  REQUIRE(here.runner.run(here.runner.choose().value(), {}, next));
  CHECK(here.leftovers().empty());
}

TEST_CASE("a killed unpacking leaves nothing that counts, and the next one succeeds") {
  Workshop here;
  auto layer = here.layer(TarText().folder("d").file("d/a", "alpha").text());
  // A blob that never ends: the first half of the real one, in a pipe.
  const auto blob = sys::read_file(layer.blob).value();
  auto endless = layer;
  endless.media_type = test::k_tar_type;
  endless.blob = here.folder.path() / "pipe";
  REQUIRE(::mkfifo(endless.blob.c_str(), 0600) == 0);
  std::optional<base::Error> error;
  std::thread unpacking([&] {
    const auto unpacked = here.store.unpack(endless);
    if (!unpacked) error = unpacked.error();
  });
  const sys::FileDescriptor writer(::open(endless.blob.c_str(), O_WRONLY | O_CLOEXEC));
  const auto half = TarText().folder("d").file("d/b", "beta").without_end();
  CHECK(::write(writer.get(), half.data(), half.size()) == static_cast<ssize_t>(half.size()));
  const auto work = here.folder.path() / "store" / "work";
  CHECK(becomes_true(
      [&] {
        for (const auto& name : sys::list_directory(work).value_or(std::vector<std::string>()))
          if (fs::exists(work / name / "entry/tree/d")) return true;
        return false;
      },
      10));
  for (const pid_t pid : processes_with(work.string())) ::kill(pid, SIGKILL);
  unpacking.join();
  REQUIRE(error);
  CHECK(error->message.find("without an answer") != std::string::npos);
  CHECK_FALSE(here.store.contains(layer.diff_id));
  CHECK(sys::read_file(here.unpack(layer) / "d/a").value() == "alpha");
  CHECK(here.leftovers().empty());
}

// Not a test of its own: runs with a folder on a disk of four megabytes.
TEST_CASE("full disk", "[.full-disk]") {
  REQUIRE(sys::environment("TORCHKILN_TEST_FOLDER"));
  Workshop here;
  const runtime::UnpackStore store(*sys::environment("TORCHKILN_TEST_FOLDER"), sys::executable_path());
  const auto small = here.layer(TarText().file("a", "alpha").text());
  const auto unpacked = store.unpack(here.layer(TarText().file("a", std::string(8 << 20, 'x')).text()));
  REQUIRE_FALSE(unpacked);
  REQUIRE(unpacked.error().code == base::ErrorCode::disk_full);
  REQUIRE(sys::list_directory(*sys::environment("TORCHKILN_TEST_FOLDER") + "/work").value() ==
          std::vector<std::string>{"lock"});
  REQUIRE(store.unpack(small));
}

TEST_CASE("a full disk is told, and what was unpacked so far is gone", "[as-root]") {
  if (!sys::is_root()) return;  // who is not cannot mount a small disk
  Workshop here;
  const auto folder = (here.folder.path() / "disk").string();
  REQUIRE(sys::make_directories(folder));
  ::setenv("TORCHKILN_TEST_FOLDER", folder.c_str(), 1);
  sys::Command command;
  command.arguments = {"unshare",
                       "--mount",
                       "sh",
                       "-c",
                       "mount -t tmpfs -o size=4m none \"$0\" && exec \"$1\" 'full disk'",
                       folder,
                       sys::executable_path().string()};
  const auto outcome = sys::run(command);
  REQUIRE(outcome);
  INFO(outcome->output << outcome->errors);
  CHECK(outcome->exit_status == 0);
}
