#include "assembly/runtime/container_config.hpp"

#include "foundation/base/text.hpp"

namespace torchkiln::runtime {

using base::ErrorCode;
using base::fail;
using base::Result;
using document::Json;

namespace {

Result<void> check_inside(std::string_view what, const std::string& path) {
  const auto wrong = [&](std::string_view why) {
    return fail(ErrorCode::usage, std::string(what) + " '" + path + "' " + std::string(why));
  };
  if (!path.starts_with('/')) return wrong("is not absolute");
  if (path.find('\0') != std::string::npos) return wrong("holds a NUL");
  std::string_view first;
  for (const auto part : base::split(path, '/')) {
    if (part == "..") return wrong("has '..' in it");
    if (first.empty() && part != ".") first = part;
  }
  // "/proc/self/fd/N" as working directory is how CVE-2024-21626 left the container.
  if (first == "proc" || first == "sys") return wrong("is the kernel's");
  return {};
}

Json mount(std::string destination, std::string type, std::string source, std::vector<std::string> options) {
  return {{"destination", std::move(destination)},
          {"type", std::move(type)},
          {"source", std::move(source)},
          {"options", std::move(options)}};
}

Json bind(std::string destination, std::string source, Access access) {
  return mount(std::move(destination), "bind", std::move(source),
               {"rbind", "rprivate", "nosuid", "nodev", access == Access::read_only ? "ro" : "rw"});
}

Json mounts(const RunRequest& request) {
  const auto size = "size=" + std::to_string(request.memory_files_limit_bytes);
  auto all = Json::array();
  all.push_back(mount("/proc", "proc", "proc", {"nosuid", "noexec", "nodev"}));
  all.push_back(mount("/dev", "tmpfs", "tmpfs", {"nosuid", "strictatime", "mode=755", "size=65536k"}));
  all.push_back(mount("/dev/pts", "devpts", "devpts",
                      {"nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"}));
  all.push_back(mount("/dev/shm", "tmpfs", "shm", {"nosuid", "noexec", "nodev", "mode=1777", size}));
  all.push_back(mount("/dev/mqueue", "mqueue", "mqueue", {"nosuid", "noexec", "nodev"}));
  // Only the owner of a network namespace may mount sysfs, and the host's belongs to the host's root.
  all.push_back(request.network == Network::none
                    ? mount("/sys", "sysfs", "sysfs", {"nosuid", "noexec", "nodev", "ro"})
                    : mount("/sys", "bind", "/sys", {"rbind", "rprivate", "nosuid", "noexec", "nodev", "ro"}));
  all.push_back(mount("/tmp", "tmpfs", "tmpfs", {"nosuid", "nodev", "mode=1777", size}));
  all.push_back(mount("/run", "tmpfs", "tmpfs", {"nosuid", "nodev", "mode=755", size}));
  all.push_back(bind("/etc/hosts", "hosts", Access::read_only));
  for (const auto& each : request.mounts)
    all.push_back(bind(each.inside, std::filesystem::absolute(each.host).string(), each.access));
  return all;
}

Json process(const RunRequest& request, Terminal terminal) {
  auto environment = Json::array();
  for (const auto& [key, value] : complete_environment(request)) environment.push_back(key + "=" + value);
  const auto held = request.uid == 0 ? Json(root_capabilities()) : Json::array();
  return {{"terminal", terminal == Terminal::ours},
          {"user", {{"uid", request.uid}, {"gid", request.gid}}},
          {"args", request.arguments},
          {"env", std::move(environment)},
          {"cwd", request.directory},
          {"capabilities",
           {{"bounding", held}, {"effective", held}, {"permitted", held}, {"inheritable", Json::array()}}},
          {"rlimits", Json::array({{{"type", "RLIMIT_CORE"}, {"hard", 0}, {"soft", 0}}})},
          {"noNewPrivileges", true}};
}

Json linux_part(const RunRequest& request) {
  auto namespaces = Json::array();
  for (const char* type : {"pid", "mount", "ipc", "uts"}) namespaces.push_back({{"type", type}});
  if (request.network == Network::none) namespaces.push_back({{"type", "network"}});
  return {{"namespaces", std::move(namespaces)},
          {"maskedPaths",
           {"/proc/acpi", "/proc/asound", "/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/timer_list",
            "/proc/timer_stats", "/proc/sched_debug", "/proc/scsi", "/sys/firmware"}},
          {"readonlyPaths", {"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"}}};
}

}  // namespace

Result<void> check_request(const RunRequest& request) {
  if (request.arguments.empty()) return fail(ErrorCode::usage, "there is no command to run");
  TK_CHECK(check_inside("the working directory", request.directory));
  for (const auto& each : request.mounts) {
    TK_CHECK(check_inside("the mount point", each.inside));
    if (each.inside.find_first_not_of("/.") == std::string::npos)
      return fail(ErrorCode::usage, "a mount cannot replace the image's root");
  }
  for (const auto& [key, value] : request.environment)
    if (key.empty() || key.find('=') != std::string::npos || (key + value).find('\0') != std::string::npos)
      return fail(ErrorCode::usage, "'" + key + "' cannot be the name of an environment variable");
  return {};
}

const std::vector<std::string>& root_capabilities() {
  static const std::vector<std::string> k_capabilities = {
      "CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_FSETID", "CAP_KILL", "CAP_SETGID", "CAP_SETUID"};
  return k_capabilities;
}

std::map<std::string, std::string> complete_environment(const RunRequest& request) {
  auto environment = request.environment;
  environment.emplace("PATH", k_default_path);
  return environment;
}

Json container_config(const RunRequest& request, Terminal terminal) {
  return {{"ociVersion", "1.0.2"},
          {"process", process(request, terminal)},
          {"root", {{"path", "rootfs"}, {"readonly", request.root == RootAccess::read_only}}},
          {"hostname", request.hostname},
          {"mounts", mounts(request)},
          {"linux", linux_part(request)}};
}

std::string hosts_file(const std::string& hostname) {
  return "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n127.0.1.1\t" + hostname + "\n";
}

}  // namespace torchkiln::runtime
