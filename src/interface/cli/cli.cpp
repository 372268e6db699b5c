#include "interface/cli/cli.hpp"

#include "assembly/runtime/inner.hpp"
#include "foundation/base/text.hpp"
#include "foundation/sys/environment.hpp"
#include "foundation/sys/interrupt.hpp"
#include "interface/cli/commands.hpp"
#include "interface/console/documents.hpp"

#include <algorithm>
#include <exception>
#include <map>
#include <optional>

namespace torchkiln::cli {

namespace {

void add_common_options(CLI::App& program, CommonOptions& options) {
  using console::ColorMode;
  using console::ProgressMode;
  const std::string group = "Common options";
  program
      .add_flag_callback(
          "--json", [&] { options.view.format = console::OutputFormat::json; }, "Print the result as JSON")
      ->group(group);
  program
      .add_flag_callback(
          "--quiet,-q", [&] { options.view.detail = console::Detail::quiet; }, "No progress")
      ->group(group);
  program
      .add_flag_callback(
          "--verbose,-v", [&] { options.view.detail = console::Detail::verbose; },
          "Show what the programs that are run say")
      ->group(group);
  static const std::map<std::string, ProgressMode> k_progress = {{"auto", ProgressMode::automatic},
                                                                 {"tty", ProgressMode::tty},
                                                                 {"plain", ProgressMode::plain},
                                                                 {"json", ProgressMode::json},
                                                                 {"none", ProgressMode::none}};
  static const std::map<std::string, ColorMode> k_color = {
      {"auto", ColorMode::automatic}, {"always", ColorMode::always}, {"never", ColorMode::never}};
  program.add_option("--progress", options.view.progress, "auto, tty, plain, json or none")
      ->transform(CLI::CheckedTransformer(k_progress))
      ->envname("TORCHKILN_PROGRESS")
      ->option_text("MODE")
      ->group(group);
  program.add_option("--color", options.view.color, "auto, always or never")
      ->transform(CLI::CheckedTransformer(k_color))
      ->envname("TORCHKILN_COLOR")
      ->option_text("WHEN")
      ->group(group);
  program
      .add_flag_callback(
          "--offline", [&] { options.network = sys::NetworkAccess::forbidden; },
          "Use the cache only, never the network")
      ->group(group);
  program.add_option("--manifests", options.manifests, "The matrix to use instead of torchkiln's own")
      ->type_name("DIR")
      ->group(group);
  program.add_option("--cache", options.cache, "The cache folder")->type_name("DIR")->group(group);
  const std::string registries = "Registries";
  program
      .add_option("--plain-http", options.plain_http,
                  "Speak to this registry without TLS; this machine's own need not be named; may be repeated")
      ->type_name("HOST")
      ->allow_extra_args(false)
      ->group(registries);
  program
      .add_option("--registry-mirror", options.registry_mirrors,
                  "Pull images of HOST from there first; may be repeated")
      ->type_name("HOST=URL")
      ->allow_extra_args(false)
      ->check([](const std::string& text) {
        const bool is_pair =
            text.find("=http://") != std::string::npos || text.find("=https://") != std::string::npos;
        return is_pair && text.front() != '=' ? "" : "'" + text + "' is not HOST=URL";
      })
      ->group(registries);
}

int report(const base::Error& error, const CommonOptions& options) {
  console::print_message(console::error_text(error, console::Paint(console::coloring_of(options.view.color, 2))));
  if (options.view.format == console::OutputFormat::json) console::print_result(console::error_json(error));
  return base::exit_status(error.code);
}

/// The first argument that is no option, when it is no command either.
std::optional<base::Error> unknown_command(const CLI::App& program, int argc, char** argv) {
  std::vector<std::string> names;
  for (const auto* command : program.get_subcommands({})) names.push_back(command->get_name());
  // Only the leading words: after an option it is not known what is its value.
  if (argc < 2 || argv[1][0] == '-' || std::find(names.begin(), names.end(), argv[1]) != names.end())
    return std::nullopt;
  base::Error error{
      base::ErrorCode::usage, "there is no command '" + std::string(argv[1]) + "'", std::nullopt, {}, {}};
  if (const auto near = base::nearest(argv[1], names)) error.hints.push_back("did you mean '" + *near + "'?");
  error.hints.emplace_back("torchkiln --help lists them");
  return error;
}

}  // namespace

int run(int argc, char** argv) {
  // The runner and the unpack store start this program again, inside namespaces of their own.
  if (argc > 1 && std::string_view(argv[1]) == runtime::k_inner_command) return runtime::inner_main(argc, argv);
  sys::catch_interrupts();

  CLI::App program("torchkiln makes PyTorch-CUDA container images that are known to work.", "torchkiln");
  program.set_version_flag("--version", "torchkiln " TORCHKILN_VERSION);
  program.require_subcommand(1);
  program.fallthrough();
  CommonOptions options;
  if (std::string_view(argv[0]).find('/') != std::string_view::npos) options.program = argv[0];
  add_common_options(program, options);
  Action chosen;
  add_bake(program, chosen);
  add_resolve(program, chosen);
  add_lock(program, chosen);
  add_plan(program, chosen);
  add_render(program, chosen);
  add_build(program, chosen);
  add_verify(program, chosen);
  add_sbom(program, chosen);
  add_stamp(program, chosen);
  add_run(program, chosen);
  add_push(program, chosen);
  add_pull(program, chosen);
  add_inspect(program, chosen);
  add_diff(program, chosen);
  add_audit(program, chosen);
  add_explain(program, chosen);
  add_lint(program, chosen);
  add_matrix(program, chosen);
  add_cache(program, chosen);
  add_completion(program, chosen);
  if (const auto error = unknown_command(program, argc, argv)) return report(*error, options);
  try {
    program.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return program.exit(error);  // --help and --version
    return report(
        {base::ErrorCode::usage, error.what(), std::nullopt, {}, {"torchkiln --help, torchkiln COMMAND --help"}},
        options);
  }

  base::Result<int> outcome = 0;
  {
    Session session(options);
    try {
      outcome = chosen(session);
    } catch (const std::exception& error) {
      // Nothing of ours throws; a library did, where nobody expected it.
      outcome = base::fail(base::ErrorCode::internal, std::string("unexpected: ") + error.what(),
                           {"please report this, with the command"});
    }
  }
  if (!outcome) return report(outcome.error(), options);
  return *outcome;
}

}  // namespace torchkiln::cli
