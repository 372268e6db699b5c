#pragma once
// The direct engine: from a lock to the layers of its images, without a daemon and without running a Dockerfile.
// Downloads, the bootstrap of the Debian base and the conversion of wheels overlap.

#include "assembly/engine/cache.hpp"
#include "assembly/layer/base_layer.hpp"
#include "assembly/layer/layer_writer.hpp"
#include "foundation/base/progress.hpp"
#include "foundation/sys/http.hpp"
#include "plan/lock/lock.hpp"
#include "plan/recipe/recipe.hpp"

#include <map>
#include <string>
#include <vector>

namespace torchkiln::engine {

/// A layer that is ready, and what its history entry says.
struct ReadyLayer {
  layer::LayerFacts facts;
  std::string made_by;
};

/// What an image is put together from, all of it in the cache.
struct Parts {
  layer::BaseFacts system;
  std::vector<ReadyLayer> wheels;  ///< in the order of Recipe::wheel_layers
  /// The root that the verifier is compiled in, when it was asked for.
  std::optional<layer::BaseFacts> build_root;
};

enum class BuildRoot { wanted, not_wanted };

/// Has every layer of `recipe` that is not specific to the variant, making and downloading what the cache lacks.
/// Large wheels are removed from the cache once they are layers: their bytes are in there.
base::Result<Parts> make_parts(const lock::Lock& lock, const recipe::Recipe& recipe, BuildRoot build_root,
                               const Cache& cache, sys::HttpClient& http, base::Progress& progress);

/// The system layer alone, for `render`.
base::Result<layer::BaseFacts> make_system(const lock::Lock& lock, const Cache& cache, sys::HttpClient& http,
                                           base::Progress& progress);

/// Has one wheel of the lock in the cache and gives its path.
base::Result<std::filesystem::path> fetch_wheel(const lock::LockedWheel& wheel, const Cache& cache,
                                                sys::HttpClient& http);

/// The configuration layer: the files that recipe::configuration_files names.
base::Result<ReadyLayer> make_configuration_layer(const lock::Lock& lock, const recipe::Recipe& recipe,
                                                  const layer::BaseFacts& system, const Cache& cache);

/// A layer of the given files; folders above them must be among them.
base::Result<layer::LayerFacts> make_file_layer(std::vector<recipe::AddedFile> files, std::int64_t time_s,
                                                const sys::BlobStore& store);

/// Notes in the lock which layer holds each wheel.
void record_layers(lock::Lock& lock, const recipe::Recipe& recipe, const Parts& parts);

}  // namespace torchkiln::engine
