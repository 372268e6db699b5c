#include "assembly/engine/verifier.hpp"

#include "foundation/base/text.hpp"
#include "foundation/sys/environment.hpp"
#include "plan/lock/parts.hpp"

#include <algorithm>
#include <map>

#include <fmt/format.h>

namespace torchkiln::engine {

using base::Result;
namespace fs = std::filesystem;

namespace {

constexpr double k_compile_timeout_s = 1800;
/// Raise when the same sources could be compiled to something else.
constexpr std::string_view k_verifier_recipe = "verifier-layer/1";

/// Regular files below `root`, by relative path, in order.
Result<std::vector<fs::path>> files_below(const fs::path& root) {
  std::vector<fs::path> files;
  std::error_code error;
  for (auto it = fs::recursive_directory_iterator(root, error); !error && it != fs::recursive_directory_iterator();
       it.increment(error))
    if (it->is_regular_file(error)) files.push_back(fs::relative(it->path(), root, error));
  if (error) return base::fail(sys::file_error("read", root, error.value()));
  std::sort(files.begin(), files.end());
  return files;
}

Result<void> run_in_build_root(const runtime::Runner& runner, runtime::RuntimeKind kind,
                               const std::vector<fs::path>& lower, std::vector<std::string> arguments,
                               const std::vector<runtime::Mount>& mounts, base::Step& step) {
  runtime::RunRequest request;
  request.arguments = std::move(arguments);
  request.environment = {{"PATH", "/usr/local/bin:/usr/bin:/bin"},
                         {"LC_ALL", "C.UTF-8"},
                         {"HOME", "/tmp"},
                         {"SOURCE_DATE_EPOCH", "315532800"}};
  request.mounts = mounts;
  request.timeout_s = k_compile_timeout_s;
  request.on_line = [&step](std::string_view line) { step.output(line); };
  TK_TRY(const auto outcome, runner.run(kind, lower, request));
  if (outcome.exit_status == 0 && !outcome.timed_out) return {};
  base::Error error{base::ErrorCode::tool_failed,
                    "the verifier does not compile against this image's torch",
                    std::nullopt,
                    {},
                    {}};
  auto said = base::lines(outcome.output + outcome.errors);
  constexpr std::size_t k_shown = 20;
  for (std::size_t i = said.size() > k_shown ? said.size() - k_shown : 0; i < said.size(); ++i)
    error.notes.emplace_back(said[i]);
  return base::fail(std::move(error));
}

/// What `cmake --install` put under `root`, as files of a layer.
Result<std::vector<recipe::AddedFile>> installed_files(const fs::path& root) {
  TK_TRY(const auto paths, files_below(root));
  std::map<std::string, recipe::AddedFile> files;
  for (const auto& path : paths) {
    for (auto folder = path.parent_path(); !folder.empty(); folder = folder.parent_path())
      files[folder.string()] = {folder.string(), recipe::FileType::directory, 0755, 0, 0, {}};
    recipe::AddedFile file;
    file.path = path.string();
    std::error_code error;
    const auto permissions = fs::status(root / path, error).permissions();
    file.mode = (permissions & fs::perms::owner_exec) != fs::perms::none ? 0755 : 0644;
    TK_TRY(file.content, sys::read_file(root / path));
    files[file.path] = std::move(file);
  }
  std::vector<recipe::AddedFile> list;
  for (auto& [path, file] : files) list.push_back(std::move(file));
  return list;
}

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
  std::vector<base::Digest> wheel_diff_ids;
  for (const auto& layer : image.wheels) wheel_diff_ids.push_back(layer.facts.diff_id);
  const auto key = verifier_key(source_digest, image.build_root->layer.diff_id, recipe, wheel_diff_ids);
  const auto made_by = verifier_made_by(source_digest);
  if (const auto facts = cache.catalog().find(key); facts && cache.blobs().contains(facts->digest))
    return ReadyLayer{*facts, made_by};

  std::vector<runtime::Layer> layers = {{cache.blobs().path(image.build_root->layer.digest),
                                         std::string(layer::k_layer_media_type), image.build_root->layer.diff_id}};
  for (const auto& one : image.wheels)
    layers.push_back(
        {cache.blobs().path(one.facts.digest), std::string(layer::k_layer_media_type), one.facts.diff_id});
  TK_TRY(const auto lower, cache.unpacked().unpack_all(layers, sys::processor_count(), progress));

  base::Step step(progress, "Compiling", "the verifier against torch " + lock::locked_version(lock, "torch"));
  TK_TRY(const auto folder, sys::TemporaryDirectory::create(cache.work(), "verifier-"));
  const auto build = folder.path() / "build", output = folder.path() / "output";
  TK_CHECK(sys::make_directories(build));
  TK_CHECK(sys::make_directories(output));
  // Fixed paths inside: the compiler writes them into what it makes.
  const std::vector<runtime::Mount> mounts = {{source, "/verifier", runtime::Access::read_only},
                                              {build, "/build", runtime::Access::read_write},
                                              {output, "/output", runtime::Access::read_write}};
  auto runner = cache.runner();
  TK_TRY(const auto kind, runner.choose());
  const std::string prefix = "/" + recipe.scheme.prefix;
  TK_CHECK(run_in_build_root(
      runner, kind, lower,
      {"cmake", "-S", "/verifier", "-B", "/build", "-G", "Ninja", "-DCMAKE_BUILD_TYPE=Release",
       "-DCMAKE_INSTALL_PREFIX=" + prefix, "-DKILN_SITE_PACKAGES=/" + recipe.scheme.site_packages()},
      mounts, step));
  TK_CHECK(run_in_build_root(runner, kind, lower, {"cmake", "--build", "/build"}, mounts, step));
  TK_CHECK(run_in_build_root(runner, kind, lower,
                             {"env", "DESTDIR=/output", "cmake", "--install", "/build", "--strip"}, mounts, step));
  TK_TRY(auto files, installed_files(output));
  TK_TRY(const auto facts, make_file_layer(std::move(files), layer::k_layer_time_s, cache.blobs()));
  TK_CHECK(cache.catalog().add(key, {facts}));
  step.end(base::format_bytes(facts.size_bytes));
  return ReadyLayer{facts, made_by};
}

}  // namespace torchkiln::engine
