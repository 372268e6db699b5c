#pragma once
// Folders that live as long as one piece of work. Each is locked by whoever works in it, so that the next run can
// tell what a killed one left behind, and removes it.

#include "foundation/base/error.hpp"
#include "foundation/sys/files.hpp"

#include <filesystem>
#include <functional>
#include <string_view>

namespace torchkiln::runtime {

/// Makes the folder ours alone, because set-user-id programs of images lie below it. An Error when it belongs to
/// another user: the owners of the files in it would mean something else for us.
base::Result<void> claim_folder(const std::filesystem::path& folder);

class WorkFolder {
 public:
  /// Removes a tree that may hold files of container users.
  using Remover = std::function<base::Result<void>(const std::filesystem::path&)>;

  /// A fresh folder below `parent`, which is claimed, after removing what dead owners left there.
  static base::Result<WorkFolder> create(const std::filesystem::path& parent, Remover remover);
  ~WorkFolder();
  WorkFolder(WorkFolder&&) noexcept = default;
  WorkFolder& operator=(WorkFolder&&) = delete;

  const std::filesystem::path& path() const { return m_path; }

 private:
  WorkFolder() = default;
  std::filesystem::path m_path;
  sys::FileDescriptor m_lock;
  Remover m_remover;
};

}  // namespace torchkiln::runtime
