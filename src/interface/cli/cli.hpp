#pragma once
// The command line: one file per subcommand, which parses options, calls the rooms and hands the result to console.

namespace torchkiln::cli {

/// Runs the program and gives its exit status (docs/architecture.md, "Exit codes").
int run(int argc, char** argv);

}  // namespace torchkiln::cli
