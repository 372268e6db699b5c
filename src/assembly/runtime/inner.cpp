#include "assembly/runtime/inner.hpp"

#include "assembly/runtime/child.hpp"
#include "assembly/runtime/container.hpp"
#include "assembly/runtime/job.hpp"
#include "assembly/runtime/namespaces.hpp"
#include "assembly/runtime/unpack.hpp"
#include "foundation/sys/files.hpp"

#include <cstdio>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace torchkiln::runtime {

namespace fs = std::filesystem;
using base::ErrorCode;
using base::fail;
using base::Result;

namespace {

/// sysexits.h EX_USAGE, for a person who types the hidden subcommand.
constexpr int k_usage_status = 64;
/// Of this program when the answer is an Error; the Error itself is in the result file.
constexpr int k_failed_status = 125;

Result<int> do_task(const UnpackJob& job) {
  auto done = sys::make_directories(job.folder);
  if (done) {
    done = unpack_blob(job.blob, job.compression, job.diff_id, job.folder, [](std::uint64_t size_bytes) {
      std::fprintf(stderr, "%llu\n", static_cast<unsigned long long>(size_bytes));
      return stop_requested() ? Continue::no : Continue::yes;
    });
  }
  if (done) return 0;
  static_cast<void>(sys::remove_tree(job.folder));  // the first failure is the one to tell
  return fail(std::move(done).error());
}

Result<int> do_task(const RemoveJob& job) {
  TK_CHECK(sys::remove_tree(job.folder));
  return 0;
}

Result<int> do_task(const ContainerJob& job) {
  return run_container(job);
}

Result<int> do_task(const EngineJob& job) {
  TK_TRY(const pid_t pid, start_child(job.arguments));
  const auto end = wait_for_child(pid);
  if (!end.stopped) return end.exit_status;
  // The client passes signals on to a command that may ignore them; removing the container ends it for certain.
  TK_CHECK(run_child(job.clean_up));
  return fail(ErrorCode::interrupted, "interrupted");
}

int answer(const fs::path& result_path, Result<int> outcome) {
  JobResult result;
  if (outcome)
    result.exit_status = *outcome;
  else
    result.error = std::move(outcome).error();
  if (auto written = sys::write_file(result_path, to_text(result), 0600); !written) {
    std::fprintf(stderr, "%s\n", written.error().message.c_str());
    return k_failed_status;
  }
  return result.error ? k_failed_status : result.exit_status;
}

bool needs_namespaces(const Job& job) {
  return !std::holds_alternative<EngineJob>(job.task);
}

}  // namespace

int inner_main(int argc, char** argv) {
  if (argc != 3) {
    std::fprintf(stderr, "%s is for torchkiln's own use\n", k_inner_command);
    return k_usage_status;
  }
  hold_signals();
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  ::umask(022);  // what runs in a container starts with ours
  const fs::path job_path = argv[2];
  const auto result_path = job_path.parent_path() / "result.json";
  const auto text = sys::read_file(job_path);
  if (!text) return answer(result_path, fail(text.error()));
  const auto job = read_job(*text, job_path.string());
  if (!job) return answer(result_path, fail(job.error()));
  if (::getppid() != job->parent_pid) return k_failed_status;  // who asked is dead already

  const auto work = [&] {
    return answer(result_path, std::visit([](const auto& task) { return do_task(task); }, job->task));
  };
  if (!needs_namespaces(*job)) return work();
  const auto status = run_in_namespaces(work);
  return status ? *status : answer(result_path, fail(status.error()));
}

}  // namespace torchkiln::runtime
