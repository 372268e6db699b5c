#pragma once
// The Dockerfile way: a folder that is a whole build context, for docker, podman or buildah, without torchkiln.

#include "foundation/base/error.hpp"
#include "plan/lock/lock.hpp"
#include "plan/recipe/recipe.hpp"

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace torchkiln::recipe {

/// One text file of a build context.
struct ContextFile {
  std::string path;     ///< relative to the context
  std::string content;  ///< or the link's target
  unsigned mode = 0644;
  FileType type = FileType::file;
};

/// The large files that a context needs beside the texts, by the name they have in it.
struct ContextNames {
  std::string rootfs = "rootfs.tar.gz";         ///< the system layer, where it is not an image of a registry
  std::string base_packages = "base.tar.gz";    ///< the Debian packages that are put on such an image
  std::string python = "python.tar.gz";         ///< an interpreter that is not the system's
  std::string pip_wheel;                        ///< the locked pip, which installs the rest
  std::string build_packages = "build.tar.gz";  ///< the Debian packages that the verifier is compiled with
};
ContextNames context_names(const lock::Lock& lock);

/// The tar in a context that holds a part's Debian packages: "devel.tar.gz".
std::string packages_file(spec::Part part);
/// The tar that holds its CUDA toolkit where that is made of archives: "devel-cuda.tar.gz".
std::string archives_file(spec::Part part);
/// The tar with the Debian packages of an extension, counted from 0: "extension-1.tar.gz".
std::string packages_file(std::size_t extension);

/// What a context has of ours besides texts.
struct ContextSources {
  std::vector<AddedFile> own;       ///< own_files(), below root/
  std::vector<AddedFile> verifier;  ///< verifier_files(), below verifier/; none: the image has no verifier
  /// Whether any Debian packages are put on a registry's image.
  bool has_base_packages = true;
};

/// Dockerfile, requirements*.txt (every wheel pinned by SHA-256), .dockerignore, and our files. `templates` is the
/// folder of *.mustache files.
base::Result<std::vector<ContextFile>> render_context(const lock::Lock& lock, const Recipe& recipe,
                                                      const std::filesystem::path& templates,
                                                      const ContextSources& sources);

}  // namespace torchkiln::recipe
