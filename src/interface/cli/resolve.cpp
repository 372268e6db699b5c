// torchkiln resolve: the resolution, or the minimal conflict and its fixes.

#include "interface/cli/commands.hpp"

namespace torchkiln::cli {

void add_resolve(CLI::App& program, Action& chosen) {
  auto* command = program.add_subcommand("resolve", "Say which versions go together, or why none do");
  auto options = std::make_shared<SpecOptions>();
  auto explain = std::make_shared<std::string>("brief");
  add_spec_options(*command, *options);
  command->add_option("--explain", *explain, "brief (at most 15 lines) or full")
      ->check(CLI::IsMember({"brief", "full"}))
      ->type_name("HOW");
  command->callback([&chosen, options, explain] {
    chosen = [options, explain](Session& session) -> base::Result<int> {
      TK_TRY(const auto project, load_project(*options));
      TK_TRY(const auto matrix, session.load_matrix());
      TK_TRY(const auto outcome, resolve(project, matrix));
      TK_TRY(const auto age, data_age(matrix));
      const auto json = console::outcome_json(outcome, age);
      if (const auto* resolution = std::get_if<solver::Resolution>(&outcome)) {
        session.print(console::resolution_text(*resolution, age, session.paint()), json);
        return 0;
      }
      const auto how = *explain == "full" ? console::Explain::full : console::Explain::brief;
      session.print(console::conflict_text(std::get<solver::Conflict>(outcome), age, how, session.paint()), json);
      return 1;
    };
  });
}

}  // namespace torchkiln::cli
