// torchkiln plan: what a build would make, copy and download, before anything of it is.

#include "interface/cli/commands.hpp"
#include "interface/cli/push.hpp"
#include "interface/console/plan_documents.hpp"

namespace torchkiln::cli {

using base::Result;

namespace {

struct PlanOptions {
  SpecOptions spec;
  LockOptions lock;
  std::string output;
  std::vector<std::string> push;
  FormatOptions format;
};

Result<int> run_plan(const PlanOptions& options, Session& session) {
  TK_TRY(const auto format,
         chosen_format(options.format, options.push.empty() ? Destination::this_machine : Destination::registry));
  TK_TRY(const auto project, load_project(options.spec));
  TK_TRY(const auto targets, parse_push_targets(options.push, project.spec.image.variants.size()));
  TK_TRY(auto outcome, ensure_lock(project, options.lock, session));
  if (const auto* conflict = std::get_if<solver::Conflict>(&outcome)) return tell_conflict(*conflict, session);
  const auto& lock = std::get<lock::Lock>(outcome);
  TK_TRY(const auto recipes, make_recipes(project, lock));
  const BuildTarget target{options.output.empty() ? project.files.layout : std::filesystem::path(options.output),
                           targets, format};
  TK_TRY(const auto request, layers_request(project, lock, recipes, target, session));
  console::PlanSummary summary{lock, format, {}, {}};
  for (const auto& recipe : recipes) summary.names.push_back(recipe.reference);
  TK_TRY(summary.plan, engine::plan_layers(request, format, session.cache()));
  session.print(console::plan_text(summary, session.paint()), console::plan_json(summary));
  return 0;
}

}  // namespace

void add_plan(CLI::App& program, Action& chosen) {
  auto* command =
      program.add_subcommand("plan", "Say what a build would make and download, and what is there already");
  auto options = std::make_shared<PlanOptions>();
  add_spec_options(*command, options->spec);
  add_lock_options(*command, options->lock);
  command->add_option("--output,-o", options->output, "The OCI layout (default: kiln.oci beside the spec)")
      ->type_name("DIR");
  command->add_option("--push", options->push, "Where the images would go; its registry is asked; may be repeated")
      ->type_name("REF")
      ->allow_extra_args(false);
  add_format_options(*command, options->format);
  command->callback(
      [&chosen, options] { chosen = [options](Session& session) { return run_plan(*options, session); }; });
}

}  // namespace torchkiln::cli
