// torchkiln build: images in an OCI layout.

#include "interface/cli/commands.hpp"
#include "interface/cli/push.hpp"

namespace torchkiln::cli {

namespace {
struct BuildOptions {
  SpecOptions spec;
  LockOptions lock;
  std::string output, engine = "direct";
  std::vector<std::string> push;
};
}  // namespace

void add_build(CLI::App& program, Action& chosen) {
  auto* command = program.add_subcommand("build", "Build the images into an OCI layout");
  auto options = std::make_shared<BuildOptions>();
  add_spec_options(*command, options->spec);
  add_lock_options(*command, options->lock);
  command->add_option("--output,-o", options->output, "The OCI layout (default: kiln.oci beside the spec)")
      ->type_name("DIR");
  command->add_option("--push", options->push, k_push_help)->type_name("REF")->allow_extra_args(false);
  command
      ->add_option("--engine", options->engine,
                   "Who builds: direct (default), docker, podman or buildah; an engine keeps the image too")
      ->type_name("ENGINE");
  command->callback([&chosen, options] {
    chosen = [options](Session& session) -> base::Result<int> {
      const auto builder = engine::parse_builder(options->engine);
      if (!builder)
        return base::fail(base::ErrorCode::usage,
                          "--engine '" + options->engine + "' is none of direct, docker, podman, buildah");
      TK_TRY(const auto project, load_project(options->spec));
      TK_TRY(const auto targets, parse_push_targets(options->push, project.spec.image.variants.size()));
      TK_TRY(auto outcome, ensure_lock(project, options->lock, session));
      if (const auto* conflict = std::get_if<solver::Conflict>(&outcome)) return tell_conflict(*conflict, session);
      const auto layout = options->output.empty() ? project.files.layout : std::filesystem::path(options->output);
      TK_TRY(auto built,
             build_images(project, std::move(std::get<lock::Lock>(outcome)), layout, *builder, session));
      for (auto& one : built) {
        TK_TRY(const auto opened, oci::Layout::open(layout));
        TK_TRY(one.pushed, push_built(opened, one.image, targets, session));
      }
      session.print(console::build_text(built, layout.string(), session.paint()),
                    console::build_json(built, layout.string()));
      return 0;
    };
  });
}

}  // namespace torchkiln::cli
