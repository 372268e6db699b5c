#pragma once
// An image out of a registry into a layout. Nothing of it is believed: every byte is hashed, every document parsed,
// and what refers to the image has to say so itself.

#include "assembly/oci/layout.hpp"
#include "assembly/oci/platform.hpp"
#include "assembly/oci/reference.hpp"
#include "assembly/registry/repository.hpp"
#include "foundation/base/progress.hpp"
#include "foundation/sys/blob_store.hpp"

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace torchkiln::registry {

/// How much of an image is wanted.
enum class Wanted {
  documents,  ///< manifest and configuration
  stamps,     ///< and what refers to the image
  everything  ///< and the layers
};

struct PullRequest {
  oci::RegistryReference reference;
  oci::Platform platform;    ///< which image, where there is one for each platform
  std::string variant = {};  ///< and which of a family's; empty: the first
  Wanted wanted = Wanted::everything;
  /// Blobs that need not be fetched where they are there already; may be none.
  const sys::BlobStore* known = nullptr;
  /// Layers for which this says so are not wanted, by their diff_id.
  std::function<bool(const base::Digest& diff_id)> is_unpacked = {};
  /// Told of each layer that was wanted once it is in the layout, while others are on their way; from any thread.
  std::function<void(const oci::Descriptor& layer, const base::Digest& diff_id)> on_layer = {};
};

struct Pulled {
  oci::Image image;        ///< tag and name as asked for
  std::string source;      ///< "HOST/REPOSITORY", a mirror's perhaps
  std::size_t layers = 0;  ///< of the image
  std::uint64_t size_bytes = 0;
  std::size_t fetched_blobs = 0;
  std::uint64_t fetched_bytes = 0;
  std::vector<oci::Descriptor> referrers;
};

/// Pulls into the layout; `repositories` are the same one at its mirrors and its own registry, asked in this order.
/// The image is not named in the layout's index.
base::Result<Pulled> pull(const PullRequest& request, const std::vector<Repository>& repositories,
                          const oci::Layout& layout, base::Progress& progress);

}  // namespace torchkiln::registry
