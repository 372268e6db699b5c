#pragma once
// A run request as the command line of docker's or podman's client. Pure, but for the question what this host's
// podman needs.

#include "assembly/runtime/container_config.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace torchkiln::runtime {

/// Arguments that this host needs with podman: on hybrid control groups its default runtime crun refuses to work,
/// and its default limits are above what an unprivileged process may set.
std::vector<std::string> podman_quirks();

/// Whether a client's exit status and standard error say that the command did not run.
bool is_engine_failure(int exit_status, std::string_view errors);

/// The command that runs a checked request in the image, in a container called `container_name`. An Error (usage)
/// for what engines cannot do: RootAccess::kept, and mounts with a comma or a quote in their paths.
base::Result<std::vector<std::string>> engine_command(RuntimeKind engine, const std::string& image_reference,
                                                      const RunRequest& request, Terminal terminal,
                                                      const std::string& container_name,
                                                      const std::vector<std::string>& quirks);

/// The command that ends and removes that container, at once.
std::vector<std::string> engine_clean_up(RuntimeKind engine, const std::string& container_name);

}  // namespace torchkiln::runtime
