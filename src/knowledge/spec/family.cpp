#include "knowledge/spec/family.hpp"

#include "foundation/sys/files.hpp"

#include <algorithm>

#include <fmt/format.h>

namespace torchkiln::spec {

using base::ErrorCode;
using base::Result;
namespace fs = std::filesystem;

namespace {

struct SpecFile {
  fs::path path;
  std::string text;
};

base::Unexpected misled(const Placed<std::string>& extends, std::string message, std::string hint) {
  return base::fail_at(ErrorCode::spec_invalid, extends.place, std::move(message), {std::move(hint)});
}

/// What the spec extends; all else is read once what it extends is known.
Result<std::optional<Placed<std::string>>> extends_of(std::string_view text, const std::string& file) {
  TK_TRY(auto document, document::Document::parse(text, file, ErrorCode::spec_invalid));
  auto extends = document.root().text("extends");
  TK_CHECK(document.check());
  return extends;
}

/// The file that `extends` of the spec in `file` means.
Result<fs::path> extended_file(const Placed<std::string>& extends, const fs::path& file) {
  auto path = (file.parent_path() / extends.value).lexically_normal();
  std::error_code error;
  if (fs::is_directory(path, error)) path /= "kiln.toml";
  if (!fs::is_regular_file(path, error))
    return misled(extends, "there is no " + path.string(), "name a spec, relative to the folder of this one");
  return path;
}

}  // namespace

Result<std::vector<Spec>> read_family(const fs::path& file) {
  std::vector<SpecFile> files;  // highest first
  std::vector<fs::path> seen;
  for (auto path = file;;) {
    std::error_code error;
    seen.push_back(fs::weakly_canonical(path, error));
    TK_TRY(auto text, sys::read_file(path));
    TK_TRY(const auto extends, extends_of(text, path.string()));
    files.push_back({path, std::move(text)});
    if (!extends) break;
    TK_TRY(path, extended_file(*extends, path));
    if (std::find(seen.begin(), seen.end(), fs::weakly_canonical(path, error)) != seen.end())
      return misled(*extends, path.string() + " extends this spec, and this one extends it",
                    "leave one of the two out");
    if (files.size() == k_family_limit)
      return misled(*extends, fmt::format("more than {} specs extend each other", k_family_limit),
                    "put some of them together");
  }
  std::vector<Spec> family;
  for (auto one = files.rbegin(); one != files.rend(); ++one) {
    TK_TRY(auto spec, parse(one->text, one->path.string(), family.empty() ? Spec() : family.back()));
    family.push_back(std::move(spec));
  }
  return family;
}

}  // namespace torchkiln::spec
