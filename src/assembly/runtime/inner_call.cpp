#include "assembly/runtime/inner_call.hpp"

#include "assembly/runtime/inner.hpp"
#include "foundation/sys/files.hpp"

#include <unistd.h>

namespace torchkiln::runtime {

using base::ErrorCode;
using base::fail;
using base::Result;

namespace {

base::Error died(const sys::ProcessOutput& process) {
  base::Error error = {ErrorCode::tool_failed,
                       "the program that works in namespaces ended with status " +
                           std::to_string(process.exit_status) + " and without an answer",
                       std::nullopt,
                       {},
                       {}};
  if (!process.errors.empty()) error.notes.push_back(process.errors.substr(0, 2000));
  if (process.exit_status == 128 + 9) error.hints.emplace_back("the kernel may have run out of memory: see dmesg");
  return error;
}

}  // namespace

Result<InnerOutcome> call_inner(const InnerCall& call, decltype(Job::task) task) {
  const auto job_path = call.folder / "job.json";
  const auto result_path = call.folder / "result.json";
  TK_CHECK(sys::write_file(job_path, to_text(Job{::getpid(), std::move(task)}), 0600));

  sys::Command command;
  command.arguments = {call.self_program.string(), k_inner_command, job_path.string()};
  command.timeout_s = call.timeout_s;
  command.output_limit_bytes = call.output_limit_bytes;
  command.on_line = call.on_line;
  InnerOutcome outcome;
  if (call.streams == Streams::inherited) {
    TK_TRY(outcome.process.exit_status, sys::run_interactive(command));
  } else {
    TK_TRY(outcome.process, sys::run(command));
  }
  if (outcome.process.timed_out) return outcome;
  const auto text = sys::read_file(result_path);
  if (!text) return fail(died(outcome.process));
  TK_TRY(auto result, read_result(*text, result_path.string()));
  if (result.error) return fail(std::move(*result.error));
  outcome.exit_status = result.exit_status;
  return outcome;
}

Result<void> remove_any_tree(const std::filesystem::path& self_program, const std::filesystem::path& tree) {
  if (sys::remove_tree(tree)) return {};
  // The rest belongs to subordinate ids of ours: only the root of our user namespace may remove it.
  std::error_code ignored;
  TK_TRY(const auto folder,
         sys::TemporaryDirectory::create(std::filesystem::temp_directory_path(ignored), "torchkiln-remove-"));
  InnerCall call;
  call.self_program = self_program;
  call.folder = folder.path();
  TK_CHECK(call_inner(call, RemoveJob{tree}));
  return {};
}

}  // namespace torchkiln::runtime
