#pragma once
// Parts of tests that need a process of their own: they may be killed, run out of descriptors or disk, or be
// interrupted, without harm to the rest.

#include "support/must.hpp"

#include <cstdio>
#include <fcntl.h>
#include <filesystem>
#include <functional>
#include <sched.h>
#include <string>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

namespace torchkiln::test {

/// Runs `work` in a child process. It returns what it saw; this is what the child said, or how it died.
inline std::string in_child(const std::function<std::string()>& work) {
  int ends[2];
  if (::pipe(ends) != 0) FAIL("no pipe");
  const pid_t child = ::fork();
  if (child < 0) FAIL("no process");
  if (child == 0) {
    ::close(ends[0]);
    const auto said = work();
    [[maybe_unused]] const auto written = ::write(ends[1], said.data(), said.size());
    ::_exit(0);
  }
  ::close(ends[1]);
  std::string said;
  char buffer[4096];
  for (ssize_t got; (got = ::read(ends[0], buffer, sizeof buffer)) > 0;)
    said.append(buffer, static_cast<std::size_t>(got));
  ::close(ends[0]);
  int status = 0;
  ::waitpid(child, &status, 0);
  if (WIFSIGNALED(status)) return said + " (died of signal " + std::to_string(WTERMSIG(status)) + ")";
  if (WEXITSTATUS(status) != 0) return said + " (ended with status " + std::to_string(WEXITSTATUS(status)) + ")";
  return said;
}

/// Runs `work` in a child process with a file system of `size_bytes` in memory mounted at `folder`. As root, or as
/// any user who may make user namespaces; where neither is possible the test fails.
inline std::string on_small_disk(const std::filesystem::path& folder, std::size_t size_bytes,
                                 const std::function<std::string()>& work) {
  return in_child([&]() -> std::string {
    const auto uid = ::getuid(), gid = ::getgid();
    if (::unshare(CLONE_NEWNS | (uid == 0 ? 0 : CLONE_NEWUSER)) != 0) return "cannot make a mount namespace";
    if (uid != 0) {
      const auto put = [](const char* path, const std::string& text) {
        const int fd = ::open(path, O_WRONLY);
        const bool done = fd >= 0 && ::write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size());
        ::close(fd);
        return done;
      };
      if (!put("/proc/self/setgroups", "deny") || !put("/proc/self/uid_map", "0 " + std::to_string(uid) + " 1") ||
          !put("/proc/self/gid_map", "0 " + std::to_string(gid) + " 1"))
        return "cannot map users";
    }
    if (::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
        ::mount("tmpfs", folder.c_str(), "tmpfs", 0, ("mode=0755,size=" + std::to_string(size_bytes)).c_str()) != 0)
      return "cannot mount a small file system";
    return work();
  });
}

}  // namespace torchkiln::test
