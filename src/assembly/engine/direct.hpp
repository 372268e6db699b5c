#pragma once
// The direct engine: from a lock to the layers of its images, without a daemon and without running a Dockerfile.
// Downloads, the bootstraps of Debian bases and the conversion of wheels overlap.

#include "assembly/engine/cache.hpp"
#include "assembly/layer/base_layer.hpp"
#include "assembly/layer/delta_layer.hpp"
#include "assembly/layer/layer_format.hpp"
#include "assembly/layer/layer_writer.hpp"
#include "assembly/oci/descriptor.hpp"
#include "foundation/base/progress.hpp"
#include "foundation/sys/http.hpp"
#include "plan/lock/lock.hpp"
#include "plan/recipe/recipe.hpp"

#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace torchkiln::engine {

/// A layer that is ready, and what its history entry says.
struct ReadyLayer {
  layer::LayerFacts facts;
  std::string made_by;
  std::string media_type = {};  ///< of a layer that stays as it is; empty: of ours, in the format asked for
};

/// The layers that a part brings, lowest first.
struct PartLayers {
  std::optional<layer::DeltaFacts> packages;
  std::optional<ReadyLayer> archives;
  std::vector<ReadyLayer> wheels;  ///< in the order of PartPlan::wheel_layers
};

/// The layers that an extension brings.
struct ExtensionLayers {
  std::optional<ReadyLayer> configuration;  ///< of the image below: add_configuration_layers_below()'s
  std::optional<layer::DeltaFacts> packages;
  std::vector<ReadyLayer> wheels;  ///< in the order of ExtensionPlan::wheel_layers
};

/// What an image is put together from, all of it in the cache or where the image goes.
struct ImageLayers {
  std::vector<ReadyLayer> image;  ///< of the base image, as they are; none: the system is a layer of ours
  layer::BaseFacts system;        ///< with the packages that are put on the base image, as one
  std::optional<layer::DeltaFacts> system_packages;  ///< these packages, where there is a base image
  std::optional<ReadyLayer> python;                  ///< an interpreter that is not the system's
  std::vector<ReadyLayer> wheels;                    ///< in the order of Recipe::wheel_layers
  std::optional<ReadyLayer> bytecode;                ///< known and there, or make_bytecode_layer()'s
  std::vector<PartLayers> parts;                     ///< in the order of Recipe::parts
  std::vector<ExtensionLayers> extensions;           ///< in the order of Recipe::extensions
  /// The root that the verifier is compiled in, when it was asked for.
  std::optional<layer::BaseFacts> build_root;
  /// The same as what it has more than the system, when that was asked for.
  std::optional<layer::DeltaFacts> build_packages;
  std::optional<ReadyLayer> verifier;  ///< known and there, or make_verifier_layer()'s

  /// The account files of the highest layer that has some, below the extensions from `extension` on.
  const std::map<std::string, std::string>& account_files(std::size_t extension) const;
  /// Of `wheels`, in their order.
  std::vector<base::Digest> wheel_diff_ids() const;
  /// System and wheels, lowest first: what all variants stand on.
  std::vector<ReadyLayer> below_parts(const std::string& os) const;
  /// All of them but the build root, lowest first: system, wheels, bytecode, verifier, parts, extensions.
  std::vector<ReadyLayer> in_order(const recipe::Recipe& recipe, const std::string& os) const;
};

enum class BuildRoot { wanted, wanted_as_delta, not_wanted };

/// Whether a blob is already where the images go, so that it need not be made here.
using IsAtTarget = std::function<base::Result<bool>(const oci::Descriptor&)>;

struct LayersRequest {
  const lock::Lock& lock;
  std::span<const recipe::Recipe> recipes;
  BuildRoot build_root = BuildRoot::not_wanted;
  /// With BuildRoot::wanted, the verifier's sources: neither they nor what they are compiled against is needed when
  /// their layer is known and there.
  std::optional<base::Digest> verifier_source = std::nullopt;
  /// What compiles Python (bytecode_compiler_digest()), where images have bytecode.
  std::optional<base::Digest> bytecode_compiler = std::nullopt;
  IsAtTarget is_at_target = {};  ///< from any thread
};

/// Where a layer is before anything is made.
enum class Presence { in_cache, at_target, absent };

/// A layer as it is foreseen.
struct PlannedLayer {
  std::string made_by;                      ///< as ReadyLayer has it
  std::vector<std::size_t> wheels;          ///< indices into Lock::wheels
  std::optional<layer::LayerFacts> facts;   ///< known beforehand
  std::optional<std::uint64_t> blob_bytes;  ///< in the format asked for, where that is known
  Presence presence = Presence::absent;
};

/// What would have to be done for some images.
struct LayersPlan {
  std::vector<std::vector<PlannedLayer>> images;  ///< each lowest first, without configuration
  std::size_t downloads = 0;                      ///< files
  std::uint64_t download_bytes = 0;
};

/// Looks what is known and there; nothing is made or downloaded.
base::Result<LayersPlan> plan_layers(const LayersRequest& request, layer::LayerFormat format, const Cache& cache);

/// Has every layer of these recipes but bytecode, verifier and configuration, making and downloading what is neither
/// in the cache nor at the target, at once for all of them. Large wheels are removed from the cache once they are
/// layers: their bytes are in there.
base::Result<std::vector<ImageLayers>> make_layers(const LayersRequest& request, const Cache& cache,
                                                   sys::HttpClient& http, base::Progress& progress);

/// The Debian layers alone, for build contexts.
base::Result<std::vector<ImageLayers>> make_debian_layers(const lock::Lock& lock,
                                                          std::vector<recipe::Recipe> recipes, BuildRoot build_root,
                                                          const Cache& cache, sys::HttpClient& http,
                                                          base::Progress& progress);

/// Has one wheel of the lock in the cache and gives its path.
base::Result<std::filesystem::path> fetch_wheel(const lock::LockedWheel& wheel, const Cache& cache,
                                                sys::HttpClient& http);

/// The configuration layer: the files that recipe::configuration_files names.
base::Result<ReadyLayer> make_configuration_layer(const lock::Lock& lock, const recipe::Recipe& recipe,
                                                  const ImageLayers& layers,
                                                  const std::vector<recipe::AddedFile>& own, const Cache& cache);

/// Adds to the extensions of `layers` the configuration layers of the images that they are on top of, where they
/// have the same user. `images` is our folder of that name; `created_s` is make_recipe()'s.
base::Result<void> add_configuration_layers_below(const lock::Lock& lock, spec::Variant variant,
                                                  std::optional<std::int64_t> created_s,
                                                  const std::filesystem::path& images, const Cache& cache,
                                                  ImageLayers& layers);

/// A layer of the given files; folders above them must be among them.
base::Result<layer::LayerFacts> make_file_layer(std::vector<recipe::AddedFile> files, std::int64_t time_s,
                                                const sys::BlobStore& store);

/// Notes in the lock which layer holds each wheel, and the bytecode.
void record_layers(lock::Lock& lock, const recipe::Recipe& recipe, const ImageLayers& layers);

}  // namespace torchkiln::engine
