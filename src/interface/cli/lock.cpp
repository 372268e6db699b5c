// torchkiln lock: kiln.lock and pylock.toml.

#include "foundation/base/text.hpp"
#include "interface/cli/commands.hpp"

#include <fmt/format.h>

namespace torchkiln::cli {

namespace {

struct LockCommand {
  SpecOptions spec;
  LockOptions lock;
  std::vector<std::string> upgrade;
  bool check = false;
};

/// What the devel part's CUDA toolkit costs beside everything else; empty where there is none.
std::string toolkit_line(const lock::Lock& lock) {
  const auto toolkit = lock::toolkit_bytes(lock);
  if (lock.has_toolkit_in_base) {
    std::uint64_t base = 0;
    for (const auto& layer : lock.base->layers) base += layer.size_bytes;
    return fmt::format("devel's CUDA toolkit, from the base image: every variant has its {}\n",
                       base::format_bytes(base));
  }
  if (toolkit == 0) return {};
  std::uint64_t total = 0;
  for (const auto& wheel : lock.wheels) total += wheel.size_bytes;
  for (const auto& archive : lock.archives) total += archive.size_bytes;
  return fmt::format("devel's CUDA toolkit, from {}: {} to fetch beside {} of other wheels\n",
                     lock.archives.empty() ? "wheels" : "archives", base::format_bytes(toolkit),
                     base::format_bytes(total - toolkit));
}

/// Whether the lock of the spec answers it, and those of the specs that it extends theirs.
base::Result<bool> is_current(const Project& project) {
  lock::Below below;
  if (project.below) {
    TK_TRY(const bool current_below, is_current(*project.below));
    if (!current_below) return false;
    below.file = project.below->files.lock.string();
    TK_TRY(auto lock_below, read_lock(below.file));
    below.lock = std::make_shared<const lock::Lock>(std::move(lock_below));
  }
  TK_TRY(const auto lock, read_lock(project.files.lock));
  return lock::is_current(lock, project.spec, below);
}

base::Result<int> check(const Project& project, Session& session) {
  TK_TRY(const bool current, is_current(project));
  const auto file = project.files.lock.string();
  TK_CHECK(session.print(
      current ? file + " answers the spec\n" : file + " is stale: the spec has changed; run 'torchkiln lock'\n",
      document::Json{{"schema", "torchkiln.lock-check/1"}, {"lock", file}, {"current", current}}));
  return current ? 0 : 1;
}

}  // namespace

void add_lock(CLI::App& program, Action& chosen) {
  auto* command = program.add_subcommand("lock", "Pin every package by its SHA-256");
  auto options = std::make_shared<LockCommand>();
  add_spec_options(*command, options->spec);
  add_lock_options(*command, options->lock);
  auto* upgrade = command
                      ->add_option("--upgrade", options->upgrade,
                                   "Take the newest of everything, or of one package; may be repeated")
                      ->type_name("[PACKAGE]")
                      ->expected(0, 1)
                      ->take_all();
  command->add_flag("--check", options->check, "Change nothing; exit 1 when the lock does not answer the spec");
  command->callback([&chosen, options, upgrade] {
    const bool asked = upgrade->count() > 0;
    chosen = [options, asked](Session& session) -> base::Result<int> {
      TK_TRY(const auto project, load_project(options->spec));
      if (options->check) return check(project, session);
      auto lock_options = options->lock;
      for (const auto& package : options->upgrade)
        if (!package.empty()) lock_options.upgrade_packages.push_back(package);
      if (asked && lock_options.upgrade_packages.empty()) lock_options.upgrade = lock::Upgrade::all;
      TK_TRY(const auto outcome, ensure_lock(project, lock_options, session));
      if (const auto* conflict = std::get_if<solver::Conflict>(&outcome)) return tell_conflict(*conflict, session);
      const auto& lock = std::get<lock::Lock>(outcome);
      const auto file = project.files.lock.string();
      TK_CHECK(session.print(fmt::format("{}: {} wheels, {} Debian packages\n{}", file, lock.wheels.size(),
                                         lock.debs.size(), toolkit_line(lock)),
                             document::Json{{"schema", "torchkiln.lock-result/1"},
                                            {"lock", file},
                                            {"identity", lock::identity(lock).to_string()},
                                            {"cuda_toolkit_bytes", lock::toolkit_bytes(lock)}}));
      return 0;
    };
  });
}

}  // namespace torchkiln::cli
