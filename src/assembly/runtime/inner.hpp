#pragma once
// The second program: `torchkiln __runtime JOB`. Namespaces must be entered by a program with one thread, so the
// rooms that need them start ourselves again with a job in a file. Not for people.

namespace torchkiln::runtime {

/// The name of the hidden subcommand.
inline constexpr const char* k_inner_command = "__runtime";

/// Does the job named in argv[2] ("<program> __runtime <job.json>"), writes result.json beside it, and gives the
/// exit status for main().
int inner_main(int argc, char** argv);

}  // namespace torchkiln::runtime
