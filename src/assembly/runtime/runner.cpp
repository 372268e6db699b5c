#include "assembly/runtime/container_config.hpp"
#include "assembly/runtime/engine_command.hpp"
#include "assembly/runtime/inner_call.hpp"
#include "assembly/runtime/nvidia.hpp"
#include "assembly/runtime/runtime.hpp"
#include "assembly/runtime/work_folder.hpp"
#include "foundation/base/text.hpp"
#include "foundation/sys/environment.hpp"

#include <unistd.h>

namespace torchkiln::runtime {

namespace fs = std::filesystem;
using base::ErrorCode;
using base::fail;
using base::Result;

namespace {

/// A container that does nothing is done in a tenth of a second; a daemon may be slow to answer.
constexpr double k_probe_timeout_s = 30;

bool is_engine(RuntimeKind kind) {
  return kind == RuntimeKind::docker || kind == RuntimeKind::podman;
}

Terminal terminal_of(const RunRequest& request) {
  const bool ours = request.streams == Streams::inherited && ::isatty(0) && ::isatty(1);
  return ours ? Terminal::ours : Terminal::none;
}

RunRequest completed(RunRequest request) {
  std::error_code ignored;
  if (request.network == Network::host && fs::exists("/etc/resolv.conf", ignored))
    request.mounts.insert(request.mounts.begin(), Mount{"/etc/resolv.conf", "/etc/resolv.conf", Access::read_only});
  if (const auto kind = sys::environment("TERM"); kind && terminal_of(request) == Terminal::ours)
    request.environment.emplace("TERM", *kind);
  return request;
}

std::string hosts_for(const RunRequest& request) {
  // With the host's network come the host's names.
  if (request.network == Network::host)
    if (auto names = sys::read_file("/etc/hosts")) return std::move(*names);
  return hosts_file(request.hostname);
}

InnerCall inner_call(const fs::path& self_program, const fs::path& folder, const RunRequest& request) {
  return {self_program, folder, request.streams, request.timeout_s, request.output_limit_bytes, request.on_line};
}

RunOutcome make_outcome(InnerOutcome inner, double seconds) {
  return {inner.process.timed_out ? inner.process.exit_status : inner.exit_status, std::move(inner.process.output),
          std::move(inner.process.errors), inner.process.timed_out, seconds};
}

/// An image of nothing but the host's own programs, to see whether a container runs at all.
RunRequest probe_request() {
  RunRequest request;
  request.arguments = {"true"};
  request.timeout_s = k_probe_timeout_s;
  std::error_code ignored;
  for (const char* folder : {"/usr", "/bin", "/lib", "/lib64"})
    if (fs::is_directory(folder, ignored)) request.mounts.push_back({folder, folder, Access::read_only});
  return request;
}

}  // namespace

std::string_view name(RuntimeKind kind) {
  switch (kind) {
    case RuntimeKind::runc:
      return "runc";
    case RuntimeKind::crun:
      return "crun";
    case RuntimeKind::docker:
      return "docker";
    case RuntimeKind::podman:
      return "podman";
  }
  return "";
}

std::optional<RuntimeKind> parse_runtime(std::string_view text) {
  for (const auto kind : {RuntimeKind::runc, RuntimeKind::crun, RuntimeKind::docker, RuntimeKind::podman})
    if (name(kind) == text) return kind;
  return std::nullopt;
}

Result<void> Runner::probe(RuntimeKind kind) const {
  const std::string program(name(kind));
  if (!sys::find_program(program))
    return fail(ErrorCode::tool_missing, "'" + program + "' is not installed", {"install the package " + program});
  if (is_engine(kind)) {
    sys::Command command;
    command.arguments = {program, "info"};  // asks docker's daemon; checks podman's storage and runtime
    command.timeout_s = k_probe_timeout_s;
    TK_CHECK(sys::run_checked(command));
    return {};
  }
  TK_TRY(const auto outcome, run(kind, {}, probe_request()));
  if (outcome.timed_out)
    return fail(ErrorCode::tool_failed, "'" + program + "' did not run a trivial container in time");
  if (outcome.exit_status != 0)
    return fail({ErrorCode::tool_failed,
                 "'" + program + "' ran a trivial container with status " + std::to_string(outcome.exit_status),
                 std::nullopt,
                 {outcome.errors},
                 {}});
  return {};
}

Result<RuntimeKind> Runner::choose(std::optional<RuntimeKind> wish) {
  const std::vector<RuntimeKind> candidates =
      wish ? std::vector<RuntimeKind>{*wish} : std::vector<RuntimeKind>{RuntimeKind::runc, RuntimeKind::crun};
  base::Error error = {ErrorCode::tool_missing, "no container runtime works here", {}, {}, {}};
  for (const auto kind : candidates) {
    auto known = m_probed.find(kind);
    if (known == m_probed.end()) {
      auto works = probe(kind);
      if (!works && works.error().code == ErrorCode::interrupted) return fail(std::move(works).error());
      known = m_probed.emplace(kind, works ? std::nullopt : std::optional(std::move(works).error())).first;
    }
    if (!known->second) return kind;
    const auto& reason = *known->second;
    if (candidates.size() == 1) return fail(reason);
    if (reason.code != ErrorCode::tool_missing) error.code = ErrorCode::tool_failed;
    error.notes.push_back(std::string(name(kind)) + ": " + reason.message);
    for (const auto& note : reason.notes) error.notes.push_back("  " + note);
    for (const auto& hint : reason.hints) error.hints.push_back(hint);
  }
  return fail(std::move(error));
}

Result<RunOutcome> Runner::run(RuntimeKind runtime, const std::vector<fs::path>& lower,
                               const RunRequest& wanted) const {
  TK_ASSERT(!is_engine(runtime), "layers are run by runc or crun");
  TK_CHECK(check_request(wanted));
  const auto request = completed(wanted);
  auto config = container_config(request, terminal_of(request));
  if (request.gpus == Gpus::all) TK_CHECK(add_nvidia_gpus(config));
  TK_TRY(const auto folder, WorkFolder::create(m_scratch, [this](const fs::path& tree) { return remove(tree); }));
  ContainerJob job;
  job.runtime = runtime;
  job.lower = lower;
  TK_TRY(job.config, document::to_bytes(config));
  job.root = request.root;
  job.upper = request.root == RootAccess::kept ? fs::absolute(request.kept_upper) : folder.path() / "root";
  job.space = folder.path() / "space";
  job.hosts = hosts_for(request);
  TK_CHECK(sys::make_directories(job.space));
  if (request.root == RootAccess::kept) TK_CHECK(claim_folder(job.upper));
  const double start_s = sys::monotonic_s();
  TK_TRY(auto inner, call_inner(inner_call(m_self_program, folder.path(), request), std::move(job)));
  return make_outcome(std::move(inner), sys::monotonic_s() - start_s);
}

Result<RunOutcome> Runner::run_in_engine(RuntimeKind engine, const std::string& image_reference,
                                         const RunRequest& request) const {
  TK_ASSERT(is_engine(engine), "loaded images are run by docker or podman");
  TK_CHECK(check_request(request));
  TK_TRY(const auto folder, WorkFolder::create(m_scratch, [this](const fs::path& tree) { return remove(tree); }));
  // The folder's name is unique on this machine while the container lives.
  const auto container_name = "torchkiln-" + folder.path().filename().string();
  const auto quirks = engine == RuntimeKind::podman ? podman_quirks() : std::vector<std::string>();
  EngineJob job;
  TK_TRY(job.arguments,
         engine_command(engine, image_reference, request, terminal_of(request), container_name, quirks));
  job.clean_up = engine_clean_up(engine, container_name);
  const double start_s = sys::monotonic_s();
  TK_TRY(auto inner, call_inner(inner_call(m_self_program, folder.path(), request), std::move(job)));
  auto outcome = make_outcome(std::move(inner), sys::monotonic_s() - start_s);
  if (outcome.timed_out || !is_engine_failure(outcome.exit_status, outcome.errors)) return outcome;
  return fail({ErrorCode::tool_failed,
               std::string(name(engine)) + " could not run the command",
               std::nullopt,
               {std::string(base::trim(outcome.errors))},
               {}});
}

Result<void> Runner::remove(const fs::path& folder) const {
  return remove_any_tree(m_self_program, folder);
}

}  // namespace torchkiln::runtime
