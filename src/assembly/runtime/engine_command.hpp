#pragma once
// A run request as the command line of docker's or podman's client. Pure, but for the question what this host's
// podman needs.

#include "assembly/runtime/container_config.hpp"

#include <string>
#include <vector>

namespace torchkiln::runtime {

/// The status by which both clients say that the engine, not the command, failed (docker-run(1), podman-run(1)).
inline constexpr int k_engine_failed_status = 125;

/// Arguments that this host needs with podman: on hybrid control groups its default runtime crun refuses to work,
/// and its default limits are above what an unprivileged process may set.
std::vector<std::string> podman_quirks();

/// The command that runs a checked request in the image, in a container called `container_name`. An Error (usage)
/// for what engines cannot do: RootAccess::kept, and mounts with a comma or a quote in their paths.
base::Result<std::vector<std::string>> engine_command(RuntimeKind engine, const std::string& image_reference,
                                                      const RunRequest& request, Terminal terminal,
                                                      const std::string& container_name,
                                                      const std::vector<std::string>& quirks);

}  // namespace torchkiln::runtime
