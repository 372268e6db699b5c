#include "assembly/engine/verifier.hpp"

#include "assembly/engine/layer_command.hpp"
#include "foundation/base/text.hpp"
#include "plan/lock/parts.hpp"


#include <fmt/format.h>

namespace torchkiln::engine {

using base::Result;
namespace fs = std::filesystem;

namespace {

/// Raise when the same sources could be compiled to something else.
constexpr std::string_view k_verifier_recipe = "verifier-layer/1";

}  // namespace

Result<base::Digest> verifier_source_digest(const fs::path& source) {
  TK_TRY(const auto files, files_below(source));
  base::Sha256 hasher;
  for (const auto& file : files) {
    if (*file.begin() == "tests") continue;  // what tests the verifier is no part of it
    TK_TRY(const auto content, sys::read_file(source / file));
    hasher.update(fmt::format("{}\n{}\n", file.string(), content.size()));
    hasher.update(content);
  }
  return hasher.finish();
}

Result<std::vector<std::string>> verifier_build_packages(const fs::path& source) {
  return lock::read_list(source / "build-packages.txt");
}

std::string verifier_key(const base::Digest& source, const base::Digest& build_root_diff_id,
                         const recipe::Recipe& recipe, const std::vector<base::Digest>& wheel_diff_ids) {
  std::string inputs = fmt::format("{}\n{}\n{}\n/{}\n", k_verifier_recipe, source.hex(), build_root_diff_id.hex(),
                                   recipe.scheme.prefix);
  for (const auto& diff_id : wheel_diff_ids) inputs += diff_id.hex() + "\n";
  return base::Digest::of(inputs).hex();
}

std::string verifier_made_by(const base::Digest& source) {
  return "torchkiln verifier " + source.hex().substr(0, 12);
}

Result<ReadyLayer> make_verifier_layer(const lock::Lock& lock, const recipe::Recipe& recipe,
                                       const ImageLayers& image, const fs::path& source, const Cache& cache,
                                       base::Progress& progress) {
  TK_ASSERT(image.build_root.has_value(), "the verifier is compiled in a build root");
  TK_TRY(const auto source_digest, verifier_source_digest(source));
  const auto key = verifier_key(source_digest, image.build_root->layer.diff_id, recipe, image.wheel_diff_ids());
  const auto made_by = verifier_made_by(source_digest);
  if (const auto facts = cache.catalog().find(key); facts && cache.blobs().contains(facts->digest))
    return ReadyLayer{*facts, made_by};

  std::vector<ReadyLayer> layers = {{image.build_root->layer, {}}};
  layers.insert(layers.end(), image.wheels.begin(), image.wheels.end());
  TK_TRY(const auto folder, sys::TemporaryDirectory::create(cache.work(), "verifier-"));
  // Fixed paths inside: the compiler writes them into what it makes.
  TK_TRY(const auto command,
         LayerCommand::create(layers,
                              {{source, "/verifier", runtime::Access::read_only},
                               {folder.path(), "/build", runtime::Access::read_write}},
                              "the verifier does not compile against this image's torch", cache, progress));
  base::Step step(progress, "Compiling", "the verifier against torch " + lock::locked_version(lock, "torch"));
  const std::map<std::string, std::string> environment = {{"PATH", "/usr/local/bin:/usr/bin:/bin"},
                                                          {"LC_ALL", "C.UTF-8"},
                                                          {"HOME", "/tmp"},
                                                          {"SOURCE_DATE_EPOCH", "315532800"},
                                                          {"DESTDIR", "/output"}};
  TK_CHECK(command.run({"cmake", "-S", "/verifier", "-B", "/build", "-G", "Ninja", "-DCMAKE_BUILD_TYPE=Release",
                        "-DCMAKE_INSTALL_PREFIX=/" + recipe.scheme.prefix,
                        "-DKILN_SITE_PACKAGES=/" + recipe.scheme.site_packages()},
                       environment, step));
  TK_CHECK(command.run({"cmake", "--build", "/build"}, environment, step));
  TK_CHECK(command.run({"cmake", "--install", "/build", "--strip"}, environment, step));
  TK_TRY(auto files, command.made_files());
  TK_TRY(const auto facts, make_file_layer(std::move(files), layer::k_layer_time_s, cache.blobs()));
  TK_CHECK(cache.catalog().add(key, {facts}));
  step.end(base::format_bytes(facts.size_bytes));
  return ReadyLayer{facts, made_by};
}

}  // namespace torchkiln::engine
