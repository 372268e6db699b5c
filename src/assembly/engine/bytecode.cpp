#include "assembly/engine/bytecode.hpp"

#include "assembly/engine/layer_command.hpp"
#include "foundation/base/text.hpp"

#include <fmt/format.h>

namespace torchkiln::engine {

using base::Result;
namespace fs = std::filesystem;

namespace {
/// Raise when the same compiler and wheels could give other bytes.
constexpr std::string_view k_bytecode_recipe = "bytecode-layer/1";
constexpr const char* k_script = "compile.py";
}  // namespace

Result<base::Digest> bytecode_compiler_digest(const fs::path& compiler) {
  TK_TRY(const auto script, sys::read_file(compiler / k_script));
  return base::Digest::of(script);
}

std::string bytecode_key(const base::Digest& compiler, const base::Digest& interpreter_diff_id,
                         const std::vector<base::Digest>& wheel_diff_ids) {
  auto inputs = fmt::format("{}\n{}\n{}\n", k_bytecode_recipe, compiler.hex(), interpreter_diff_id.hex());
  for (const auto& diff_id : wheel_diff_ids) inputs += diff_id.hex() + "\n";
  return base::Digest::of(inputs).hex();
}

Result<ReadyLayer> make_bytecode_layer(const lock::Lock& lock, const recipe::Recipe& recipe,
                                       const ImageLayers& image, const fs::path& compiler, const Cache& cache,
                                       base::Progress& progress) {
  TK_TRY(const auto compiler_digest, bytecode_compiler_digest(compiler));
  const auto& interpreter = image.python ? image.python->facts.diff_id : image.system.layer.diff_id;
  const auto key = bytecode_key(compiler_digest, interpreter, image.wheel_diff_ids());
  if (const auto facts = cache.catalog().find(key); facts && cache.blobs().contains(facts->digest))
    return ReadyLayer{*facts, std::string(k_bytecode_made_by)};

  TK_TRY(const auto command,
         LayerCommand::create(image.below_parts(lock.resolution.os),
                              {{compiler, "/bytecode", runtime::Access::read_only}},
                              "Python's bytecode could not be made in this image", cache, progress));
  base::Step step(progress, "Compiling", "Python's bytecode");
  const auto python = recipe.python_home + "/bin/python" + recipe.scheme.python_version;
  TK_CHECK(command.run(
      {python, "-s", "-S", std::string("/bytecode/") + k_script, "/" + recipe.scheme.site_packages(), "/output"},
      {{"PATH", "/usr/bin:/bin"},
       {"LC_ALL", "C.UTF-8"},
       {"HOME", "/tmp"},
       {"PYTHONHASHSEED", "0"},
       {"PYTHONDONTWRITEBYTECODE", "1"}},
      step));
  TK_TRY(auto files, command.made_files());
  TK_TRY(const auto facts, make_file_layer(std::move(files), layer::k_layer_time_s, cache.blobs()));
  TK_CHECK(cache.catalog().add(key, {facts}));
  step.end(base::format_bytes(facts.size_bytes));
  return ReadyLayer{facts, std::string(k_bytecode_made_by)};
}

}  // namespace torchkiln::engine
