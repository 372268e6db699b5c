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
  bool sparse = false;
  FormatOptions format;
};

base::Result<int> run_build(const BuildOptions& options, Session& session) {
  const auto builder = engine::parse_builder(options.engine);
  if (!builder)
    return base::fail(base::ErrorCode::usage,
                      "--engine '" + options.engine + "' is none of direct, docker, podman, buildah");
  if (options.sparse && (options.push.empty() || *builder != engine::Builder::direct))
    return base::fail(base::ErrorCode::usage, "--sparse is for images that are built directly and pushed",
                      {"say where to with --push HOST/REPO"});
  TK_TRY(const auto format,
         chosen_format(options.format, options.push.empty() ? Destination::this_machine : Destination::registry));
  if (format != layer::LayerFormat::gzip && *builder != engine::Builder::direct)
    return base::fail(base::ErrorCode::usage, "an engine packs layers in its own way",
                      {"leave out --layers, --single-member and --estargz, or --engine"});
  TK_TRY(const auto project, load_project(options.spec));
  TK_TRY(const auto targets, parse_push_targets(options.push, project.spec.image.variants.size()));
  TK_TRY(auto outcome, ensure_lock(project, options.lock, session));
  if (const auto* conflict = std::get_if<solver::Conflict>(&outcome)) return tell_conflict(*conflict, session);
  BuildTarget target{options.output.empty() ? project.files.layout : std::filesystem::path(options.output)};
  if (options.sparse) target.sparse_for = targets;
  target.format = format;
  TK_TRY(auto built, build_images(project, std::move(std::get<lock::Lock>(outcome)), target, *builder, session));
  TK_TRY(const auto opened, oci::Layout::open(target.layout));
  for (auto& one : built) {
    TK_TRY(one.pushed, push_built(opened, one.image, targets, session));
  }
  const auto layout = target.layout.string();
  session.print(console::build_text(built, layout, session.paint()), console::build_json(built, layout));
  return 0;
}
}  // namespace

void add_build(CLI::App& program, Action& chosen) {
  auto* command = program.add_subcommand("build", "Build the images into an OCI layout");
  auto options = std::make_shared<BuildOptions>();
  add_spec_options(*command, options->spec);
  add_lock_options(*command, options->lock);
  command->add_option("--output,-o", options->output, "The OCI layout (default: kiln.oci beside the spec)")
      ->type_name("DIR");
  command->add_option("--push", options->push, k_push_help)->type_name("REF")->allow_extra_args(false);
  takes(command
            ->add_option("--engine", options->engine,
                         "Who builds: direct (default), docker, podman or buildah; an engine keeps the image too")
            ->type_name("ENGINE"),
        {"direct", "docker", "podman", "buildah"});
  command->add_flag("--sparse", options->sparse,
                    "Leave out of the layout what the registries of --push have already: of layers that are known "
                    "not even a wheel is downloaded");
  add_format_options(*command, options->format);
  command->callback(
      [&chosen, options] { chosen = [options](Session& session) { return run_build(*options, session); }; });
}

}  // namespace torchkiln::cli
