// torchkiln render: a build context for docker, podman and buildah.

#include "foundation/sys/environment.hpp"
#include "interface/cli/commands.hpp"
#include "plan/recipe/dockerfile.hpp"

#include <fmt/format.h>

namespace torchkiln::cli {

namespace fs = std::filesystem;

namespace {

struct RenderOptions {
  SpecOptions spec;
  LockOptions lock;
  std::string output = "kiln.context";
};

base::Result<void> write_context(const lock::Lock& lock, const recipe::Recipe& recipe, const fs::path& folder,
                                 Session& session) {
  TK_TRY(const auto templates, session.data_folder("templates"));
  TK_TRY(const auto images, session.data_folder("images"));
  TK_TRY(const auto own, recipe::own_files(images, lock, recipe));
  TK_TRY(const auto files, recipe::render_context(lock, recipe, templates, own));
  TK_TRY(const auto layers,
         engine::make_debian_layers(lock, recipe, session.cache(), session.http(), session.progress()));
  const auto names = recipe::context_names(lock);
  TK_CHECK(sys::make_directories(folder));
  TK_CHECK(sys::remove_tree(folder / "root"));
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
  for (const auto& wheel : lock.wheels)
    if (wheel.file_name == names.pip_wheel) {
      TK_TRY(const auto path, engine::fetch_wheel(wheel, session.cache(), session.http()));
      TK_CHECK(sys::remove_tree(folder / names.pip_wheel));
      TK_CHECK(sys::link_or_copy(path, folder / names.pip_wheel));
    }
  const auto put_layer = [&](const layer::LayerFacts& layer, const std::string& file) -> base::Result<void> {
    TK_CHECK(sys::remove_tree(folder / file));
    return sys::link_or_copy(session.cache().blobs().path(layer.digest), folder / file);
  };
  TK_CHECK(put_layer(layers.system.layer, names.rootfs));
  for (std::size_t i = 0; i < recipe.parts.size(); ++i)
    if (const auto& packages = layers.parts[i].packages) {
      if (!packages->removed.empty())
        return base::fail(base::ErrorCode::tool_failed,
                          fmt::format("the packages of {} remove /{}, which a Dockerfile's ADD cannot do",
                                      name(recipe.parts[i].part), packages->removed.front()),
                          {"build it directly: torchkiln build"});
      TK_CHECK(put_layer(packages->layer, recipe::packages_file(recipe.parts[i].part)));
    }
  return {};
}

}  // namespace

void add_render(CLI::App& program, Action& chosen) {
  auto* command =
      program.add_subcommand("render", "Write Dockerfiles, each in a folder that is its whole build context");
  auto options = std::make_shared<RenderOptions>();
  add_spec_options(*command, options->spec);
  add_lock_options(*command, options->lock);
  command->add_option("--output,-o", options->output, "Folder for the contexts (default: kiln.context)")
      ->type_name("DIR");
  command->callback([&chosen, options] {
    chosen = [options](Session& session) -> base::Result<int> {
      TK_TRY(const auto project, load_project(options->spec));
      TK_TRY(const auto outcome, ensure_lock(project, options->lock, session));
      if (const auto* conflict = std::get_if<solver::Conflict>(&outcome)) return tell_conflict(*conflict, session);
      TK_CHECK(session.take_cache());
      TK_TRY(const auto created_s, sys::source_date_epoch());
      std::string text;
      document::Json contexts = document::Json::array();
      for (const auto variant : project.spec.image.variants) {
        const auto& lock = std::get<lock::Lock>(outcome);
        const auto recipe = recipe::make_recipe(lock, variant, created_s);
        const auto folder = fs::path(options->output) / tag_name(variant);
        TK_CHECK(write_context(lock, recipe, folder, session));
        text += fmt::format("{}: build it with\n  DOCKER_BUILDKIT=1 docker build --tag {} {}\n",
                            (folder / "Dockerfile").string(), recipe.reference, folder.string());
        contexts.push_back(
            {{"variant", name(variant)}, {"folder", folder.string()}, {"reference", recipe.reference}});
      }
      TK_CHECK(session.print(text, document::Json{{"schema", "torchkiln.render/1"}, {"contexts", contexts}}));
      return 0;
    };
  });
}

}  // namespace torchkiln::cli
