#pragma once
// Running a command in an image. The image is a stack of unpacked layers, run by an OCI runtime (runc, crun) as
// root or as an ordinary user, or an image that docker or podman holds. Nothing outlives a run: not a process, not
// a mount, not a file, whether it ends by itself, by its time-out, by an interrupt or by our own death.

#include "foundation/base/error.hpp"

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace torchkiln::runtime {

enum class RuntimeKind { runc, crun, docker, podman };
std::string_view name(RuntimeKind kind);
std::optional<RuntimeKind> parse_runtime(std::string_view text);

enum class Access { read_only, read_write };
/// A file or folder of the host, seen inside.
struct Mount {
  std::filesystem::path host;
  std::string inside;  ///< absolute
  Access access = Access::read_only;
};

/// What may be written to the image's own files.
enum class RootAccess {
  read_only,
  throw_away,  ///< anything; gone afterwards
  kept,        ///< anything; what was written stays in RunRequest::kept_upper
};
enum class Network { none, host };
enum class Gpus { none, all };
enum class Streams {
  captured,   ///< standard input is empty, output and errors go into the RunOutcome
  inherited,  ///< our own streams; with a terminal where ours are one
};

struct RunRequest {
  std::vector<std::string> arguments;              ///< arguments[0] is looked up on the PATH of `environment`
  std::map<std::string, std::string> environment;  ///< all of it; PATH gets a default, HOME comes from the image
  std::string directory = "/";                     ///< working directory inside, absolute
  unsigned uid = 0;
  unsigned gid = 0;
  RootAccess root = RootAccess::read_only;
  /// For RootAccess::kept: a folder on a disk; files written land in its "upper". Owners are the container's, so
  /// remove it with Runner::remove.
  std::filesystem::path kept_upper;
  std::vector<Mount> mounts;
  std::uint64_t memory_files_limit_bytes = 4ULL << 30;  ///< of each of /tmp, /run and /dev/shm, which are in memory
  Network network = Network::none;
  std::string hostname = "torchkiln";
  Gpus gpus = Gpus::none;
  Streams streams = Streams::captured;
  // With captured streams only:
  double timeout_s = 0;  ///< 0: none
  std::uint64_t output_limit_bytes = 64U << 20;
  std::function<void(std::string_view)> on_line;  ///< each line of standard error as it comes
};

struct RunOutcome {
  int exit_status = 0;  ///< 128 + signal number when a signal ended it
  std::string output;
  std::string errors;
  bool timed_out = false;
  double seconds = 0;
};

class Runner {
 public:
  /// `self_program` is a program whose hidden `__runtime` subcommand is inner_main(): ours. `scratch` is a folder
  /// on a disk, ours alone, for what lives as long as a run.
  Runner(std::filesystem::path self_program, std::filesystem::path scratch)
      : m_self_program(std::move(self_program)), m_scratch(std::move(scratch)) {}

  /// The wished runtime, or the first of runc and crun that works; found out by running a real container, once. The
  /// Error (tool_missing or tool_failed) tells for each one tried why it does not work here.
  base::Result<RuntimeKind> choose(std::optional<RuntimeKind> wish = std::nullopt);

  /// Runs in the image made of unpacked layers, bottom first, with runc or crun. An Error means that the command
  /// did not run; its own failure is an exit status.
  base::Result<RunOutcome> run(RuntimeKind runtime, const std::vector<std::filesystem::path>& lower,
                               const RunRequest& request) const;
  /// Runs in an image that docker or podman holds. RootAccess::kept is refused.
  base::Result<RunOutcome> run_in_engine(RuntimeKind engine, const std::string& image_reference,
                                         const RunRequest& request) const;

  /// Removes a folder whose files belong to container users.
  base::Result<void> remove(const std::filesystem::path& folder) const;

 private:
  base::Result<void> probe(RuntimeKind kind) const;

  std::filesystem::path m_self_program;
  std::filesystem::path m_scratch;
  std::map<RuntimeKind, std::optional<base::Error>> m_probed;
};

}  // namespace torchkiln::runtime
