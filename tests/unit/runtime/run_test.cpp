// Commands in containers: what they see, what they may do, and how they come back.

#include "foundation/base/text.hpp"
#include "layers.hpp"

#include <catch2/catch.hpp>
#include <unistd.h>

using namespace torchkiln;
using runtime::Access;
using runtime::RootAccess;
using runtime::RunOutcome;
using runtime::RunRequest;
using runtime::RuntimeKind;
using test::shell;
using test::TarText;
using test::Workshop;
namespace fs = std::filesystem;

namespace {

std::string told(const base::Error& error) {
  std::string text = error.message;
  for (const auto& note : error.notes) text += "\n" + note;
  return text;
}

RunOutcome run_with(RuntimeKind kind, Workshop& here, const RunRequest& request,
                    const std::vector<fs::path>& lower) {
  auto outcome = here.runner.run(kind, lower, request);
  if (!outcome) FAIL(told(outcome.error()));
  return *outcome;
}

RunOutcome run(Workshop& here, const RunRequest& request, const std::vector<fs::path>& lower = {}) {
  const auto kind = here.runner.choose();
  if (!kind) FAIL(told(kind.error()));
  return run_with(*kind, here, request, lower);
}

/// The words of a file of /proc that follow `key` in the command's output.
std::string value_after(const std::string& output, std::string_view key) {
  for (const auto line : base::lines(output))
    if (line.starts_with(key)) return std::string(base::trim(line.substr(key.size())));
  return "";
}

}  // namespace

TEST_CASE("a command's output, errors and exit status come back, with each runtime") {
  Workshop here;
  for (const auto kind : {RuntimeKind::runc, RuntimeKind::crun}) {
    INFO(runtime::name(kind));
    const auto chosen = here.runner.choose(kind);
    if (!chosen) FAIL(told(chosen.error()));
    std::vector<std::string> heard;
    auto request = shell("echo out; echo err >&2; exit 42");
    request.on_line = [&](std::string_view line) { heard.emplace_back(line); };
    const auto outcome = run_with(kind, here, request, {});
    CHECK(outcome.output == "out\n");
    CHECK(outcome.errors == "err\n");
    CHECK(heard == std::vector<std::string>{"err"});
    CHECK(outcome.exit_status == 42);
    CHECK_FALSE(outcome.timed_out);
    CHECK(outcome.seconds > 0);
    CHECK(run_with(kind, here, shell("sh -c 'kill -9 $$'; exit $?"), {}).exit_status == 128 + 9);
  }
  CHECK(here.leftovers().empty());
}

TEST_CASE("a command has the user, folder, environment, name and umask it was given") {
  Workshop here;
  auto request = shell("id -u; id -g; pwd; echo $A; hostname; umask; echo $PATH");
  request.uid = 1000;
  request.gid = 1001;
  request.directory = "/tmp";
  request.environment = {{"A", "a b=c"}};
  request.hostname = "kiln";
  CHECK(run(here, request).output ==
        "1000\n1001\n/tmp\na b=c\nkiln\n0022\n"
        "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n");
  request = shell("env | sort");
  CHECK(run(here, request).output.find("A=") == std::string::npos);
}

TEST_CASE("a command has few privileges as root and none as another user") {
  Workshop here;
  auto request = shell("grep -E '^(Cap|NoNewPrivs)' /proc/self/status");
  const auto as_root = run(here, request).output;
  CHECK(value_after(as_root, "CapEff:") == "00000000000000fb");
  CHECK(value_after(as_root, "CapBnd:") == "00000000000000fb");
  CHECK(value_after(as_root, "NoNewPrivs:") == "1");
  request.uid = request.gid = 1000;
  const auto as_user = run(here, request).output;
  for (const char* set : {"CapInh:", "CapPrm:", "CapEff:", "CapBnd:", "CapAmb:"})
    CHECK(value_after(as_user, set) == "0000000000000000");
}

TEST_CASE("a command sees neither our processes, nor our files, nor our descriptors") {
  Workshop here;
  CHECK(run(here, shell("ls /proc/self/fd | wc -l")).output == "4\n");  // 0, 1, 2 and the folder itself
  CHECK(run(here, shell("set -- /proc/[0-9]*; echo $$ $#")).output == "1 1\n");
  CHECK(run(here, shell("ls -d " + here.folder.path().string())).exit_status != 0);
  CHECK(run(here, shell("cat /proc/kcore")).output.empty());
  CHECK(run(here, shell("echo x > /proc/sys/kernel/hostname")).exit_status != 0);
  CHECK(run(here, shell("mknod /tmp/null c 1 3")).exit_status != 0);
}

TEST_CASE("the network is none unless the host's is asked for") {
  Workshop here;
  char ours[64] = {};
  REQUIRE(::readlink("/proc/self/ns/net", ours, sizeof ours - 1) > 0);
  auto request =
      shell("readlink /proc/self/ns/net; tail -n +3 /proc/net/dev | cut -d: -f1; getent hosts localhost");
  const auto alone = run(here, request);
  CHECK(alone.exit_status == 0);
  CHECK(alone.output.find(ours) == std::string::npos);
  CHECK(base::trim(base::lines(alone.output).at(1)) == "lo");
  request.network = runtime::Network::host;
  CHECK(run(here, request).output.find(ours) == 0);
}

TEST_CASE("a read-only root cannot be written to, but memory can") {
  Workshop here;
  const auto lower = here.unpack(here.layer(TarText().folder("data").text()));
  auto request = shell(
      "touch /data/x 2>/dev/null && echo written; touch /x 2>/dev/null && echo written;"
      "for d in /tmp /run /dev/shm; do touch $d/x && echo $d; done; cp /bin/true /tmp/t && /tmp/t");
  const auto outcome = run(here, request, {lower});
  CHECK(outcome.output == "/tmp\n/run\n/dev/shm\n");
  CHECK(outcome.exit_status == 0);
  CHECK(fs::is_empty(lower / "data"));
}

TEST_CASE("files in memory have a limit") {
  Workshop here;
  auto request = shell("head -c 2000000 /dev/zero > /tmp/x");
  request.memory_files_limit_bytes = 1 << 20;
  CHECK(run(here, request).exit_status != 0);
}

TEST_CASE("what is written to a throw-away root is gone") {
  Workshop here;
  const auto lower = here.unpack(here.layer(TarText().file("data/old", "old").file("data/gone", "x").text()));
  auto request =
      shell("rm data/gone && mkdir more && echo new > data/old && rm -r data && mkdir data && ls data | wc -l");
  request.root = RootAccess::throw_away;
  const auto outcome = run(here, request, {lower});
  CHECK(outcome.output == "0\n");
  CHECK(outcome.exit_status == 0);
  CHECK(sys::read_file(lower / "data/old").value() == "old");
  CHECK(fs::exists(lower / "data/gone"));
  CHECK_FALSE(fs::exists(lower / "more"));
  CHECK(here.leftovers().empty());
}

TEST_CASE("what is written to a kept root stays, and the next run sees it") {
  Workshop here;
  const auto lower = here.unpack(here.layer(TarText().folder("data").text()));
  auto request = shell("echo made > /data/made; echo run; cat /data/made");
  request.root = RootAccess::kept;
  request.kept_upper = here.folder.path() / "kept";
  CHECK(run(here, request, {lower}).output == "run\nmade\n");
  CHECK(sys::read_file(request.kept_upper / "upper/data/made").value() == "made\n");
  request.arguments = {"/bin/cat", "/data/made"};
  CHECK(run(here, request, {lower}).output == "made\n");
  // Also what another user inside has made can be removed again.
  request.arguments = {"/bin/sh", "-c", "mkdir -m 0700 /data/o && touch /data/o/x && chown -R 1000:1000 /data/o"};
  CHECK(run(here, request, {lower}).exit_status == 0);
  CHECK(here.runner.remove(request.kept_upper));
  CHECK_FALSE(fs::exists(request.kept_upper));
}

TEST_CASE("forty layers are one image, the upper ones on top") {
  Workshop here;
  std::vector<fs::path> lower;
  for (int i = 0; i < 40; ++i)
    lower.push_back(here.unpack(
        here.layer(TarText().file("top", std::to_string(i)).file("layers/" + std::to_string(i), "x").text())));
  const auto outcome = run(here, shell("cat /top; ls /layers | wc -l"), lower);
  CHECK(outcome.output == "3940\n");
}

TEST_CASE("mounted files and folders are read-only unless asked for") {
  Workshop here;
  const auto folder = here.folder.path() / "shared";
  REQUIRE(sys::make_directories(folder));
  REQUIRE(sys::write_file(folder / "in", "in"));
  auto request = shell("cat /mnt/in; touch /mnt/x 2>/dev/null; echo out > /out/out; cat /one");
  request.mounts.push_back({folder, "/mnt", Access::read_only});
  request.mounts.push_back({folder, "/out", Access::read_write});
  request.mounts.push_back({folder / "in", "/one", Access::read_only});
  CHECK(run(here, request).output == "inin");
  CHECK(sys::read_file(folder / "out").value() == "out\n");
  CHECK_FALSE(fs::exists(folder / "x"));
  CHECK(fs::status(folder / "out").permissions() == fs::perms(0644));
}

TEST_CASE("a command that is not there is an error, not an exit status") {
  Workshop here;
  for (const auto kind : {RuntimeKind::runc, RuntimeKind::crun}) {
    auto request = shell("");
    request.arguments = {"no-such-program"};
    const auto outcome = here.runner.run(kind, {}, request);
    REQUIRE_FALSE(outcome);
    CHECK(outcome.error().code == base::ErrorCode::tool_failed);
    CHECK(outcome.error().message == std::string(runtime::name(kind)) + " could not run the command");
    CHECK(told(outcome.error()).find("no-such-program") != std::string::npos);
  }
  CHECK(here.leftovers().empty());
}

TEST_CASE("more output than the limit ends the run") {
  Workshop here;
  auto request = shell("yes");
  request.output_limit_bytes = 1 << 20;
  const auto outcome = here.runner.run(here.runner.choose().value(), {}, request);
  REQUIRE_FALSE(outcome);
  CHECK(outcome.error().message.find("wrote more than 1.0 MB of output") != std::string::npos);
}

TEST_CASE("requests that cannot be meant are refused") {
  Workshop here;
  const auto refusal = [&](const std::function<void(RunRequest&)>& change) {
    auto request = shell("true");
    change(request);
    const auto outcome = here.runner.run(RuntimeKind::runc, {}, request);
    REQUIRE_FALSE(outcome);
    CHECK(outcome.error().code == base::ErrorCode::usage);
    return outcome.error().message;
  };
  CHECK(refusal([](auto& r) { r.arguments.clear(); }) == "there is no command to run");
  CHECK(refusal([](auto& r) { r.directory = "tmp"; }) == "the working directory 'tmp' is not absolute");
  CHECK(refusal([](auto& r) { r.directory = "/tmp/../etc"; }) ==
        "the working directory '/tmp/../etc' has '..' in it");
  CHECK(refusal([](auto& r) { r.directory = "/proc/self/fd/7"; }) ==
        "the working directory '/proc/self/fd/7' is the kernel's");
  CHECK(refusal([](auto& r) { r.directory = "//proc/self/fd/7"; }) ==
        "the working directory '//proc/self/fd/7' is the kernel's");
  CHECK(refusal([](auto& r) {
          r.mounts.push_back({"/tmp", "x", Access::read_only});
        }) == "the mount point 'x' is not absolute");
  CHECK(refusal([](auto& r) {
          r.mounts.push_back({"/tmp", "/./", Access::read_only});
        }) == "a mount cannot replace the image's root");
  CHECK(refusal([](auto& r) {
          r.environment = {{"A=B", "c"}};
        }) == "'A=B' cannot be the name of an environment variable");
}

TEST_CASE("the names of runtimes read back") {
  for (const auto kind : {RuntimeKind::runc, RuntimeKind::crun, RuntimeKind::docker, RuntimeKind::podman})
    CHECK(runtime::parse_runtime(runtime::name(kind)) == kind);
  CHECK_FALSE(runtime::parse_runtime("rkt"));
}
