#include "assembly/engine/context.hpp"

#include "foundation/sys/files.hpp"

#include <fmt/format.h>

namespace torchkiln::engine {

using base::Result;
namespace fs = std::filesystem;

namespace {

Result<void> write_texts(const std::vector<recipe::ContextFile>& files, const fs::path& folder) {
  for (const auto& file : files) {
    for (auto above = fs::path(file.path).parent_path(); !above.empty(); above = above.parent_path()) {
      TK_CHECK(sys::make_directories(folder / above));
      TK_CHECK(sys::set_mode(folder / above, 0755));  // they are copied into the image with their modes
    }
    if (file.type == recipe::FileType::file) {
      TK_CHECK(sys::write_file(folder / file.path, file.content, file.mode));
      continue;
    }
    std::error_code error;
    fs::create_symlink(file.content, folder / file.path, error);
    if (error) return base::fail(sys::file_error("write", folder / file.path, error.value()));
  }
  return {};
}

Result<void> put(const fs::path& from, const fs::path& to) {
  TK_CHECK(sys::remove_tree(to));
  return sys::link_or_copy(from, to);
}

/// Debian packages on top of others: a tar that ADD can unpack.
Result<void> put_packages(const layer::DeltaFacts& packages, std::string_view what, const Cache& cache,
                          const fs::path& to) {
  if (!packages.removed.empty())
    return base::fail(base::ErrorCode::tool_failed,
                      fmt::format("the packages of {} remove /{}, which a Dockerfile's ADD cannot do", what,
                                  packages.removed.front()),
                      {"build it directly: torchkiln build"});
  return put(cache.blobs().path(packages.layer.digest), to);
}

}  // namespace

Result<std::vector<fs::path>> write_contexts(const lock::Lock& lock, std::span<const recipe::Recipe> recipes,
                                             Verifier verifier, const DataFolders& data, const fs::path& folder,
                                             const Cache& cache, sys::HttpClient& http, base::Progress& progress) {
  recipe::ContextSources sources;
  const bool has_verifier = verifier == Verifier::in_the_image;
  if (has_verifier) {
    TK_TRY(sources.verifier, recipe::verifier_files(data.images));
  }
  TK_TRY(const auto layers, make_debian_layers(lock, {recipes.begin(), recipes.end()},
                                               has_verifier ? BuildRoot::wanted_as_delta : BuildRoot::not_wanted,
                                               cache, http, progress));
  const auto names = recipe::context_names(lock);
  fs::path pip;
  for (const auto& wheel : lock.wheels)
    if (wheel.file_name == names.pip_wheel) {
      TK_TRY(pip, fetch_wheel(wheel, cache, http));
    }
  std::vector<fs::path> contexts;
  for (std::size_t i = 0; i < recipes.size(); ++i) {
    const auto& recipe = recipes[i];
    const auto context = folder / tag_name(recipe.variant);
    TK_TRY(sources.own, recipe::own_files(data.images, lock, recipe));
    sources.has_base_packages = layers[i].system_packages.has_value();
    TK_TRY(const auto files, recipe::render_context(lock, recipe, data.templates, sources));
    TK_CHECK(sys::make_directories(context));
    for (const auto* ours : {"root", "verifier"}) TK_CHECK(sys::remove_tree(context / ours));
    TK_CHECK(write_texts(files, context));
    TK_CHECK(put(pip, context / names.pip_wheel));
    if (!lock.base || lock.base->from.empty())
      TK_CHECK(put(cache.blobs().path(layers[i].system.layer.digest), context / names.rootfs));
    else if (layers[i].system_packages)
      TK_CHECK(put_packages(*layers[i].system_packages, "the base", cache, context / names.base_packages));
    if (layers[i].python) TK_CHECK(put(cache.blobs().path(layers[i].python->facts.digest), context / names.python));
    if (layers[i].build_packages)
      TK_CHECK(put_packages(*layers[i].build_packages, "the verifier's build root", cache,
                            context / names.build_packages));
    for (std::size_t part = 0; part < recipe.parts.size(); ++part) {
      const auto& [packages, archives, wheels] = layers[i].parts[part];
      const auto which = recipe.parts[part].part;
      if (packages) TK_CHECK(put_packages(*packages, name(which), cache, context / recipe::packages_file(which)));
      if (archives)
        TK_CHECK(put(cache.blobs().path(archives->facts.digest), context / recipe::archives_file(which)));
    }
    for (std::size_t extension = 0; extension < recipe.extensions.size(); ++extension)
      if (const auto& packages = layers[i].extensions[extension].packages)
        TK_CHECK(put_packages(*packages, "the extension", cache, context / recipe::packages_file(extension)));
    contexts.push_back(context);
  }
  return contexts;
}

}  // namespace torchkiln::engine
