#pragma once
// What an image consists of: the packages that its own files say are installed, each with what the lock knows of it
// (digest, address, size). The documents are made of this and of nothing else.

#include "assembly/engine/cache.hpp"
#include "assembly/oci/layout.hpp"
#include "foundation/base/progress.hpp"
#include "plan/lock/lock.hpp"
#include "proof/sbom/licence.hpp"
#include "proof/verify/image_tree.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace torchkiln::sbom {

/// In the order in which documents list them.
enum class Kind {
  base_image,        ///< the image that this one stands on
  operating_system,  ///< by os-release
  deb,
  archive,  ///< of NVIDIA's toolkit, or of Python
  wheel,
  library  ///< of NVIDIA's, inside a wheel of somebody else's
};
/// "base-image", "operating-system", "deb", "archive", "wheel", "library".
std::string_view name(Kind kind);

struct Component {
  Kind kind = Kind::wheel;
  std::string name;
  std::string version = {};       ///< empty: not known
  std::string architecture = {};  ///< of a Debian package
  std::string purl = {};          ///< empty: it has none
  std::string supplier = {};      ///< "NVIDIA"; empty: not known
  std::string file_name = {};     ///< of what was fetched; of a library, where it is
  std::string url = {};           ///< where it was fetched from, without credentials; empty: not known
  base::Digest digest = {};       ///< of what was fetched; none: not known
  std::uint64_t size_bytes = 0;   ///< likewise; 0: not known
  Licence licence = {};
  std::string note = {};  ///< how we know of it, where that is not plain
  std::vector<Component> parts = {};
};

struct Inventory {
  std::string image_name;      ///< "team/pytorch:2.8.0-cu128"; never empty
  base::Digest image;          ///< of its manifest
  std::int64_t created_s = 0;  ///< when the image says that it was made
  spec::Variant variant;
  base::Digest lock = {};             ///< the identity of the lock; none: made without one
  std::vector<Component> components;  ///< sorted by kind, name, version and architecture
};

/// The image's name without its tag: "team/pytorch".
std::string repository_of(const Inventory& inventory);

/// An address as documents tell it: without user, password, query and fragment, where tokens may be.
std::string public_url(std::string_view url);

/// Whether the image says that it was made from this lock.
bool is_made_from(const oci::ImageConfig& config, const lock::Lock& lock);

/// What the files of `tree` say, with what `lock` knows; `lock` may be nullptr. lock_invalid when the image was
/// made from another lock; input_invalid when a package of the lock is not in the image.
base::Result<Inventory> make_inventory(const oci::Image& image, const oci::ImageConfig& config,
                                       const lock::Lock* lock, const verify::ImageTree& tree);

/// The same for an image of a layout, whose layers are unpacked into the cache where they are not yet.
base::Result<Inventory> take_inventory(const oci::Layout& layout, const oci::Image& image, const lock::Lock* lock,
                                       const engine::Cache& cache, base::Progress& progress);

}  // namespace torchkiln::sbom
