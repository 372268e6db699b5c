// docker and podman, played by a program that records what it is asked.

#include "assembly/runtime/engine_command.hpp"
#include "foundation/base/text.hpp"
#include "foundation/sys/environment.hpp"
#include "layers.hpp"

#include <catch2/catch.hpp>
#include <cstdlib>

using namespace torchkiln;
using namespace torchkiln::runtime;
using test::Workshop;
namespace fs = std::filesystem;

namespace {

/// Puts a `docker` and a `podman` made of this shell text first on PATH while it lives. The text may use $LOG.
class FakeEngines {
 public:
  FakeEngines(const Workshop& here, const std::string& script)
      : m_path(std::getenv("PATH") ? std::getenv("PATH") : ""), m_log(here.folder.path() / "log") {
    for (const char* name : {"docker", "podman"}) {
      const auto text = "#!/bin/sh\nLOG=" + m_log.string() + "\n" + script + "\n";
      REQUIRE(sys::make_directories(here.folder.path() / "bin"));
      REQUIRE(sys::write_file(here.folder.path() / "bin" / name, text, 0755));
    }
    ::setenv("PATH", ((here.folder.path() / "bin").string() + ":" + m_path).c_str(), 1);
  }
  ~FakeEngines() { ::setenv("PATH", m_path.c_str(), 1); }
  std::vector<std::string> log() const {
    std::vector<std::string> said;
    const auto text = sys::read_file(m_log).value_or(std::string());
    for (const auto line : base::lines(text)) said.emplace_back(line);
    return said;
  }

 private:
  std::string m_path;
  fs::path m_log;
};

RunRequest request_for(std::vector<std::string> arguments) {
  RunRequest request;
  request.arguments = std::move(arguments);
  request.environment = {{"PATH", "/bin"}, {"A", "b c"}};
  request.uid = request.gid = 1000;
  return request;
}

}  // namespace

TEST_CASE("a request becomes an engine's command line") {
  auto request = request_for({"python", "-c", "pass"});
  request.memory_files_limit_bytes = 1024;
  request.mounts = {{"/data", "/in", Access::read_only}, {"/out", "/out", Access::read_write}};
  const auto command = engine_command(RuntimeKind::docker, "team/image:1", request, Terminal::none, "name", {});
  REQUIRE(command);
  CHECK(*command == std::vector<std::string>{"docker",
                                             "run",
                                             "--rm",
                                             "--pull=never",
                                             "--name",
                                             "name",
                                             "--cap-drop=ALL",
                                             "--security-opt=no-new-privileges",
                                             "--read-only",
                                             "--tmpfs=/tmp:rw,exec,nosuid,nodev,mode=1777,size=1024",
                                             "--tmpfs=/run:rw,exec,nosuid,nodev,mode=755,size=1024",
                                             "--shm-size=1024",
                                             "--network=none",
                                             "--hostname=torchkiln",
                                             "--user=1000:1000",
                                             "--workdir=/",
                                             "--env",
                                             "A=b c",
                                             "--env",
                                             "PATH=/bin",
                                             "--mount",
                                             "type=bind,source=/data,target=/in,readonly",
                                             "--mount",
                                             "type=bind,source=/out,target=/out",
                                             "--entrypoint",
                                             "python",
                                             "team/image:1",
                                             "-c",
                                             "pass"});
}

TEST_CASE("GPUs, terminals and the host's network are asked for in each engine's own way") {
  auto request = request_for({"true"});
  request.gpus = Gpus::all;
  request.network = Network::host;
  request.streams = Streams::inherited;
  request.root = RootAccess::throw_away;
  request.uid = 0;
  const auto text = [&](RuntimeKind engine) {
    auto command = engine_command(engine, "i", request, Terminal::ours, "n", {"--quirk"});
    REQUIRE(command);
    return base::join(*command, " ");
  };
  const auto docker = text(RuntimeKind::docker);
  CHECK(docker.find(" --quirk ") != std::string::npos);
  CHECK(docker.find("--gpus all") != std::string::npos);
  CHECK(docker.find("--network=host") != std::string::npos);
  CHECK(docker.find("--hostname") == std::string::npos);
  CHECK(docker.find("--read-only") == std::string::npos);
  CHECK(docker.find("--interactive --tty") != std::string::npos);
  CHECK(docker.find("--cap-add=CHOWN --cap-add=DAC_OVERRIDE") != std::string::npos);
  CHECK(text(RuntimeKind::podman).find("--device nvidia.com/gpu=all") != std::string::npos);
}

TEST_CASE("what an engine cannot do is refused") {
  auto request = request_for({"true"});
  request.root = RootAccess::kept;
  CHECK_FALSE(engine_command(RuntimeKind::docker, "i", request, Terminal::none, "n", {}));
  request.root = RootAccess::read_only;
  request.mounts = {{"/a,b", "/in", Access::read_only}};
  CHECK_FALSE(engine_command(RuntimeKind::docker, "i", request, Terminal::none, "n", {}));
}

TEST_CASE("an engine's container gives its output and status") {
  Workshop here;
  const FakeEngines engines(here, "echo out; echo err >&2; exit 3");
  for (const auto engine : {RuntimeKind::docker, RuntimeKind::podman}) {
    const auto outcome = here.runner.run_in_engine(engine, "image", request_for({"true"}));
    REQUIRE(outcome);
    CHECK(outcome->exit_status == 3);
    CHECK(outcome->output == "out\n");
    CHECK(outcome->errors == "err\n");
  }
  CHECK(here.leftovers().empty());
}

TEST_CASE("an engine's own failure is an error with its words") {
  Workshop here;
  const FakeEngines engines(here,
                            "echo 'docker: no such image.' >&2; echo \"See 'docker run --help'.\" >&2; exit 125");
  const auto outcome = here.runner.run_in_engine(RuntimeKind::docker, "image", request_for({"true"}));
  REQUIRE_FALSE(outcome);
  CHECK(outcome.error().message == "docker could not run the command");
  CHECK(outcome.error().notes == std::vector<std::string>{"docker: no such image.\nSee 'docker run --help'."});
  CHECK(is_engine_failure(127, "Error: runc: executable file not found\n"));
  CHECK_FALSE(is_engine_failure(127, "sh: 1: foo: not found\n"));
  CHECK_FALSE(is_engine_failure(1, "Error: a program's own\n"));
}

TEST_CASE("a time-out removes the engine's container") {
  Workshop here;
  const FakeEngines engines(here, "echo \"$1 $2 $3\" >> $LOG; [ $1 = run ] && exec sleep 100; exit 0");
  auto request = request_for({"true"});
  request.timeout_s = 0.5;
  const auto outcome = here.runner.run_in_engine(RuntimeKind::docker, "image", request);
  REQUIRE(outcome);
  CHECK(outcome->timed_out);
  const auto log = engines.log();
  REQUIRE(log.size() == 2);
  CHECK(log[0].find("run --rm") == 0);
  CHECK(log[1].find("rm --force torchkiln-work-") == 0);
  CHECK(engine_clean_up(RuntimeKind::podman, "n") ==
        std::vector<std::string>{"podman", "rm", "--force", "--time=0", "n"});
}

TEST_CASE("a runtime that does not work says why, and is not asked twice") {
  Workshop here;
  const FakeEngines engines(here, "echo asked >> $LOG; echo 'cannot connect to the daemon' >&2; exit 1");
  for (int i = 0; i < 2; ++i) {
    const auto chosen = here.runner.choose(RuntimeKind::docker);
    REQUIRE_FALSE(chosen);
    CHECK(chosen.error().code == base::ErrorCode::tool_failed);
    CHECK(chosen.error().notes == std::vector<std::string>{"cannot connect to the daemon"});
  }
  CHECK(engines.log().size() == 1);
}
