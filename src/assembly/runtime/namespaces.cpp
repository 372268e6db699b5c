#include "assembly/runtime/namespaces.hpp"

#include "assembly/runtime/child.hpp"
#include "assembly/runtime/subordinate_ids.hpp"
#include "foundation/sys/environment.hpp"
#include "foundation/sys/files.hpp"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <string>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <vector>

namespace torchkiln::runtime {

using base::ErrorCode;
using base::fail;
using base::Result;

namespace {

/// What the new process writes to the pipe when it could not become what it should.
enum class Setup : char { done = 0, credentials, private_mounts, proc };

base::Unexpected namespace_error(std::string_view what, int error_number) {
  std::vector<std::string> hints;
  if (error_number == EPERM && !sys::is_root())
    hints = {
        "the system may forbid user namespaces: look at the sysctls kernel.unprivileged_userns_clone, "
        "kernel.apparmor_restrict_unprivileged_userns and user.max_user_namespaces",
        "or run torchkiln as root"};
  if (error_number == EPERM && sys::is_root())
    hints = {"inside a container this needs the container to be privileged"};
  return fail(ErrorCode::tool_failed, std::string(what) + ": " + std::strerror(error_number), std::move(hints));
}

/// Writes the maps of the new user namespace with the set-uid programs newuidmap and newgidmap.
Result<void> write_id_maps(pid_t pid) {
  struct Kind {
    const char* program;
    const char* file;
    std::uint32_t own_id;
  };
  for (const auto& kind :
       {Kind{"newuidmap", "/etc/subuid", ::getuid()}, Kind{"newgidmap", "/etc/subgid", ::getgid()}}) {
    TK_TRY(const auto ranges, own_subordinate_ids(kind.file));
    std::vector<std::string> arguments = {kind.program, std::to_string(pid)};
    for (auto& argument : id_map_arguments(kind.own_id, ranges)) arguments.push_back(std::move(argument));
    auto status = run_child(arguments);
    if (!status) {
      auto error = std::move(status).error();
      error.hints.emplace_back("it is in Debian's package uidmap");
      return fail(std::move(error));
    }
    if (*status != 0)
      return fail(ErrorCode::tool_failed, std::string(kind.program) + " failed with status " +
                                              std::to_string(*status) + ": check " + kind.file);
  }
  return {};
}

Setup become_root() {
  if (::setgroups(0, nullptr) != 0 || ::setresgid(0, 0, 0) != 0 || ::setresuid(0, 0, 0) != 0)
    return Setup::credentials;
  return Setup::done;
}

Setup set_up_mounts() {
  // Mounts of the host made from now on are still seen, ours are not seen by the host.
  if (::mount(nullptr, "/", nullptr, MS_REC | MS_SLAVE, nullptr) != 0) return Setup::private_mounts;
  if (::mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, nullptr) != 0) return Setup::proc;
  return Setup::done;
}

struct Pipe {
  sys::FileDescriptor read, write;
};

Result<Pipe> make_pipe() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return namespace_error("cannot create a pipe", errno);
  return Pipe{sys::FileDescriptor(ends[0]), sys::FileDescriptor(ends[1])};
}

struct Report {
  Setup setup;
  int error_number;
};

/// The new process: waits for its id maps, becomes root, reports, works.
[[noreturn]] void be_first_process(Pipe& maps_written, Pipe& report, const std::function<int()>& work) {
  maps_written.write.reset();
  report.read.reset();
  char byte = 0;
  if (::read(maps_written.read.get(), &byte, 1) != 1) ::_exit(1);  // our parent failed or is dead
  auto setup = become_root();
  // After the change of user, which clears it.
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (setup == Setup::done) setup = set_up_mounts();
  const Report text = {setup, errno};
  if (::write(report.write.get(), &text, sizeof text) != sizeof text || setup != Setup::done) ::_exit(1);
  report.write.reset();
  const int status = work();
  ::_exit(status);
}

Result<void> read_report(int fd) {
  Report report = {};
  if (::read(fd, &report, sizeof report) != sizeof report)
    return fail(ErrorCode::tool_failed, "the first process of the new namespaces ended early");
  switch (report.setup) {
    case Setup::done:
      return {};
    case Setup::credentials:
      return namespace_error("cannot become root of the user namespace", report.error_number);
    case Setup::private_mounts:
      return namespace_error("cannot make the mounts private", report.error_number);
    case Setup::proc:
      return namespace_error("cannot mount /proc in new namespaces", report.error_number);
  }
  return {};
}

}  // namespace

Result<int> run_in_namespaces(const std::function<int()>& work) {
  const bool rootless = !sys::is_root();
  TK_TRY(auto maps_written, make_pipe());
  TK_TRY(auto report, make_pipe());
  const unsigned long flags = CLONE_NEWNS | CLONE_NEWPID | (rootless ? CLONE_NEWUSER : 0) | SIGCHLD;
  // Like fork(), which has no flags. Sound because we have one thread.
  const auto pid = static_cast<pid_t>(::syscall(SYS_clone, flags, nullptr, nullptr, nullptr, nullptr));
  if (pid < 0) return namespace_error("cannot create namespaces", errno);
  if (pid == 0) be_first_process(maps_written, report, work);
  maps_written.read.reset();
  report.write.reset();

  auto ready = rootless ? write_id_maps(pid) : Result<void>();
  if (ready && ::write(maps_written.write.get(), "", 1) == 1) ready = read_report(report.read.get());
  maps_written.write.reset();  // if it still waits for its maps, this ends it
  auto end = wait_for_child(pid);
  while (end.stopped) {
    ::kill(pid, SIGTERM);
    end = wait_for_child(pid);
  }
  if (!ready) return fail(std::move(ready).error());
  return end.exit_status;
}

}  // namespace torchkiln::runtime
