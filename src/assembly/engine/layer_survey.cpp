#include "assembly/engine/layer_survey.hpp"

#include "assembly/engine/bytecode.hpp"
#include "assembly/engine/verifier.hpp"
#include "assembly/layer/wheel_layer.hpp"
#include "foundation/base/text.hpp"
#include "foundation/sys/workers.hpp"

#include <algorithm>
#include <mutex>

namespace torchkiln::engine {

using base::Result;

namespace {

/// Questions to a registry on their way at once.
constexpr unsigned k_asked_at_once = 8;

std::string debian_architecture(const lock::Lock& lock) {
  return lock.resolution.architecture == "aarch64" ? "arm64" : "amd64";
}

std::vector<base::Digest> digests_of(const lock::Lock& lock, const std::vector<std::size_t>& wheels) {
  std::vector<base::Digest> digests;
  for (const auto wheel : wheels) digests.push_back(lock.wheels[wheel].digest);
  return digests;
}

/// What the lock itself noted about the layer of exactly these wheels.
std::optional<layer::LayerFacts> locked_claim(const lock::Lock& lock, const std::vector<std::size_t>& wheels) {
  const auto& first = lock.wheels[wheels.front()].layer;
  if (!first || first->unpacked_bytes == 0) return std::nullopt;
  const auto holders = std::count_if(lock.wheels.begin(), lock.wheels.end(), [&](const lock::LockedWheel& wheel) {
    return wheel.layer && wheel.layer->digest == first->digest;
  });
  const bool all = std::all_of(wheels.begin(), wheels.end(),
                               [&](std::size_t wheel) { return lock.wheels[wheel].layer == first; });
  if (!all || static_cast<std::size_t>(holders) != wheels.size()) return std::nullopt;
  return layer::LayerFacts{first->digest, first->size_bytes, first->diff_id, first->unpacked_bytes};
}

}  // namespace

std::string wheels_made_by(const lock::Lock& lock, const std::vector<std::size_t>& wheels) {
  std::vector<std::string> names;
  for (const auto wheel : wheels) names.push_back(lock.wheels[wheel].name + "==" + lock.wheels[wheel].version);
  return "torchkiln wheels " + base::join(names, " ");
}

std::string python_made_by(const lock::Lock& lock) {
  return "torchkiln archive of Python " + lock.python->version;
}

std::string toolkit_made_by(const lock::Lock& lock) {
  return "torchkiln archives of CUDA " + lock.resolution.cuda;
}

LayerSurvey::LayerSurvey(const LayersRequest& request, const Cache& cache) : m_request(request), m_cache(cache) {
  for (const auto* level = &request.lock; level; level = level->below.get())
    m_levels.insert(m_levels.begin(), level);
}

Result<LayerSurvey> LayerSurvey::make(const LayersRequest& request, const Cache& cache) {
  LayerSurvey survey(request, cache);
  survey.gather();
  for (const auto& recipe : request.recipes) survey.m_verifier_claims.push_back(survey.verifier_claim(recipe));
  survey.m_bytecode_claim = survey.bytecode_claim();
  TK_CHECK(survey.ask_target());
  survey.decide();
  return survey;
}

std::string LayerSurvey::wheels_key(const std::vector<std::size_t>& wheels) const {
  return wheel_layer_key(digests_of(m_request.lock, wheels), m_request.recipes.front().scheme, layer::Pythons::one);
}

SurveyedRoot LayerSurvey::root_of(const std::function<bool(const lock::LockedDeb&)>& in, std::string what,
                                  std::size_t level) const {
  SurveyedRoot root = image_root();
  root.what = std::move(what);
  for (const auto& deb : m_levels[level]->debs)
    if (deb.is_base() || in(deb)) {
      root.debs.push_back(&deb);
      root.packages.push_back({deb.name, deb.version, deb.architecture, deb.digest});
    }
  return root;
}

SurveyedRoot LayerSurvey::image_root() const {
  SurveyedRoot root;
  root.suite = m_request.lock.resolution.suite;
  root.architecture = debian_architecture(m_request.lock);
  root.what = "the base image";
  if (const auto& base = m_levels.front()->base)
    for (const auto& one : base->layers) root.image.push_back({one.digest, one.diff_id});
  return root;
}

std::vector<ReadyLayer> LayerSurvey::image_layers() const {
  std::vector<ReadyLayer> layers;
  if (const auto& base = m_levels.front()->base)
    for (const auto& one : base->layers)
      layers.push_back({{one.digest, one.size_bytes, one.diff_id, 0}, "base image " + base->image, one.media_type});
  return layers;
}

bool LayerSurvey::has_system_packages() const {
  const auto system = root_for({});
  return !system.image.empty() && !system.debs.empty();
}

SurveyedRoot LayerSurvey::root_for(spec::Variant variant, std::size_t level) const {
  std::string what = variant.is_runtime() ? "the Debian base" : "the Debian base with " + name(variant);
  if (level > 0) what += ", extended";
  return root_of([variant](const lock::LockedDeb& deb) { return is_in(deb, variant); }, std::move(what), level);
}

SurveyedRoot LayerSurvey::build_root() const {
  return root_of([](const lock::LockedDeb& deb) { return deb.in_build_root; }, "the verifier's build root");
}

std::string LayerSurvey::delta_key(const SurveyedRoot& lower, const SurveyedRoot& upper) {
  return delta_layer_key(lower.request(), upper.request());
}

void LayerSurvey::gather_root(SurveyedRoot root) {
  root.facts = find_base(root.request(), m_cache.catalog());
  auto key = root.key();
  roots.emplace(std::move(key), std::move(root));
}

void LayerSurvey::gather_delta(const SurveyedRoot& lower, const SurveyedRoot& upper) {
  const auto key = delta_key(lower, upper);
  deltas.emplace(key, SurveyedDelta{lower.key(), upper.key(), find_delta(key, m_cache.catalog())});
}

void LayerSurvey::gather_wheels(const recipe::WheelLayers& layers) {
  for (const auto& wheels : layers)
    wheel_layers.emplace(wheels_key(wheels), SurveyedWheels{wheels, claim_of(wheels), {}});
}

void LayerSurvey::gather_archives(SurveyedArchives& layer, std::string folder) const {
  for (const auto* archive : layer.archives) layer.cached.push_back({archive->name, archive->digest});
  layer.folder = std::move(folder);
  layer.key = layer::archive_layer_key(layer.cached, layer.folder);
  layer.facts = m_cache.catalog().find(layer.key);
}

void LayerSurvey::gather_archives() {
  const auto& lock = m_request.lock;
  if (lock.python) {
    python.emplace();
    python->archives = {&*lock.python};
    gather_archives(*python, recipe::k_python_folder);
  }
  const bool is_wanted =
      std::any_of(m_request.recipes.begin(), m_request.recipes.end(), [](const recipe::Recipe& recipe) {
        return std::any_of(recipe.parts.begin(), recipe.parts.end(),
                           [](const auto& part) { return part.has_archives; });
      });
  if (!is_wanted) return;
  toolkit.emplace();
  for (const auto& archive : lock.archives) toolkit->archives.push_back(&archive);
  gather_archives(*toolkit, recipe::toolkit_folder(lock));
}

void LayerSurvey::each_delta(const std::function<void(const SurveyedRoot&, const SurveyedRoot&)>& visit) const {
  if (has_system_packages()) visit(image_root(), root_for({}));
  if (m_request.build_root == BuildRoot::wanted_as_delta) visit(root_for({}), build_root());
  for (const auto& recipe : m_request.recipes) {
    spec::Variant below;
    for (const auto& part : recipe.parts) {
      if (part.has_packages) visit(root_for(below), root_for(part.up_to));
      below = part.up_to;
    }
    for (std::size_t i = 0; i < recipe.extensions.size(); ++i)
      if (recipe.extensions[i].has_packages) visit(root_for(recipe.variant, i), root_for(recipe.variant, i + 1));
  }
}

void LayerSurvey::gather() {
  gather_root(root_for({}));
  if (m_request.build_root == BuildRoot::wanted) gather_root(build_root());
  gather_archives();
  each_delta([this](const SurveyedRoot& lower, const SurveyedRoot& upper) { gather_delta(lower, upper); });
  for (const auto& recipe : m_request.recipes) {
    gather_wheels(recipe.wheel_layers);
    for (const auto& part : recipe.parts) {
      gather_wheels(part.wheel_layers);
    }
    for (const auto& extension : recipe.extensions) gather_wheels(extension.wheel_layers);
  }
}

/// What this machine made counts most, then what came with torchkiln, then what the lock says.
std::optional<layer::LayerFacts> LayerSurvey::claim_of(const std::vector<std::size_t>& wheels) const {
  const auto digests = digests_of(m_request.lock, wheels);
  for (const auto pythons : {layer::Pythons::every, layer::Pythons::one})
    if (auto facts = m_cache.catalog().find(wheel_layer_key(digests, m_request.recipes.front().scheme, pythons)))
      return facts;
  return locked_claim(m_request.lock, wheels);
}

std::optional<std::vector<base::Digest>> LayerSurvey::claimed_diff_ids(const recipe::WheelLayers& layers) const {
  std::vector<base::Digest> diff_ids;
  for (const auto& wheels : layers) {
    const auto& claim = wheel_layers.at(wheels_key(wheels)).claim;
    if (!claim) return std::nullopt;
    diff_ids.push_back(claim->diff_id);
  }
  return diff_ids;
}

std::optional<layer::LayerFacts> LayerSurvey::bytecode_claim() const {
  if (!m_request.bytecode_compiler) return std::nullopt;
  const auto& system = roots.at(root_for({}).key());
  const auto diff_ids = claimed_diff_ids(m_request.recipes.front().wheel_layers);
  if (!system.facts || !diff_ids || (python && !python->facts)) return std::nullopt;
  const auto& interpreter = python ? python->facts->diff_id : system.facts->layer.diff_id;
  return m_cache.catalog().find(bytecode_key(*m_request.bytecode_compiler, interpreter, *diff_ids));
}

std::optional<layer::LayerFacts> LayerSurvey::verifier_claim(const recipe::Recipe& recipe) const {
  if (m_request.build_root != BuildRoot::wanted || !m_request.verifier_source) return std::nullopt;
  const auto& root = roots.at(build_root().key());
  const auto diff_ids = claimed_diff_ids(recipe.wheel_layers);
  if (!root.facts || !diff_ids) return std::nullopt;
  return m_cache.catalog().find(
      verifier_key(*m_request.verifier_source, root.facts->layer.diff_id, recipe, *diff_ids));
}

bool LayerSurvey::is_in_cache(const layer::LayerFacts& facts) const {
  return sys::size_of_file(m_cache.blobs().path(facts.digest)) == facts.size_bytes;
}

Presence LayerSurvey::presence(const layer::LayerFacts& facts) const {
  if (is_in_cache(facts)) return Presence::in_cache;
  return m_at_target.count(facts.digest) ? Presence::at_target : Presence::absent;
}

std::uint64_t LayerSurvey::wheel_bytes(const SurveyedWheels& layer) const {
  std::uint64_t total = 0;
  for (const auto wheel : layer.wheels) total += m_request.lock.wheels[wheel].size_bytes;
  return total;
}

Result<void> LayerSurvey::ask_target() {
  if (!m_request.is_at_target) return {};
  std::map<base::Digest, layer::LayerFacts> asked;
  const auto ask = [&](const layer::LayerFacts& facts) {
    if (!is_in_cache(facts)) asked.emplace(facts.digest, facts);
  };
  for (const auto& [key, root] : roots)
    if (root.facts) ask(root.facts->layer);
  for (const auto& [key, delta] : deltas)
    if (delta.facts) ask(delta.facts->layer);
  for (const auto& [key, wheels] : wheel_layers)
    if (wheels.claim) ask(*wheels.claim);
  for (const auto* layer : {&python, &toolkit})
    if (*layer && (*layer)->facts) ask(*(*layer)->facts);
  for (const auto& claim : m_verifier_claims)
    if (claim) ask(*claim);
  if (m_bytecode_claim) ask(*m_bytecode_claim);
  std::mutex mutex;
  sys::Workers workers(k_asked_at_once);
  for (const auto& entry : asked)
    workers.submit([&, facts = entry.second]() -> Result<void> {
      TK_TRY(const bool is_there, m_request.is_at_target(oci::Descriptor{std::string(layer::k_layer_media_type),
                                                                         facts.digest, facts.size_bytes}));
      const std::lock_guard guard(mutex);
      if (is_there) m_at_target.insert(facts.digest);
      return {};
    });
  return workers.wait();
}

void LayerSurvey::want_in_cache(SurveyedRoot& root) const {
  root.is_missing = !root.facts || !is_in_cache(root.facts->layer);
}

void LayerSurvey::decide() {
  if (m_bytecode_claim && presence(*m_bytecode_claim) != Presence::absent) bytecode = m_bytecode_claim;
  // What compiles Python runs in the image, and that takes the layers themselves.
  const bool runs_image = m_request.bytecode_compiler && !bytecode;
  const auto is_there = [&](const layer::LayerFacts& facts) {
    return runs_image ? is_in_cache(facts) : presence(facts) != Presence::absent;
  };
  bool compiles = m_request.build_root == BuildRoot::wanted;
  if (compiles && std::all_of(m_verifier_claims.begin(), m_verifier_claims.end(),
                              [&](const auto& claim) { return claim && is_there(*claim); })) {
    compiles = false;
    verifiers = m_verifier_claims;
  }
  verifiers.resize(m_request.recipes.size());

  auto& system = roots.at(root_for({}).key());
  // Of a base image its own layers are used; what is known of it all together is enough.
  system.is_missing = !system.facts || (system.image.empty() && !is_there(system.facts->layer));
  if (compiles) want_in_cache(roots.at(build_root().key()));
  std::set<std::string> compiled_against;
  if (compiles)
    for (const auto& recipe : m_request.recipes)
      for (const auto& wheels : recipe.wheel_layers) compiled_against.insert(wheels_key(wheels));
  for (auto& [key, layer] : wheel_layers) {
    if (!layer.claim) continue;
    if (is_in_cache(*layer.claim) || (is_there(*layer.claim) && !compiled_against.count(key)))
      layer.facts = layer.claim;
  }
  // Deltas compare roots, whose blobs they need.
  const auto want_roots = [&](SurveyedRoot root) {
    const auto key = root.key();
    if (!roots.count(key)) gather_root(std::move(root));
    want_in_cache(roots.at(key));
  };
  each_delta([&](const SurveyedRoot& lower, const SurveyedRoot& upper) {
    auto& delta = deltas.at(delta_key(lower, upper));
    delta.is_missing = !delta.facts || !is_there(delta.facts->layer);
    if (!delta.is_missing) return;
    want_roots(lower);
    want_roots(upper);
  });
  for (auto* layer : {&python, &toolkit})
    if (*layer) (*layer)->is_missing = !(*layer)->facts || !is_there(*(*layer)->facts);
}

}  // namespace torchkiln::engine
