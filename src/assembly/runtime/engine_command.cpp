#include "assembly/runtime/engine_command.hpp"

#include "foundation/base/text.hpp"
#include "foundation/sys/environment.hpp"
#include "foundation/sys/files.hpp"

#include <algorithm>
#include <sys/resource.h>

namespace torchkiln::runtime {

using base::ErrorCode;
using base::fail;
using base::Result;

namespace {

/// docker-run(1) and podman-run(1), "Exit Status": 125 the engine failed, 126 the command cannot be run, 127 it is
/// not there.
constexpr int k_engine_failed_status = 125;
constexpr int k_not_found_status = 127;

/// podman's default for open files and processes (containers.conf(5), default_ulimits, as built on Debian).
constexpr rlim_t k_podman_limit = 1048576;

Result<std::string> mount_option(const Mount& mount) {
  const auto host = std::filesystem::absolute(mount.host).string();
  if ((host + mount.inside).find_first_of(",\"") != std::string::npos)
    return fail(ErrorCode::usage, "'" + host + "' cannot be given to an engine: it has a comma or a quote in it");
  return "type=bind,source=" + host + ",target=" + mount.inside +
         (mount.access == Access::read_only ? ",readonly" : "");
}

void append(std::vector<std::string>& arguments, std::vector<std::string> more) {
  for (auto& argument : more) arguments.push_back(std::move(argument));
}

}  // namespace

std::vector<std::string> podman_quirks() {
  std::vector<std::string> arguments;
  std::error_code ignored;
  if (std::filesystem::exists("/sys/fs/cgroup/unified", ignored) && sys::find_program("runc"))
    append(arguments, {"--runtime", "runc"});
  // podman itself runs with no more processes than there are process ids.
  const auto pids =
      base::parse_integer(base::trim(sys::read_file("/proc/sys/kernel/pid_max").value_or(std::string())));
  struct Limit {
    const char* name;
    decltype(RLIMIT_NOFILE) resource;
    rlim_t most;
  };
  for (const auto& limit : {Limit{"nofile", RLIMIT_NOFILE, k_podman_limit},
                            Limit{"nproc", RLIMIT_NPROC, static_cast<rlim_t>(pids.value_or(k_podman_limit))}}) {
    rlimit value = {};
    if (::getrlimit(limit.resource, &value) != 0 || value.rlim_max >= k_podman_limit) continue;
    const auto hard = std::to_string(std::min(value.rlim_max, limit.most));
    append(arguments, {"--ulimit", std::string(limit.name) + "=" + hard + ":" + hard});
  }
  return arguments;
}

bool is_engine_failure(int exit_status, std::string_view errors) {
  if (exit_status < k_engine_failed_status || exit_status > k_not_found_status) return false;
  // The command's own status may be any of them too; the clients' complaints begin in their own ways.
  const auto said = base::lines(base::trim(errors));
  return !said.empty() && (said.back().starts_with("docker: ") || said.back().starts_with("Error: ") ||
                           said.front().starts_with("docker: ") || said.front().starts_with("Error: "));
}

Result<std::vector<std::string>> engine_command(RuntimeKind engine, const std::string& image_reference,
                                                const RunRequest& request, Terminal terminal,
                                                const std::string& container_name,
                                                const std::vector<std::string>& quirks) {
  if (request.root == RootAccess::kept)
    return fail(ErrorCode::usage, "an engine cannot keep what is written to an image", {"mount a folder instead"});
  std::vector<std::string> arguments = {
      std::string(name(engine)), "run", "--rm", "--pull=never", "--name", container_name};
  append(arguments, quirks);
  append(arguments, {"--cap-drop=ALL", "--security-opt=no-new-privileges"});
  if (request.uid == 0)
    for (const auto& capability : root_capabilities())
      arguments.push_back("--cap-add=" + capability.substr(std::string_view("CAP_").size()));
  if (request.root == RootAccess::read_only) arguments.emplace_back("--read-only");
  const auto size = std::to_string(request.memory_files_limit_bytes);
  append(arguments, {"--tmpfs=/tmp:rw,exec,nosuid,nodev,mode=1777,size=" + size,
                     "--tmpfs=/run:rw,exec,nosuid,nodev,mode=755,size=" + size, "--shm-size=" + size});
  if (request.network == Network::none)
    append(arguments, {"--network=none", "--hostname=" + request.hostname});
  else
    arguments.emplace_back("--network=host");  // which has the host's name
  if (request.gpus == Gpus::all)
    append(arguments, engine == RuntimeKind::docker ? std::vector<std::string>{"--gpus", "all"}
                                                    : std::vector<std::string>{"--device", "nvidia.com/gpu=all"});
  arguments.push_back("--user=" + std::to_string(request.uid) + ":" + std::to_string(request.gid));
  arguments.push_back("--workdir=" + request.directory);
  for (const auto& [key, value] : complete_environment(request)) append(arguments, {"--env", key + "=" + value});
  for (const auto& mount : request.mounts) {
    TK_TRY(auto option, mount_option(mount));
    append(arguments, {"--mount", std::move(option)});
  }
  if (request.streams == Streams::inherited) arguments.emplace_back("--interactive");
  if (terminal == Terminal::ours) arguments.emplace_back("--tty");
  append(arguments, {"--entrypoint", request.arguments.at(0), image_reference});
  arguments.insert(arguments.end(), request.arguments.begin() + 1, request.arguments.end());
  return arguments;
}

std::vector<std::string> engine_clean_up(RuntimeKind engine, const std::string& container_name) {
  std::vector<std::string> arguments = {std::string(name(engine)), "rm", "--force"};
  // docker kills; podman asks politely for ten seconds first.
  if (engine == RuntimeKind::podman) arguments.emplace_back("--time=0");
  arguments.push_back(container_name);
  return arguments;
}

}  // namespace torchkiln::runtime
