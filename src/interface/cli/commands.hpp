#pragma once
// The subcommands. Each adds itself to the program and, when it was chosen, leaves what is to be done in `chosen`.

#include "foundation/base/error.hpp"
#include "interface/cli/session.hpp"
#include "interface/cli/steps.hpp"

#include <functional>

#include <CLI/CLI.hpp>

namespace torchkiln::cli {

/// What a command does; its value is the exit status 0 (done) or 1 (the honest answer is no).
using Action = std::function<base::Result<int>(Session&)>;

void add_resolve(CLI::App& program, Action& chosen);
void add_lock(CLI::App& program, Action& chosen);
void add_render(CLI::App& program, Action& chosen);
void add_build(CLI::App& program, Action& chosen);
void add_verify(CLI::App& program, Action& chosen);
void add_sbom(CLI::App& program, Action& chosen);
void add_stamp(CLI::App& program, Action& chosen);
void add_bake(CLI::App& program, Action& chosen);
void add_run(CLI::App& program, Action& chosen);
void add_push(CLI::App& program, Action& chosen);
void add_pull(CLI::App& program, Action& chosen);
void add_inspect(CLI::App& program, Action& chosen);
void add_diff(CLI::App& program, Action& chosen);
void add_audit(CLI::App& program, Action& chosen);
void add_explain(CLI::App& program, Action& chosen);
void add_lint(CLI::App& program, Action& chosen);
void add_matrix(CLI::App& program, Action& chosen);
void add_plan(CLI::App& program, Action& chosen);
void add_cache(CLI::App& program, Action& chosen);
void add_completion(CLI::App& program, Action& chosen);

/// The positional kiln.toml and the options that mirror it.
void add_spec_options(CLI::App& command, SpecOptions& options);
void add_lock_options(CLI::App& command, LockOptions& options);
void add_format_options(CLI::App& command, FormatOptions& options);
void add_key_options(CLI::App& command, KeyOptions& options);
/// Tells completion which values an option takes. It refuses none: whoever reads them does that, with better words.
CLI::Option* takes(CLI::Option* option, const std::vector<std::string>& values);
/// --push, for its help.
inline constexpr const char* k_push_help =
    "Send the images and their stamps to HOST/REPO, or one to HOST/REPO:TAG; may be repeated";
/// What every command's IMAGE is, for its help.
inline constexpr const char* k_image_forms =
    "oci:DIR[:TAG], oci-archive:FILE[:TAG], docker:REF, podman:REF or HOST/REPO:TAG|@DIGEST";

}  // namespace torchkiln::cli
