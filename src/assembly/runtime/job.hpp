#pragma once
// What the second program is asked to do, and what it answers: two JSON files in a folder of ours.

#include "assembly/runtime/byte_source.hpp"
#include "assembly/runtime/runtime.hpp"
#include "foundation/base/digest.hpp"

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace torchkiln::runtime {

/// Unpack `blob` into the new folder `folder`, as root of a namespace.
struct UnpackJob {
  std::filesystem::path blob;
  Compression compression = Compression::none;
  base::Digest diff_id;
  std::filesystem::path folder;
};

/// Remove a tree, as root of a namespace.
struct RemoveJob {
  std::filesystem::path folder;
};

/// Run an OCI runtime on layers.
struct ContainerJob {
  RuntimeKind runtime = RuntimeKind::runc;
  std::vector<std::filesystem::path> lower;  ///< bottom first
  std::string config;                        ///< the OCI runtime's config.json; its root is "rootfs"
  RootAccess root = RootAccess::read_only;
  std::filesystem::path upper;  ///< a folder on a disk for what is written; unused when read-only
  std::filesystem::path space;  ///< an empty folder to mount things on
  std::string hosts;            ///< content of the file that the config mounts as /etc/hosts
};

/// Run docker's or podman's client; when we are asked to stop, `clean_up` too.
struct EngineJob {
  std::vector<std::string> arguments;
  std::vector<std::string> clean_up;
};

struct Job {
  int parent_pid = 0;  ///< who must be alive for the job to make sense
  std::variant<UnpackJob, RemoveJob, ContainerJob, EngineJob> task;
};

struct JobResult {
  int exit_status = 0;  ///< of the command, for the jobs that run one
  std::optional<base::Error> error;
};

std::string to_text(const Job& job);
base::Result<Job> read_job(std::string_view text, const std::string& file);
std::string to_text(const JobResult& result);
base::Result<JobResult> read_result(std::string_view text, const std::string& file);

}  // namespace torchkiln::runtime
