#pragma once
// From a resolution to a lock: Python and Debian packages pinned side by side, then the wheels' directories read by
// range, so that sizes are known and conflicts between wheels are found before anything large is downloaded.

#include "foundation/base/progress.hpp"
#include "foundation/sys/blob_store.hpp"
#include "foundation/sys/http.hpp"
#include "plan/lock/below.hpp"
#include "plan/lock/debian.hpp"
#include "plan/lock/lock.hpp"
#include "plan/lock/parts.hpp"
#include "plan/lock/python.hpp"

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace torchkiln::lock {

/// Where the interpreter comes from.
enum class Interpreter { of_the_system, in_an_archive };
/// Debian packages that every base has besides the essential ones: the interpreter, the init process, and the
/// certificates that downloads over https need.
std::vector<std::string> base_packages(Interpreter interpreter = Interpreter::of_the_system);

/// The image that ours is to stand on, as it was found.
struct BaseImage {
  LockedBase locked;
  std::string dpkg_status;  ///< its list of packages; empty where it has no dpkg
  std::string file;         ///< how the spec names it
  base::Place place;        ///< where it does
};

struct LockRequest {
  const spec::Spec& spec;
  const solver::Resolution& resolution;
  base::Digest matrix_revision;
  PythonIndexes indexes;                    ///< as the user gave them; completed from pip's configuration
  std::vector<std::string> mirrors;         ///< as the user gave them
  std::vector<std::string> build_packages;  ///< of Debian, to compile the verifier; none: there is no verifier
  std::vector<PartRequest> parts;           ///< of the spec's variants: part_requests()
  std::optional<Lock> earlier;              ///< what it pins is kept as far as it still fits
  std::string earlier_pylock;
  Upgrade upgrade = Upgrade::keep;
  std::vector<std::string> upgrade_packages;
  sys::NetworkAccess network = sys::NetworkAccess::allowed;
  std::filesystem::path uv;
  std::filesystem::path cache;                   ///< torchkiln's cache folder
  std::vector<std::string> redist = {};          ///< folders of NVIDIA's archives, as the user gave them
  std::optional<BaseImage> base = std::nullopt;  ///< where the spec names one and extends nothing
  Below below = {};  ///< where the spec extends another; the resolution is decided by it
};

/// What apt is asked for, as the lock records it ("build:g++" for the build root, "ssh:openssh-server" for a part),
/// sorted.
std::vector<std::string> requested_debian(const LockRequest& request);

struct NewLock {
  Lock lock;
  std::string pylock;
};

base::Result<NewLock> make_lock(const LockRequest& request, sys::HttpClient& http, const sys::BlobStore& blobs,
                                base::Progress& progress);

/// Whether the lock still answers the spec on top of the lock below. A newer matrix alone does not make a lock
/// stale: what is pinned stays pinned until --upgrade.
bool is_current(const Lock& lock, const spec::Spec& spec, const Below& below = {});

}  // namespace torchkiln::lock
