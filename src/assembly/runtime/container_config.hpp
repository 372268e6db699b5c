#pragma once
// A run request as the config.json of an OCI runtime (runtime-spec 1.0.2). Pure.

#include "assembly/runtime/runtime.hpp"
#include "foundation/document/json.hpp"

namespace torchkiln::runtime {

enum class Terminal { none, ours };

/// An Error (usage) for a request that has no arguments, a path that is not absolute or has "..", a working
/// directory or mount in /proc or /sys, or an environment entry without a name.
base::Result<void> check_request(const RunRequest& request);

/// The capabilities of a command that runs as user 0: enough to install and compile things in an image. Others have
/// none.
const std::vector<std::string>& root_capabilities();

/// PATH where the environment has none.
inline constexpr const char* k_default_path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The environment with its defaults.
std::map<std::string, std::string> complete_environment(const RunRequest& request);

/// The configuration of a checked request. The root is "rootfs" and /etc/hosts is "hosts", both in the bundle. No
/// new privileges, no control groups, the paths of /proc and /sys masked as runc's own default does.
document::Json container_config(const RunRequest& request, Terminal terminal);

/// The file /etc/hosts for a container of that name.
std::string hosts_file(const std::string& hostname);

}  // namespace torchkiln::runtime
