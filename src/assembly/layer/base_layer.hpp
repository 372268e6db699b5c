#pragma once
// The system layer: a Debian base made by mmdebstrap from exactly the packages that the lock names, out of a
// repository of our own with just those, so that no mirror has a say in what is installed. Reproducible
// (SOURCE_DATE_EPOCH, measured as root and as an ordinary user): times are at most that of the newest package.

#include "assembly/layer/catalog.hpp"
#include "assembly/layer/flattened.hpp"
#include "assembly/layer/layer_writer.hpp"
#include "foundation/base/digest.hpp"
#include "foundation/base/error.hpp"
#include "foundation/base/progress.hpp"

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <span>
#include <string>

namespace torchkiln::layer {

/// Raise when the same packages could give other bytes.
inline constexpr std::string_view k_base_layer_recipe = "base-layer/3";

/// A Debian package that is in the cache.
struct CachedDeb {
  std::string name, version, architecture;
  base::Digest digest;
};

struct BaseFacts {
  LayerFacts layer;
  std::int64_t time_s = 0;  ///< that of the newest package
  /// The files that later layers extend, by path without leading "/": etc/passwd, etc/group, etc/shadow,
  /// etc/gshadow and everything in etc/skel.
  std::map<std::string, std::string> files;
};

struct BaseRequest {
  std::string suite;         ///< "bookworm"
  std::string architecture;  ///< Debian's name, "amd64"
  std::span<const CachedDeb> packages;
  /// The image that the packages are put on, lowest layer first; none: they are put together from nothing.
  std::span<const ImageLayer> image = {};
};

std::string base_layer_key(const BaseRequest& request);

/// Facts of a base that was made before, wherever its blob is.
std::optional<BaseFacts> find_base(const BaseRequest& request, const LayerCatalog& catalog);

/// Makes the base layer. `debs` holds the packages by digest. Works in $TMPDIR, /var/tmp or /tmp, whichever
/// everybody may enter. Needs mmdebstrap; as an ordinary user also subordinate ids (tool_failed says so).
base::Result<BaseFacts> make_base(const BaseRequest& request, const sys::BlobStore& debs,
                                  const sys::BlobStore& store, const LayerCatalog& catalog, unsigned threads,
                                  base::Step& step);

/// A tar file as a gzip layer: independent members of 4 MiB each, so that the bytes do not depend on the number of
/// threads.
base::Result<LayerFacts> compress_tar(const std::filesystem::path& tar, const sys::BlobStore& store,
                                      unsigned threads);

}  // namespace torchkiln::layer
