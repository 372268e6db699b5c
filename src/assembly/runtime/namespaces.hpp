#pragma once
// New mount and PID namespaces, and for an ordinary user a user namespace in which he is root. When the process in
// them dies, the kernel kills all others in them and undoes their mounts: nothing can stay behind.

#include "foundation/base/error.hpp"

#include <functional>

namespace torchkiln::runtime {

/// Runs `work` as PID 1 and as root of the new namespaces, with a /proc of its own, and gives its return value as
/// the exit status. We must have one thread. SIGTERM and SIGINT are passed on; when we die, `work` is killed.
base::Result<int> run_in_namespaces(const std::function<int()>& work);

}  // namespace torchkiln::runtime
