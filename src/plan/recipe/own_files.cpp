#include "foundation/sys/files.hpp"
#include "plan/recipe/recipe.hpp"

#include <algorithm>

namespace torchkiln::recipe {

using base::Result;
namespace fs = std::filesystem;

namespace {

Result<void> read_root(const fs::path& root, std::vector<AddedFile>& files) {
  std::error_code error;
  if (!fs::exists(root, error)) return {};
  for (auto it = fs::recursive_directory_iterator(root, error); !error && it != fs::recursive_directory_iterator();
       it.increment(error)) {
    if (!it->is_regular_file(error)) continue;
    AddedFile file;
    file.path = fs::relative(it->path(), root, error).string();
    TK_TRY(file.content, sys::read_file(it->path()));
    file.mode = file.content.starts_with("#!") ? 0755 : 0644;
    files.push_back(std::move(file));
  }
  if (error) return base::fail(sys::file_error("read", root, error.value()));
  return {};
}

}  // namespace

Result<std::vector<AddedFile>> own_files(const fs::path& images, spec::Variant variant) {
  std::vector<AddedFile> files;
  TK_CHECK(read_root(images / "base/root", files));
  for (const auto part : variant.parts()) TK_CHECK(read_root(images / std::string(name(part)) / "root", files));
  std::sort(files.begin(), files.end(), [](const AddedFile& a, const AddedFile& b) { return a.path < b.path; });
  return files;
}

}  // namespace torchkiln::recipe
