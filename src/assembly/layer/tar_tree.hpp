#pragma once
// What a tar holds, as far as two of them can differ, with the place of every entry in it. Internal to the room.

#include "foundation/base/digest.hpp"
#include "foundation/base/error.hpp"

#include <cstddef>
#include <filesystem>
#include <map>
#include <span>
#include <string>

namespace torchkiln::layer {

/// One entry of a tar.
struct TarEntry {
  base::Digest meaning;  ///< over type, mode, owner, link target, extended attributes and content
  bool is_folder = false;
  std::string hard_link;           ///< the path that has the content; empty for all but hard links
  std::size_t begin = 0, end = 0;  ///< in the tar, with all headers and padding
};
using TarTree = std::map<std::string, TarEntry>;

/// The tar in a layer, however it is compressed.
base::Result<void> decompress(const std::filesystem::path& blob, const std::filesystem::path& tar);

/// Everything in a tar by path, without "./" and slashes at the end; not the root itself.
base::Result<TarTree> read_tree(std::span<const std::byte> tar);

/// "usr" of "usr/bin"; empty for what is at the top.
std::string parent_of(const std::string& path);

}  // namespace torchkiln::layer
