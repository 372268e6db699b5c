#pragma once
// Asking the second program to do a job, and taking its answer.

#include "assembly/runtime/job.hpp"
#include "foundation/sys/process.hpp"

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string_view>

namespace torchkiln::runtime {

struct InnerCall {
  std::filesystem::path self_program;
  std::filesystem::path folder;  ///< of ours, for the two files
  Streams streams = Streams::captured;
  double timeout_s = 0;  ///< 0: none
  std::uint64_t output_limit_bytes = 64U << 20;
  std::function<void(std::string_view)> on_line = {};
};

struct InnerOutcome {
  int exit_status = 0;
  sys::ProcessOutput process;  ///< output and time-out
};

/// Does the job. What went wrong there is this function's Error; a time-out is not.
base::Result<InnerOutcome> call_inner(const InnerCall& call, decltype(Job::task) task);

/// Removes a tree that may hold files of container users.
base::Result<void> remove_any_tree(const std::filesystem::path& self_program, const std::filesystem::path& tree);

}  // namespace torchkiln::runtime
