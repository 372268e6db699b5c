// torchkiln render: a build context for docker, podman and buildah.

#include "assembly/engine/context.hpp"
#include "foundation/sys/environment.hpp"
#include "interface/cli/base_image.hpp"
#include "interface/cli/commands.hpp"
#include "plan/recipe/launch_files.hpp"

#include <fmt/format.h>

namespace torchkiln::cli {

namespace fs = std::filesystem;

namespace {

struct RenderOptions {
  SpecOptions spec;
  LockOptions lock;
  std::string output = "kiln.context";
};

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
      TK_CHECK(fetch_base_image(project.spec, std::get<lock::Lock>(outcome), session));
      TK_TRY(const auto created_s, sys::source_date_epoch());
      TK_TRY(const auto templates, session.data_folder("templates"));
      TK_TRY(const auto images, session.data_folder("images"));
      const auto& lock = std::get<lock::Lock>(outcome);
      std::vector<recipe::Recipe> recipes;
      for (const auto variant : project.spec.image.variants)
        recipes.push_back(recipe::make_recipe(lock, variant, created_s));
      const auto verifier =
          project.spec.image.verifier ? engine::Verifier::in_the_image : engine::Verifier::left_out;
      TK_TRY(const auto folders,
             engine::write_contexts(lock, recipes, verifier, {templates, images}, options->output, session.cache(),
                                    session.http(), session.progress()));
      TK_TRY(const auto launch_files, recipe::render_launch_files(lock, recipes, templates));
      document::Json beside = document::Json::array();
      for (const auto& file : launch_files) {
        const auto path = fs::path(options->output) / file.path;
        TK_CHECK(sys::write_file(path, file.content));
        beside.push_back(path.string());
      }
      std::string text;
      document::Json contexts = document::Json::array();
      for (std::size_t i = 0; i < recipes.size(); ++i) {
        text += fmt::format(
            "{0}: build and run it with\n  DOCKER_BUILDKIT=1 docker build --tag {1} {2}\n"
            "  docker run --rm -it --gpus all --shm-size 8g --read-only --tmpfs /tmp --security-opt no-new-privileges "
            "--cap-drop ALL {1}\n",
            (folders[i] / "Dockerfile").string(), recipes[i].reference, folders[i].string());
        contexts.push_back({{"variant", name(recipes[i].variant)},
                            {"folder", folders[i].string()},
                            {"reference", recipes[i].reference}});
      }
      text += fmt::format("{}: starts them with GPUs and no privileges; beside it {}\n",
                          (fs::path(options->output) / launch_files.front().path).string(),
                          "docker-bake.hcl, devcontainer.json, pod.yaml and *.def for Apptainer");
      TK_CHECK(session.print(
          text, document::Json{{"schema", "torchkiln.render/1"}, {"contexts", contexts}, {"files", beside}}));
      return 0;
    };
  });
}

}  // namespace torchkiln::cli
