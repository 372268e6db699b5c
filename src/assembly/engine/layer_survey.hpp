#pragma once
// What images consist of, what of that is known, and what is there already: in the cache, or where the images go.
// The first half of the direct engine; nothing is made or downloaded.

#include "assembly/engine/cache.hpp"
#include "assembly/engine/direct.hpp"
#include "assembly/layer/archive_layer.hpp"

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace torchkiln::engine {

/// A Debian system made of some of the lock's packages.
struct SurveyedRoot {
  std::vector<const lock::LockedDeb*> debs;
  std::vector<layer::CachedDeb> packages;
  std::vector<layer::ImageLayer> image;  ///< that they are put on
  std::string suite, architecture, what;
  std::optional<layer::BaseFacts> facts;  ///< known, or made by now
  bool is_missing = false;                ///< it has to be made

  layer::BaseRequest request() const { return {suite, architecture, packages, image}; }
  std::string key() const { return base_layer_key(request()); }
};

/// A layer of archives.
struct SurveyedArchives {
  std::vector<const lock::LockedArchive*> archives;
  std::vector<layer::CachedArchive> cached;
  std::string folder, key;
  std::optional<layer::LayerFacts> facts;  ///< known, or made by now
  bool is_missing = false;                 ///< it has to be made
};

/// A delta between two roots.
struct SurveyedDelta {
  std::string lower, upper;  ///< keys of roots
  std::optional<layer::DeltaFacts> facts;
  bool is_missing = false;
};

/// A layer of wheels.
struct SurveyedWheels {
  std::vector<std::size_t> wheels;         ///< indices into Lock::wheels
  std::optional<layer::LayerFacts> claim;  ///< what is said of it; what has to be made is compared with that
  std::optional<layer::LayerFacts> facts;  ///< it is there, or made by now
};

/// What an image's history says of a layer of wheels, of an interpreter's and of NVIDIA's archives.
std::string wheels_made_by(const lock::Lock& lock, const std::vector<std::size_t>& wheels);
std::string python_made_by(const lock::Lock& lock);
std::string toolkit_made_by(const lock::Lock& lock);

class LayerSurvey {
 public:
  static base::Result<LayerSurvey> make(const LayersRequest& request, const Cache& cache);

  std::string wheels_key(const std::vector<std::size_t>& wheels) const;
  /// The root of the base and the variant's packages, of the lock at this level: 0 is the lowest, whose spec
  /// extends nothing.
  SurveyedRoot root_for(spec::Variant variant, std::size_t level = 0) const;
  SurveyedRoot build_root() const;
  /// The base image as it is.
  SurveyedRoot image_root() const;
  /// The layers of the base image, as they are; none: there is none.
  std::vector<ReadyLayer> image_layers() const;
  /// Whether there is a base image, and packages that are put on it.
  bool has_system_packages() const;
  static std::string delta_key(const SurveyedRoot& lower, const SurveyedRoot& upper);

  /// Where a layer is, before anything is made.
  Presence presence(const layer::LayerFacts& facts) const;
  /// The bytes of a layer's wheels.
  std::uint64_t wheel_bytes(const SurveyedWheels& layer) const;

  // By key.
  std::map<std::string, SurveyedRoot> roots;
  std::map<std::string, SurveyedDelta> deltas;
  std::map<std::string, SurveyedWheels> wheel_layers;
  std::optional<SurveyedArchives> python, toolkit;
  /// The verifier's layer of each recipe, where it is known and there.
  std::vector<std::optional<layer::LayerFacts>> verifiers;
  /// The layer of bytecode, which all recipes share, where it is known and there.
  std::optional<layer::LayerFacts> bytecode;

 private:
  LayerSurvey(const LayersRequest& request, const Cache& cache);

  SurveyedRoot root_of(const std::function<bool(const lock::LockedDeb&)>& in, std::string what,
                       std::size_t level = 0) const;
  void gather();
  void gather_wheels(const recipe::WheelLayers& layers);
  void gather_archives();
  void gather_archives(SurveyedArchives& layer, std::string folder) const;
  void gather_root(SurveyedRoot root);
  void gather_delta(const SurveyedRoot& lower, const SurveyedRoot& upper);
  std::optional<layer::LayerFacts> claim_of(const std::vector<std::size_t>& wheels) const;
  std::optional<layer::LayerFacts> verifier_claim(const recipe::Recipe& recipe) const;
  std::optional<layer::LayerFacts> bytecode_claim() const;
  /// The claims' diff_ids; nothing when one has no claim.
  std::optional<std::vector<base::Digest>> claimed_diff_ids(const recipe::WheelLayers& layers) const;
  base::Result<void> ask_target();
  void decide();
  bool is_in_cache(const layer::LayerFacts& facts) const;
  /// The root's blob itself is needed.
  void want_in_cache(SurveyedRoot& root) const;

  /// Calls `visit` with the lower and the upper root of every delta that the recipes need.
  void each_delta(const std::function<void(const SurveyedRoot&, const SurveyedRoot&)>& visit) const;

  LayersRequest m_request;
  const Cache& m_cache;
  std::vector<std::optional<layer::LayerFacts>> m_verifier_claims;
  std::optional<layer::LayerFacts> m_bytecode_claim;
  std::vector<const lock::Lock*> m_levels;  ///< the lowest first; the request's own last
  std::set<base::Digest> m_at_target;
};

}  // namespace torchkiln::engine
