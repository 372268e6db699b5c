#include "interface/cli/steps.hpp"

#include "assembly/engine/bytecode.hpp"
#include "assembly/engine/context.hpp"
#include "assembly/engine/pack_layers.hpp"
#include "assembly/engine/verifier.hpp"
#include "decision/solver/rules.hpp"
#include "foundation/base/text.hpp"
#include "foundation/sys/environment.hpp"
#include "foundation/sys/files.hpp"
#include "interface/cli/base_image.hpp"
#include "knowledge/host/host.hpp"
#include "knowledge/spec/family.hpp"
#include "plan/recipe/recipe.hpp"
#include "proof/stamp/policy.hpp"

#include <sys/utsname.h>

#include <fmt/format.h>

namespace torchkiln::cli {

using base::ErrorCode;
using base::fail;
using base::Result;
namespace fs = std::filesystem;

namespace {

bool is_empty(const spec::Overrides& o) {
  return !o.pytorch && !o.python && !o.cuda && !o.cudnn && !o.nccl && !o.os && !o.driver && o.gpus.empty() &&
         o.variants.empty() && !o.architecture && !o.prefer && !o.forward_compat;
}

/// Driver and GPUs of this machine as overrides, each with the place it was read at.
Result<void> add_this_host(spec::Overrides& overrides) {
  const auto facts = host::read();
  if (!facts.driver && facts.gpus.empty())
    return fail(ErrorCode::usage, "--this-host: this machine has no NVIDIA driver",
                {"name what the image must run on: --driver VERSION --gpu MODEL"});
  if (facts.driver && !overrides.driver) {
    overrides.driver = facts.driver->value.to_string();
    overrides.driver_source = facts.driver->source;
  }
  if (!overrides.gpus.empty()) return {};
  for (const auto& gpu : facts.gpus) {
    // The compute capability says more than a product name, where it could be read.
    overrides.gpus.push_back(gpu.compute ? gpu.compute->value.to_string() : gpu.model);
    overrides.gpus_source = gpu.compute ? gpu.compute->source : gpu.source;
  }
  return {};
}

std::optional<matrix::Architecture> this_architecture() {
  utsname names = {};
  if (::uname(&names) != 0) return std::nullopt;
  const auto architecture = matrix::parse_architecture(names.machine);
  return architecture ? std::optional(*architecture) : std::nullopt;
}

/// The solver's request for this spec, on top of the lock below and for the architecture that the spec names, or
/// that one of its GPUs is built into, or else this machine's.
Result<solver::Request> request_for(spec::Spec spec, const lock::Below& below, const matrix::Matrix& matrix) {
  if (below.lock) {
    TK_TRY(spec.require, lock::decided_by(below, std::move(spec.require)));
  }
  TK_TRY(auto request, solver::request_of(spec, matrix));
  if (spec.require.architecture) return request;
  if (const auto machine = this_architecture()) request.architecture = *machine;
  for (const auto& gpu : spec.require.gpus)
    if (const auto named = find_gpu(matrix, gpu.value); named && solver::has_arm_processor(*named)) {
      // Named, so that a fix without this GPU is still one for such a machine.
      request.architecture = matrix::Architecture::aarch64;
      request.require.architecture =
          spec::Placed<std::string>{std::string(name(request.architecture)), {"--arch", 0, 0}};
    }
  return request;
}

/// The answer, from builds that can be locked: those of PyTorch's own index only where that is named.
solver::Outcome solve_for_lock(solver::Request request, const matrix::Matrix& matrix,
                               const std::string& torch_index, base::Progress& progress) {
  auto anywhere = solver::solve(request, matrix);
  const auto* best = std::get_if<solver::Resolution>(&anywhere);
  if (!torch_index.empty() || !best || best->index == "default") return anywhere;
  progress.warn(
      fmt::format("PyTorch {}+{} is on PyTorch's own index and cannot be locked without its address: give "
                  "it with --torch-index or in {}",
                  best->pytorch.to_string(), best->build, lock::k_torch_index_variable));
  request.indexes = solver::Indexes::default_only;
  return solver::solve(request, matrix);
}

/// A failure to lock a build of PyTorch's own index, with the build that could not be locked and what comes nearest
/// on the default index.
base::Error with_nearest(base::Error error, const solver::Request& request, const solver::Resolution& resolution,
                         const matrix::Matrix& matrix) {
  const bool is_about_index = error.code == ErrorCode::network_failed || error.code == ErrorCode::package_conflict;
  if (resolution.index == "default" || !is_about_index) return error;
  error.notes.push_back(fmt::format("PyTorch {}+{}, which is on PyTorch's own index only, could not be locked",
                                    resolution.pytorch.to_string(), resolution.build));
  if (const auto nearest = solver::nearest_on_default_index(request, matrix))
    error.hints.push_back(fmt::format("nearest on the default index is {}+{}: {}",
                                      nearest->resolution.pytorch.to_string(), nearest->resolution.build,
                                      nearest->command));
  return error;
}

Result<std::optional<lock::Lock>> read_lock_if_any(const fs::path& file) {
  std::error_code error;
  if (!fs::exists(file, error)) return std::optional<lock::Lock>();
  TK_TRY(auto found, read_lock(file));
  return std::optional<lock::Lock>(std::move(found));
}

}  // namespace

namespace {
ProjectFiles files_of(const fs::path& spec) {
  const auto folder = spec.has_parent_path() ? spec.parent_path() : fs::path(".");
  return {spec, (folder / "kiln.lock").lexically_normal(), (folder / "pylock.toml").lexically_normal(),
          (folder / "kiln.oci").lexically_normal()};
}
}  // namespace

Result<Project> load_project(const SpecOptions& options) {
  Project project;
  auto overrides = options.overrides;
  if (options.this_host) TK_CHECK(add_this_host(overrides));
  fs::path file = options.file;
  std::error_code error;
  if (!file.empty() && fs::is_directory(file, error)) file /= "kiln.toml";
  if (file.empty() && fs::exists("kiln.toml", error)) file = "kiln.toml";
  if (file.empty() && is_empty(overrides))
    return fail(ErrorCode::usage, "there is no kiln.toml here",
                {"write one (see README.md), name one, or say what you want: --pytorch 2.8 --gpu A100"});
  if (!file.empty()) {
    if (!fs::exists(file, error))
      return fail(ErrorCode::usage, "there is no file " + file.string(),
                  {"name a kiln.toml, or a folder that holds one"});
    TK_TRY(auto family, spec::read_family(file));
    for (auto& one : family) {
      auto below = project.spec.file.empty() ? nullptr : std::make_shared<const Project>(std::move(project));
      const auto files = files_of(one.file);
      project = {std::move(one), files, std::move(below)};
    }
  } else {
    project.files = files_of(file);
  }
  TK_TRY(project.spec, spec::with_overrides(std::move(project.spec), overrides));
  return project;
}

Result<console::DataAge> data_age(const matrix::Matrix& matrix) {
  TK_TRY(const auto epoch_s, sys::source_date_epoch());
  return console::DataAge::of(matrix.date, epoch_s.value_or(sys::now_s()));
}

Result<solver::Outcome> resolve(const Project& project, const matrix::Matrix& all) {
  const auto matrix = with_python_of(project.spec, all);
  lock::Below below;
  if (project.below) {
    below.file = project.below->files.lock.string();
    TK_TRY(auto lock_below, read_lock_if_any(below.file));
    if (lock_below) below.lock = std::make_shared<const lock::Lock>(std::move(*lock_below));
  }
  TK_TRY(const auto request, request_for(project.spec, below, matrix));
  return solver::solve(request, matrix);
}

Result<lock::Lock> read_lock(const fs::path& file) {
  std::error_code error;
  if (!fs::exists(file, error))
    return fail(ErrorCode::lock_invalid, "there is no " + file.string(), {"make it with 'torchkiln lock'"});
  TK_TRY(const auto text, sys::read_file(file));
  return lock::parse(text, file.string());
}

Result<LockOutcome> ensure_lock(const Project& project, const LockOptions& options, Session& session) {
  lock::Below below;
  if (project.below) {
    auto options_below = options;
    options_below.upgrade = lock::Upgrade::keep;
    options_below.upgrade_packages.clear();
    TK_TRY(auto outcome, ensure_lock(*project.below, options_below, session));
    if (std::holds_alternative<solver::Conflict>(outcome)) return outcome;
    below = {std::make_shared<const lock::Lock>(std::get<lock::Lock>(std::move(outcome))),
             project.below->files.lock.string()};
  }
  TK_TRY(auto earlier, read_lock_if_any(project.files.lock));
  const bool keep = options.upgrade == lock::Upgrade::keep && options.upgrade_packages.empty();
  if (earlier && keep && lock::is_current(*earlier, project.spec, below)) {
    earlier->below = below.lock;
    return LockOutcome(std::move(*earlier));
  }

  base::Step step(session.progress(), "Resolving", project.spec.file.empty() ? "the options" : project.spec.file);
  TK_TRY(auto all, session.load_matrix());
  const auto matrix = with_python_of(project.spec, std::move(all));
  TK_TRY(const auto request, request_for(project.spec, below, matrix));
  auto indexes = options.indexes;
  indexes.torch_index = lock::torch_index(std::move(indexes.torch_index));
  auto outcome = solve_for_lock(request, matrix, indexes.torch_index, session.progress());
  if (auto* conflict = std::get_if<solver::Conflict>(&outcome)) return LockOutcome(std::move(*conflict));
  const auto& resolution = std::get<solver::Resolution>(outcome);
  step.end(fmt::format("PyTorch {}+{}, Python {}, {}", resolution.pytorch.to_string(), resolution.build,
                       resolution.python, resolution.os.id));
  for (const auto& warning : resolution.warnings) session.progress().warn(warning.text);

  TK_TRY(const auto images, session.data_folder("images"));
  std::vector<std::string> build_packages;
  if (project.spec.image.verifier) {
    TK_TRY(build_packages, engine::verifier_build_packages(images / "verifier"));
  }
  TK_TRY(auto parts, lock::part_requests(project.spec, resolution, images, session.progress()));
  std::optional<lock::BaseImage> base_image;
  if (!below.lock) {
    TK_TRY(base_image, open_base_image(project.spec, resolution, session));
  }
  TK_TRY(const auto uv, session.uv());
  TK_CHECK(session.take_cache());
  std::string earlier_pylock;
  if (auto text = sys::read_file(project.files.pylock)) earlier_pylock = std::move(*text);
  const lock::LockRequest lock_request{project.spec,
                                       resolution,
                                       matrix.revision,
                                       std::move(indexes),
                                       options.mirrors,
                                       std::move(build_packages),
                                       std::move(parts),
                                       std::move(earlier),
                                       std::move(earlier_pylock),
                                       options.upgrade,
                                       options.upgrade_packages,
                                       session.options().network,
                                       uv,
                                       session.cache().root(),
                                       options.redist,
                                       std::move(base_image),
                                       below};
  auto made = lock::make_lock(lock_request, session.http(), session.cache().blobs(), session.progress());
  if (!made) return fail(with_nearest(std::move(made).error(), request, resolution, matrix));
  TK_CHECK(sys::write_file(project.files.pylock, made->pylock));
  TK_CHECK(sys::write_file(project.files.lock, lock::to_toml(made->lock)));
  return LockOutcome(std::move(made->lock));
}

namespace {

/// The contexts are thrown away: what is unchanged the engine knows by its content.
Result<std::vector<console::BuiltImage>> build_by_engine(engine::Builder builder, const lock::Lock& lock,
                                                         const std::vector<recipe::Recipe>& recipes,
                                                         engine::Verifier verifier, const oci::Layout& layout,
                                                         Session& session) {
  TK_TRY(const auto images, session.data_folder("images"));
  TK_TRY(const auto templates, session.data_folder("templates"));
  TK_TRY(const auto work, sys::TemporaryDirectory::create(session.cache().work(), "contexts-"));
  TK_TRY(const auto contexts, engine::write_contexts(lock, recipes, verifier, {templates, images}, work.path(),
                                                     session.cache(), session.http(), session.progress()));
  std::vector<console::BuiltImage> built(recipes.size());
  for (std::size_t i = 0; i < recipes.size(); ++i) {
    TK_TRY(built[i].image, engine::build_context(builder, lock, recipes[i], contexts[i], layout, session.cache(),
                                                 session.progress()));
  }
  return built;
}

/// The layers are noted in the lock on disk.
Result<std::vector<console::BuiltImage>> build_directly(const Project& project, lock::Lock lock,
                                                        const std::vector<recipe::Recipe>& recipes,
                                                        const BuildTarget& target, const oci::Layout& layout,
                                                        Session& session) {
  TK_TRY(const auto images, session.data_folder("images"));
  TK_TRY(const auto created_s, sys::source_date_epoch());
  TK_TRY(const auto request, layers_request(project, lock, recipes, target, session));
  TK_TRY(auto family, engine::make_layers(request, session.cache(), session.http(), session.progress()));
  std::vector<console::BuiltImage> built(recipes.size());
  for (std::size_t i = 0; i < recipes.size(); ++i) {
    auto& layers = family[i];
    if (project.spec.image.bytecode && !layers.bytecode) {
      TK_TRY(layers.bytecode, engine::make_bytecode_layer(lock, recipes[i], layers, images / "bytecode",
                                                          session.cache(), session.progress()));
    }
    if (project.spec.image.verifier && !layers.verifier) {
      TK_TRY(layers.verifier, engine::make_verifier_layer(lock, recipes[i], layers, images / "verifier",
                                                          session.cache(), session.progress()));
    }
    TK_CHECK(engine::add_configuration_layers_below(lock, recipes[i].variant, created_s, images, session.cache(),
                                                    layers));
    TK_TRY(const auto own, recipe::own_files(images, lock, recipes[i]));
    TK_TRY(built[i].image, engine::put_image(lock, recipes[i], layers, own, target.format, session.cache(), layout,
                                             session.progress()));
    engine::record_layers(lock, recipes[i], layers);
    for (const auto& layer : layers.in_order(recipes[i], lock.resolution.os))
      built[i].unpacked_bytes += layer.facts.unpacked_bytes;
  }
  const auto text = lock::to_toml(lock);
  if (const auto before = sys::read_file(project.files.lock); !before || *before != text)
    TK_CHECK(sys::write_file(project.files.lock, text));
  return built;
}

}  // namespace

Result<std::vector<recipe::Recipe>> make_recipes(const Project& project, const lock::Lock& lock) {
  TK_TRY(const auto created_s, sys::source_date_epoch());
  std::vector<recipe::Recipe> recipes;
  for (const auto variant : project.spec.image.variants)
    recipes.push_back(recipe::make_recipe(lock, variant, created_s));
  return recipes;
}

Result<engine::LayersRequest> layers_request(const Project& project, const lock::Lock& lock,
                                             const std::vector<recipe::Recipe>& recipes, const BuildTarget& target,
                                             Session& session) {
  engine::LayersRequest request{.lock = lock, .recipes = recipes};
  TK_TRY(const auto images, session.data_folder("images"));
  if (project.spec.image.bytecode) {
    TK_TRY(request.bytecode_compiler, engine::bytecode_compiler_digest(images / "bytecode"));
  }
  if (project.spec.image.verifier) {
    request.build_root = engine::BuildRoot::wanted;
    TK_TRY(request.verifier_source, engine::verifier_source_digest(images / "verifier"));
  }
  std::vector<registry::Repository> repositories;
  for (const auto& reference : target.sparse_for) {
    TK_TRY(auto repository, session.registries().repository(reference));
    repositories.push_back(std::move(repository));
  }
  const sys::BlobStore in_layout(target.layout / "blobs");
  request.is_at_target = [in_layout, repositories, format = target.format,
                          &catalog = session.cache().catalog()](const oci::Descriptor& as_gzip) -> Result<bool> {
    const auto known = engine::known_conversion({as_gzip.digest, as_gzip.size_bytes, {}, 0}, format, catalog);
    if (!known) return false;
    const oci::Descriptor blob{std::string(media_type(format)), known->facts.digest, known->facts.size_bytes};
    if (sys::size_of_file(in_layout.path(blob.digest)) == blob.size_bytes) return true;
    for (const auto& repository : repositories) {
      TK_TRY(const bool has, repository.has_blob(blob));
      if (!has) return false;
    }
    return !repositories.empty();
  };
  return request;
}

Result<layer::LayerFormat> chosen_format(const FormatOptions& options, Destination destination) {
  using layer::LayerFormat;
  const auto& text = options.layers;
  if ((options.single_member || options.estargz) && (text != "gzip" || options.single_member == options.estargz))
    return fail(ErrorCode::usage, "--single-member and --estargz are two ways to write gzip layers",
                {"give one of them, and --layers gzip or nothing"});
  if (options.single_member) return LayerFormat::gzip_single_member;
  if (options.estargz) return LayerFormat::estargz;
  if (text == "auto") return destination == Destination::registry ? LayerFormat::gzip : LayerFormat::raw;
  for (const auto format : {LayerFormat::gzip, LayerFormat::zstd, LayerFormat::raw})
    if (text == layer::name(format)) return format;
  return fail(ErrorCode::usage, "--layers '" + text + "' is none of gzip, zstd, raw, auto");
}

Result<std::vector<console::BuiltImage>> build_images(const Project& project, lock::Lock lock,
                                                      const BuildTarget& target, engine::Builder builder,
                                                      Session& session) {
  const auto machine = this_architecture();
  if (machine && lock.resolution.architecture != name(*machine))
    return fail(
        ErrorCode::usage,
        fmt::format("an image for {} cannot be made on this machine, which is {}", lock.resolution.architecture,
                    name(*machine)),
        {"'torchkiln resolve' and 'torchkiln lock' work for either; build on a machine of that architecture"});
  TK_CHECK(session.take_cache());
  TK_CHECK(fetch_base_image(project.spec, lock, session));
  TK_TRY(const auto layout, oci::Layout::create(target.layout));
  TK_TRY(const auto recipes, make_recipes(project, lock));
  if (project.spec.image.bytecode && builder != engine::Builder::direct)
    session.progress().warn("bytecode = true is for images that are built directly: this one goes without");
  const auto verifier = project.spec.image.verifier ? engine::Verifier::in_the_image : engine::Verifier::left_out;
  TK_TRY(auto built, builder == engine::Builder::direct
                         ? build_directly(project, std::move(lock), recipes, target, layout, session)
                         : build_by_engine(builder, lock, recipes, verifier, layout, session));
  for (auto& one : built) {
    TK_TRY(const auto manifest, layout.read_manifest(one.image.descriptor));
    one.layers = manifest.layers.size();
    for (const auto& layer : manifest.layers) one.size_bytes += layer.size_bytes;
  }
  TK_CHECK(layout.prune());
  return built;
}

Result<int> tell_conflict(const solver::Conflict& conflict, Session& session) {
  TK_TRY(const auto matrix, session.load_matrix());
  TK_TRY(const auto age, data_age(matrix));
  session.print(console::conflict_text(conflict, age, console::Explain::brief, session.paint()),
                console::outcome_json(conflict, age));
  return 1;
}

fs::path KeyOptions::path() const {
  if (!file.empty()) return file;
  return configuration_folder() / "stamp.key";
}

Result<std::optional<std::int64_t>> KeyOptions::valid_for_s() const {
  if (valid_for.empty()) return std::optional<std::int64_t>();
  auto age = stamp::parse_age(valid_for);
  if (!age) return fail(ErrorCode::usage, "--valid-for: " + age.error().message, age.error().hints);
  return std::optional(*age);
}

Result<stamp::PrivateKey> open_signing_key(const KeyOptions& options) {
  if (options.passphrase_descriptor >= 0) {
    TK_TRY(const auto words, stamp::Passphrase::from_descriptor(options.passphrase_descriptor));
    return stamp::PrivateKey::load_or_create(options.path(), &words);
  }
  if (!options.passphrase_file.empty()) {
    TK_TRY(const auto words, stamp::Passphrase::from_file(options.passphrase_file));
    return stamp::PrivateKey::load_or_create(options.path(), &words);
  }
  return stamp::PrivateKey::load_or_create(options.path(), nullptr);
}

}  // namespace torchkiln::cli
