#include "proof/verify/image_tree.hpp"

#include "foundation/sys/files.hpp"

#include <cerrno>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

namespace torchkiln::verify {

namespace fs = std::filesystem;
using base::Result;

namespace {

/// As the kernel's own (fs/namei.c, MAXSYMLINKS).
constexpr int k_link_limit = 40;

bool is_whiteout(const struct stat& status) {
  return S_ISCHR(status.st_mode) && status.st_rdev == makedev(0, 0);
}

/// How UnpackStore marks a folder that hides those below.
bool is_opaque(const fs::path& folder) {
  char value = 0;
  return ::lgetxattr(folder.c_str(), "user.overlay.opaque", &value, 1) == 1 && value == 'y';
}

/// "a/b/../c" as "a/c"; what leads above the root stays there.
std::string normal(const std::string& path) {
  auto text = fs::path("/" + path).lexically_normal().string();
  while (!text.empty() && text.front() == '/') text.erase(0, 1);
  while (!text.empty() && text.back() == '/') text.pop_back();
  return text;
}

}  // namespace

Result<ImageTree> ImageTree::read(const std::vector<fs::path>& lower) {
  ImageTree tree;
  for (const auto& layer : lower) TK_CHECK(tree.add_layer(layer));
  return tree;
}

void ImageTree::hide(const std::string& path) {
  m_entries.erase(path);
  const auto [begin, end] = below(path);
  m_entries.erase(begin, end);
}

Result<void> ImageTree::add_layer(const fs::path& layer) {
  std::error_code error;
  auto walk = fs::recursive_directory_iterator(layer, fs::directory_options::skip_permission_denied, error);
  for (; !error && walk != fs::recursive_directory_iterator(); walk.increment(error)) {
    const auto& place = walk->path();
    const auto path = place.string().substr(layer.string().size() + 1);
    struct stat status = {};
    if (::lstat(place.c_str(), &status) != 0) return base::fail(sys::file_error("look at", place, errno));
    if (is_whiteout(status)) {
      hide(path);
    } else if (S_ISDIR(status.st_mode)) {
      if (is_opaque(place)) hide(path);
      m_entries.erase(path);  // a file of a layer below
    } else if (S_ISREG(status.st_mode)) {
      hide(path);
      m_entries[path] = {Kind::file, place, {}};
    } else if (S_ISLNK(status.st_mode)) {
      hide(path);
      m_entries[path] = {Kind::link, place, fs::read_symlink(place, error).string()};
    }
  }
  if (error) return base::fail(sys::file_error("list", layer, error.value()));
  return {};
}

std::pair<ImageTree::Entries::const_iterator, ImageTree::Entries::const_iterator> ImageTree::below(
    const std::string& folder) const {
  // '0' is the byte after '/'.
  return {m_entries.lower_bound(folder + "/"), m_entries.lower_bound(folder + "0")};
}

std::optional<std::string> ImageTree::resolved(std::string_view wanted) const {
  auto path = normal(std::string(wanted));
  for (int links = 0; links < k_link_limit; ++links) {
    // The first link on the way, if any: "lib" of "lib/x86_64-linux-gnu/libc.so.6".
    bool followed = false;
    for (auto slash = path.find('/');; slash = path.find('/', slash + 1)) {
      const auto part = path.substr(0, slash);
      const auto found = m_entries.find(part);
      if (found != m_entries.end() && found->second.kind == Kind::link) {
        const auto rest = slash == std::string::npos ? std::string() : path.substr(slash);
        const auto& target = found->second.target;
        const auto parent =
            part.find('/') == std::string::npos ? std::string() : part.substr(0, part.rfind('/') + 1);
        path = normal((target.starts_with('/') ? target : parent + target) + rest);
        followed = true;
        break;
      }
      if (slash == std::string::npos) break;
    }
    if (!followed) return path;
  }
  return std::nullopt;
}

const ImageTree::Entry* ImageTree::file(std::string_view path) const {
  const auto place = resolved(path);
  if (!place) return nullptr;
  const auto found = m_entries.find(*place);
  return found != m_entries.end() && found->second.kind == Kind::file ? &found->second : nullptr;
}

}  // namespace torchkiln::verify
