#include "assembly/runtime/container.hpp"

#include "assembly/runtime/child.hpp"
#include "foundation/base/text.hpp"
#include "foundation/sys/files.hpp"

#include <cerrno>
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace torchkiln::runtime {

namespace fs = std::filesystem;
using base::ErrorCode;
using base::fail;
using base::Result;

namespace {

/// overlayfs's OVL_MAX_STACK. Layers have one-letter-like names below, so a mount's 4096 bytes of options hold
/// them.
constexpr std::size_t k_lower_limit = 500;
/// Of the runtime's log that an Error quotes.
constexpr std::size_t k_log_notes = 6;

/// The folders of a container, on a tmpfs that dies with our mount namespace.
struct Space {
  fs::path root;
  fs::path bundle() const { return root / "bundle"; }
  fs::path state() const { return root / "state"; }
  fs::path layers() const { return root / "layers"; }
  fs::path log() const { return root / "log"; }
};

Result<Space> make_space(const ContainerJob& job) {
  if (::mount("torchkiln", job.space.c_str(), "tmpfs", MS_NOSUID | MS_NODEV, "mode=0700") != 0)
    return fail(sys::file_error("mount a tmpfs on", job.space, errno));
  const Space space = {job.space};
  for (const auto& folder : {space.bundle(), space.bundle() / "rootfs", space.state(), space.layers(),
                             space.layers() / "empty", space.layers() / "upper", space.layers() / "work"})
    TK_CHECK(sys::make_directories(folder));
  TK_CHECK(sys::write_file(space.bundle() / "config.json", job.config, 0600));
  TK_CHECK(sys::write_file(space.bundle() / "hosts", job.hosts));
  return space;
}

Result<void> link(const fs::path& target, const fs::path& name) {
  if (::symlink(target.c_str(), name.c_str()) != 0) return fail(sys::file_error("link", name, errno));
  return {};
}

/// "lowerdir=2:1:0:empty": the top layer first, by names that are relative to the folder of links we stand in. The
/// empty folder makes an image without layers, or with one, look like any other.
std::string lower_option(std::size_t layers) {
  std::string option = "lowerdir=";
  for (std::size_t i = layers; i-- > 0;) option += std::to_string(i) + ":";
  return option + "empty";
}

Result<void> mount_overlay(const fs::path& target, const std::string& options) {
  // "userxattr" is what an ordinary user may use, and how UnpackStore marks opaque folders.
  if (::mount("overlay", target.c_str(), "overlay", MS_NODEV, ("userxattr," + options).c_str()) == 0) return {};
  auto error = sys::file_error("mount an overlay on", target, errno);
  error.code = ErrorCode::tool_failed;
  error.hints.emplace_back("this needs Linux 5.11 or newer and a cache folder on a local file system");
  return fail(std::move(error));
}

/// The image's root. Even a read-only one has an upper directory, because the runtime makes the places that it
/// mounts things on; it is in memory then, and the runtime makes the root read-only afterwards.
Result<void> mount_root(const ContainerJob& job, const Space& space) {
  if (job.lower.size() > k_lower_limit)
    return fail(ErrorCode::input_invalid, "an image of more than 500 layers cannot be run");
  for (std::size_t i = 0; i < job.lower.size(); ++i)
    TK_CHECK(link(fs::absolute(job.lower[i]), space.layers() / std::to_string(i)));
  if (::chdir(space.layers().c_str()) != 0) return fail(sys::file_error("enter", space.layers(), errno));
  const auto target = space.bundle() / "rootfs";
  const auto lower = lower_option(job.lower.size());
  const std::string in_memory = lower + ",upperdir=upper,workdir=work,volatile";
  if (job.root == RootAccess::read_only) return mount_overlay(target, in_memory);

  for (const auto* name : {"upper", "work"}) TK_CHECK(sys::make_directories(job.upper / name));
  TK_CHECK(link(job.upper / "upper", space.layers() / "disk-upper"));
  TK_CHECK(link(job.upper / "work", space.layers() / "disk-work"));
  const auto on_disk = lower + ",upperdir=disk-upper,workdir=disk-work";
  if (job.root == RootAccess::kept) return mount_overlay(target, on_disk);
  // Some file systems, another overlay among them, cannot hold an upper directory; memory always can.
  if (mount_overlay(target, on_disk + ",volatile")) return {};
  return mount_overlay(target, in_memory);
}

/// Keeps the runtime away from control groups: we set no limits, and without them there is nothing that could stay
/// behind, nothing that needs a privilege, and no difference between their versions.
Result<std::vector<std::string>> runtime_command(RuntimeKind runtime) {
  constexpr const char* k_cgroups = "/sys/fs/cgroup";
  std::error_code ignored;
  const bool mounted = fs::is_directory(k_cgroups, ignored);
  if (runtime == RuntimeKind::crun) {
    // crun looks at the mount even when told to leave it alone, and refuses the hybrid layout.
    if (mounted &&
        ::mount("torchkiln", k_cgroups, "tmpfs", MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC, nullptr) != 0)
      return fail(sys::file_error("cover", k_cgroups, errno));
    return std::vector<std::string>{"crun", "--cgroup-manager=disabled"};
  }
  // In its rootless mode runc goes on when it cannot make control groups, and read-only ones it cannot.
  struct mount_attr read_only = {};
  read_only.attr_set = MOUNT_ATTR_RDONLY;
  if (mounted && ::mount_setattr(AT_FDCWD, k_cgroups, AT_RECURSIVE, &read_only, sizeof read_only) != 0)
    return fail(sys::file_error("make read-only", k_cgroups, errno));
  return std::vector<std::string>{"runc", "--rootless=true"};
}

/// What the runtime logged as errors, which means that the command did not run.
Result<void> check_log(const Space& space, RuntimeKind runtime) {
  const auto log = sys::read_file(space.log());
  if (!log || base::trim(*log).empty()) return {};
  base::Error error = {
      ErrorCode::tool_failed, std::string(name(runtime)) + " could not run the command", {}, {}, {}};
  const auto said = base::lines(*log);
  for (std::size_t i = said.size() > k_log_notes ? said.size() - k_log_notes : 0; i < said.size(); ++i)
    error.notes.emplace_back(said[i]);
  return fail(std::move(error));
}

Result<int> run_runtime(const ContainerJob& job, const Space& space) {
  TK_TRY(auto command, runtime_command(job.runtime));
  for (const auto& argument :
       {std::string("--root"), space.state().string(), std::string("--log"), space.log().string(),
        std::string("run"), std::string("--bundle"), space.bundle().string(), std::string("torchkiln")})
    command.push_back(argument);
  TK_TRY(const pid_t pid, start_child(command));
  const auto end = wait_for_child(pid);
  end_all_others();
  if (end.stopped) return fail(ErrorCode::interrupted, "interrupted");
  TK_CHECK(check_log(space, job.runtime));
  return end.exit_status;
}

}  // namespace

Result<int> run_container(const ContainerJob& job) {
  TK_TRY(const auto space, make_space(job));
  auto status = [&]() -> Result<int> {
    TK_CHECK(mount_root(job, space));
    return run_runtime(job, space);
  }();
  ::umount2((space.bundle() / "rootfs").c_str(), MNT_DETACH);
  if (job.root == RootAccess::throw_away) TK_CHECK(sys::remove_tree(job.upper));
  return status;
}

}  // namespace torchkiln::runtime
