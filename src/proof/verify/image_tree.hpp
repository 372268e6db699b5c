#pragma once
// The files of an image as a container sees them: its unpacked layers on top of one another (overlayfs, "Whiteouts
// and opaque directories"), without mounting anything.

#include "foundation/base/error.hpp"

#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace torchkiln::verify {

class ImageTree {
 public:
  enum class Kind { file, link };
  struct Entry {
    Kind kind = Kind::file;
    std::filesystem::path place;  ///< in the unpacked layer that it comes from
    std::string target;           ///< of a link
  };
  /// By path without a leading slash, in the order of bytes.
  using Entries = std::map<std::string, Entry, std::less<>>;

  /// `lower` are the unpacked layers, lowest first. What may not be looked into (a folder of root's, seen by an
  /// ordinary user) is left out.
  static base::Result<ImageTree> read(const std::vector<std::filesystem::path>& lower);

  const Entries& entries() const { return m_entries; }
  /// The entries below a folder.
  std::pair<Entries::const_iterator, Entries::const_iterator> below(const std::string& folder) const;

  /// The regular file that a path leads to, through links; nothing where there is none.
  const Entry* file(std::string_view path) const;
  /// The path itself with all links in it followed.
  std::optional<std::string> resolved(std::string_view path) const;

 private:
  base::Result<void> add_layer(const std::filesystem::path& layer);
  void hide(const std::string& path);

  Entries m_entries;
};

}  // namespace torchkiln::verify
