// The tests of level boot that need no torch: who we are, what runs us, what we may write, whether the GPU driver
// that the container runtime put in (or did not) makes sense.
#pragma once

namespace torchkiln::verifier {

/// Serves the supervisor as the boot program; the exit status.
int run_boot_tests();

}  // namespace torchkiln::verifier
