#pragma once
// A container on layers: the overlay mount, and runc or crun. Works inside the namespaces of run_in_namespaces().

#include "assembly/runtime/job.hpp"

namespace torchkiln::runtime {

/// Runs the job's container to its end and gives its exit status; an Error when the command did not run. Asked to
/// stop, it ends the container and gives `interrupted`. Either way nothing of the container is left.
base::Result<int> run_container(const ContainerJob& job);

}  // namespace torchkiln::runtime
