#include "foundation/base/text.hpp"
#include "foundation/sys/files.hpp"
#include "plan/lock/parts.hpp"
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

/// Lines of "PATH -> TARGET"; "{site-packages}" stands for the image's.
Result<void> read_links(const fs::path& file, const std::string& site_packages, std::vector<AddedFile>& files) {
  constexpr std::string_view k_arrow = " -> ";
  TK_TRY(const auto lines, lock::read_list(file));
  for (const auto& line : lines) {
    const auto text = base::replace_all(line, "{site-packages}", site_packages);
    const auto arrow = text.find(k_arrow);
    if (arrow == std::string::npos)
      return base::fail(base::ErrorCode::template_invalid,
                        file.string() + ": '" + line + "' is not PATH -> TARGET");
    files.push_back({text.substr(0, arrow), FileType::symlink, 0777, 0, 0, text.substr(arrow + k_arrow.size())});
  }
  return {};
}

}  // namespace

std::string toolkit_folder(const lock::Lock& lock) {
  return "usr/local/cuda-" + lock.resolution.cuda;
}

bool has_cuda_toolkit(const lock::Lock& lock, spec::Variant variant) {
  if ((lock.has_toolkit_in_base || !lock.archives.empty()) && variant.has(spec::Part::devel)) return true;
  return std::any_of(lock.wheels.begin(), lock.wheels.end(), [&](const lock::LockedWheel& wheel) {
    return wheel.name == "nvidia-cuda-nvcc" && is_in(wheel, variant) && variant.has(spec::Part::devel);
  });
}

Result<std::vector<AddedFile>> own_files(const fs::path& images, const lock::Lock& lock, const Recipe& recipe) {
  std::vector<AddedFile> files;
  TK_CHECK(read_root(images / "base/root", files));
  for (const auto part : recipe.variant.parts())
    TK_CHECK(read_root(images / std::string(name(part)) / "root", files));
  if (has_cuda_toolkit(lock, recipe.variant) && !lock.archives.empty()) {
    files.push_back({"usr/local/cuda", FileType::symlink, 0777, 0, 0, "cuda-" + lock.resolution.cuda});
    files.push_back({toolkit_folder(lock) + "/lib64", FileType::symlink, 0777, 0, 0, "lib"});
  } else if (has_cuda_toolkit(lock, recipe.variant) && !lock.has_toolkit_in_base)
    TK_CHECK(read_links(images / "devel/cuda-links.txt", recipe.scheme.site_packages(), files));
  files.push_back(
      {recipe.scheme.prefix + "/" + k_constraints_file, FileType::file, 0644, 0, 0, pip_constraints(lock, recipe)});
  std::sort(files.begin(), files.end(), [](const AddedFile& a, const AddedFile& b) { return a.path < b.path; });
  return files;
}

Result<std::vector<AddedFile>> verifier_files(const fs::path& images) {
  std::vector<AddedFile> files;
  TK_CHECK(read_root(images / "verifier", files));
  // What tests the verifier is no part of it.
  std::erase_if(files, [](const AddedFile& file) { return file.path.starts_with("tests/"); });
  std::sort(files.begin(), files.end(), [](const AddedFile& a, const AddedFile& b) { return a.path < b.path; });
  return files;
}

}  // namespace torchkiln::recipe
