#include "assembly/runtime/tree_writer.hpp"

#include "foundation/base/text.hpp"

#include <cerrno>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

namespace torchkiln::runtime {

using base::ErrorCode;
using base::fail;
using base::Result;

namespace {

constexpr std::uint64_t k_entry_limit = 10'000'000;
constexpr std::uint64_t k_layer_limit_bytes = 256ULL << 30;
constexpr unsigned k_implicit_folder_mode = 0755;
/// Written bytes that the disk is then told to begin with, so that little is left to flush at a layer's end.
constexpr std::uint64_t k_write_back_bytes = 16U << 20;

constexpr std::string_view k_whiteout_prefix = ".wh.";
constexpr std::string_view k_opaque_whiteout = ".wh..wh..opq";
/// Names of aufs's own bookkeeping, which old docker layers carry.
constexpr std::string_view k_aufs_prefix = ".wh..wh.";

/// overlayfs's attribute of a folder that hides what lower layers have in it, in the form for mounts with
/// "userxattr", which need no privilege (Documentation/filesystems/overlayfs.rst, "User xattr").
constexpr const char* k_opaque_attribute = "user.overlay.opaque";

bool is_whiteout(const struct stat& status) {
  return S_ISCHR(status.st_mode) && status.st_rdev == makedev(0, 0);
}

base::Unexpected refuse(const std::string& path, std::string_view why) {
  return fail(ErrorCode::input_invalid, "the layer has an entry '" + path + "' that " + std::string(why));
}

/// "./a//b/" becomes "a/b", "./" becomes "". Refuses absolute names and "..".
Result<std::string> relative_path(const std::string& path) {
  if (path.starts_with('/')) return refuse(path, "has an absolute name");
  std::string clean;
  for (const auto part : base::split(path, '/')) {
    if (part.empty() || part == ".") continue;
    if (part == "..") return refuse(path, "leads out of its folder");
    if (!clean.empty()) clean += '/';
    clean += part;
  }
  return clean;
}

}  // namespace

base::Unexpected TreeWriter::failed(std::string_view what, const std::string& path, int error_number) const {
  if (error_number == ELOOP || error_number == EXDEV || error_number == ENOTDIR)
    return refuse(path, "leads through a link or a file");
  return fail(sys::file_error(what, m_folder / path, error_number));
}

Result<TreeWriter> TreeWriter::open(const std::filesystem::path& folder) {
  TreeWriter writer(folder);
  TK_TRY(writer.m_root, sys::open_file(folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
  writer.m_folder_times.push_back({"", 0, 0});  // unless the tar has an entry for it
  return writer;
}

/// No descriptor, and errno, when there is no such folder or the way to it leads through a link.
sys::FileDescriptor TreeWriter::open_folder(const std::string& path) const {
  struct open_how how = {};
  how.flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV;
  const auto fd = ::syscall(SYS_openat2, m_root.get(), path.empty() ? "." : path.c_str(), &how, sizeof how);
  return sys::FileDescriptor(static_cast<int>(fd));
}

/// Makes m_parent the folder `parent`, which is made where the tar did not mention it.
Result<void> TreeWriter::enter(const std::string& parent) {
  if (parent == m_parent_path) return {};
  m_parent_path = "/";  // no relative path; stays when something fails below
  auto folder = open_folder(parent);
  if (!folder && (errno == ENOENT || errno == ENOTDIR)) {
    TarEntry implicit;
    implicit.type = TarEntry::Type::directory;
    implicit.path = parent;
    implicit.mode = k_implicit_folder_mode;
    TK_TRY(const auto place, place_of(parent));
    TK_CHECK(add_directory(place, implicit));
    folder = open_folder(parent);
  }
  if (!folder) return failed("open", parent, errno);
  m_parent = std::move(folder);
  m_parent_path = parent;
  return {};
}

Result<TreeWriter::Place> TreeWriter::place_of(std::string_view path) {
  const auto slash = path.rfind('/');
  Place place;
  if (slash != std::string_view::npos) place.parent = std::string(path.substr(0, slash));
  place.name = std::string(slash == std::string_view::npos ? path : path.substr(slash + 1));
  TK_CHECK(enter(place.parent));
  place.parent_fd = m_parent.get();
  return place;
}

Result<void> TreeWriter::add(const TarEntry& entry, TarReader& reader) {
  if (++m_entries > k_entry_limit) return refuse(entry.path, "is one of more than ten million");
  m_size_bytes += entry.size_bytes;
  if (m_size_bytes > k_layer_limit_bytes) return refuse(entry.path, "makes it larger than 256 GiB");
  TK_TRY(const auto path, relative_path(entry.path));
  if (path.empty()) {
    if (entry.type != TarEntry::Type::directory) return refuse(entry.path, "replaces the root folder");
    TK_CHECK(enter(""));
    m_folder_times.push_back({"", entry.mtime_s, entry.mtime_ns});
    return set_attributes({m_parent.get(), "", "."}, entry);
  }

  TK_TRY(const auto place, place_of(path));
  if (place.name.starts_with(k_whiteout_prefix)) {
    if (entry.type != TarEntry::Type::file) return refuse(entry.path, "has a whiteout's name but is no file");
    return add_whiteout(place, place.name);
  }
  if (entry.type == TarEntry::Type::device) return {};
  if (entry.type == TarEntry::Type::directory) return add_directory(place, entry);

  if (entry.type == TarEntry::Type::hard_link) return add_hard_link(place, entry);
  if (entry.type == TarEntry::Type::file) return add_file(place, entry, reader);
  if (entry.type == TarEntry::Type::fifo)
    TK_CHECK(create(place, [&] { return ::mkfifoat(place.parent_fd, place.name.c_str(), 0600); }));
  if (entry.type == TarEntry::Type::symbolic_link) {
    if (entry.target.empty()) return refuse(entry.path, "is a link to nothing");
    TK_CHECK(create(place, [&] { return ::symlinkat(entry.target.c_str(), place.parent_fd, place.name.c_str()); }));
  }
  return set_attributes(place, entry);
}

/// The last entry of a name wins, as in every tar program, and a file beats a whiteout; but a folder is not
/// replaced by something else. Gives what `make` gives.
Result<int> TreeWriter::create(const Place& place, const std::function<int()>& make) const {
  const auto path = place.parent.empty() ? place.name : place.parent + "/" + place.name;
  int made = make();
  if (made < 0 && errno == EEXIST) {
    if (::unlinkat(place.parent_fd, place.name.c_str(), 0) != 0)
      return errno == EISDIR ? refuse(path, "is a folder too") : failed("replace", path, errno);
    made = make();
  }
  if (made < 0) return failed("create", path, errno);
  return made;
}

Result<void> TreeWriter::add_whiteout(const Place& place, std::string_view name) {
  const auto hide_all_lower = [](int folder_fd) {
    return ::fsetxattr(folder_fd, k_opaque_attribute, "y", 1, 0) == 0;
  };
  if (name == k_opaque_whiteout) {
    if (!hide_all_lower(place.parent_fd)) return failed("mark as opaque", place.parent, errno);
    return {};
  }
  if (name.starts_with(k_aufs_prefix)) return {};
  const std::string hidden(name.substr(k_whiteout_prefix.size()));
  const auto path = place.parent.empty() ? hidden : place.parent + "/" + hidden;
  if (hidden.empty() || hidden == "." || hidden == "..") return refuse(place.name, "is a whiteout of no name");
  if (::mknodat(place.parent_fd, hidden.c_str(), S_IFCHR, makedev(0, 0)) == 0) return {};
  if (errno != EEXIST) return failed("create a whiteout", path, errno);
  // A whiteout hides what lower layers have, never what this one adds; a folder that this one adds starts empty.
  struct stat status = {};
  if (::fstatat(place.parent_fd, hidden.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0)
    return failed("examine", path, errno);
  if (!S_ISDIR(status.st_mode)) return {};
  const auto folder = open_folder(path);
  if (!folder || !hide_all_lower(folder.get())) return failed("mark as opaque", path, errno);
  return {};
}

Result<void> TreeWriter::add_file(const Place& place, const TarEntry& entry, TarReader& reader) {
  const auto path = m_folder / place.parent / place.name;
  TK_TRY(const int created, create(place, [&] {
           constexpr int k_flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
           return ::openat(place.parent_fd, place.name.c_str(), k_flags, 0600);
         }));
  const sys::FileDescriptor fd(created);
  std::uint64_t written_bytes = 0, begun_bytes = 0;
  for (;;) {
    TK_TRY(const auto piece, reader.data());
    if (piece.empty()) break;
    TK_CHECK(sys::write_all(fd.get(), piece, path));
    written_bytes += piece.size();
    if (written_bytes - begun_bytes < k_write_back_bytes) continue;
    // Only advice: unpack_blob() flushes all of it, and sees what went wrong.
    ::sync_file_range(fd.get(), static_cast<off64_t>(begun_bytes),
                      static_cast<off64_t>(written_bytes - begun_bytes), SYNC_FILE_RANGE_WRITE);
    begun_bytes = written_bytes;
  }
  return set_attributes(place, entry);
}

Result<void> TreeWriter::add_directory(const Place& place, const TarEntry& entry) {
  const auto path = place.parent.empty() ? place.name : place.parent + "/" + place.name;
  bool over_whiteout = false;
  if (::mkdirat(place.parent_fd, place.name.c_str(), 0700) != 0) {
    if (errno != EEXIST) return failed("create", path, errno);
    struct stat status = {};
    if (::fstatat(place.parent_fd, place.name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0)
      return failed("examine", path, errno);
    over_whiteout = is_whiteout(status);
    if (!over_whiteout && !S_ISDIR(status.st_mode)) return refuse(entry.path, "is a file too");
    if (over_whiteout && (::unlinkat(place.parent_fd, place.name.c_str(), 0) != 0 ||
                          ::mkdirat(place.parent_fd, place.name.c_str(), 0700) != 0))
      return failed("create", path, errno);
  }
  if (over_whiteout) TK_CHECK(add_whiteout(place, std::string(k_whiteout_prefix) + place.name));
  m_folder_times.push_back({path, entry.mtime_s, entry.mtime_ns});
  return set_attributes(place, entry);
}

Result<void> TreeWriter::add_hard_link(const Place& place, const TarEntry& entry) {
  TK_TRY(const auto target, relative_path(entry.target));
  const auto slash = target.rfind('/');
  const auto target_name = slash == std::string::npos ? target : target.substr(slash + 1);
  const auto target_parent = open_folder(slash == std::string::npos ? "" : target.substr(0, slash));
  struct stat status = {};
  if (!target_parent || target.empty() ||
      ::fstatat(target_parent.get(), target_name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0 || is_whiteout(status))
    return refuse(entry.path, "is a hard link to '" + entry.target + "', which is not in the layer before it");
  // linkat() without AT_SYMLINK_FOLLOW links a symbolic link itself.
  TK_CHECK(create(place, [&] {
    return ::linkat(target_parent.get(), target_name.c_str(), place.parent_fd, place.name.c_str(), 0);
  }));
  return {};
}

Result<void> TreeWriter::set_attributes(const Place& place, const TarEntry& entry) const {
  const char* const name = place.name.c_str();
  if (::fchownat(place.parent_fd, name, static_cast<uid_t>(entry.uid), static_cast<gid_t>(entry.gid),
                 AT_SYMLINK_NOFOLLOW) != 0) {
    if (errno != EINVAL) return failed("set the owner of", entry.path, errno);
    return refuse(entry.path, "belongs to user " + std::to_string(entry.uid) + ", group " +
                                  std::to_string(entry.gid) + ": outside of the subordinate ids of this user");
  }
  // After the owner, because chown() clears the set-id bits. A link has no mode.
  if (entry.type != TarEntry::Type::symbolic_link && ::fchmodat(place.parent_fd, name, entry.mode, 0) != 0)
    return failed("set the mode of", entry.path, errno);
  if (entry.type == TarEntry::Type::directory) return {};
  const struct timespec times[2] = {{entry.mtime_s, entry.mtime_ns}, {entry.mtime_s, entry.mtime_ns}};
  if (::utimensat(place.parent_fd, name, times, AT_SYMLINK_NOFOLLOW) != 0)
    return failed("set the time of", entry.path, errno);
  return {};
}

Result<void> TreeWriter::finish() {
  for (const auto& [path, mtime_s, mtime_ns] : m_folder_times) {  // in order, so that a name's last entry wins
    const struct timespec times[2] = {{mtime_s, mtime_ns}, {mtime_s, mtime_ns}};
    const auto folder = open_folder(path);
    if (!folder || ::futimens(folder.get(), times) != 0) return failed("set the time of", path, errno);
  }
  return {};
}

}  // namespace torchkiln::runtime
