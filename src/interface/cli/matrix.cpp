// torchkiln matrix: the compatibility data itself.

#include "interface/cli/commands.hpp"

#include <fmt/format.h>

namespace torchkiln::cli {

void add_matrix(CLI::App& program, Action& chosen) {
  auto* command = program.add_subcommand("matrix", "The compatibility data");
  command->require_subcommand(1);
  auto* checker =
      command->add_subcommand("check", "Validate manifests/: schema, references, ranges, duplicates, gaps");
  checker->callback([&chosen] {
    chosen = [](Session& session) -> base::Result<int> {
      TK_TRY(const auto matrix, session.load_matrix());
      const auto findings = matrix::check(matrix);
      std::string text;
      std::size_t errors = 0;
      for (const auto& finding : findings) {
        const bool is_error = finding.kind == matrix::Finding::Kind::error;
        errors += is_error;
        text += fmt::format("{}: {}: {}\n", finding.place.to_string(), is_error ? "error" : "gap", finding.text);
      }
      text += fmt::format("{} PyTorch releases, {} builds, {} GPUs, data as of {}: {} errors, {} gaps\n",
                          matrix.releases.size(), matrix.builds.size(), matrix.gpus.size(), matrix.date, errors,
                          findings.size() - errors);
      TK_CHECK(session.print(text, document::Json{{"schema", "torchkiln.matrix-check/1"},
                                                  {"date", matrix.date},
                                                  {"errors", errors},
                                                  {"gaps", findings.size() - errors}}));
      return errors == 0 ? 0 : 1;
    };
  });
}

}  // namespace torchkiln::cli
