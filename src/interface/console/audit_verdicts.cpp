#include "interface/console/audit_verdicts.hpp"

namespace torchkiln::console {

namespace {

using audit::Verdict;

struct Words {
  Verdict verdict;
  std::string_view code, meaning;
};

constexpr std::array<Words, audit::k_verdicts> k_words = {{
    {Verdict::direct, "D", "runs: the driver's own CUDA is at least the image's"},
    {Verdict::minor_version, "M", "runs by minor-version compatibility: the driver is of the same CUDA family"},
    {Verdict::forward_compat, "F", "runs with the compat package, and not without"},
    {Verdict::ptx_jit, "J", "runs after the driver has compiled PTX: there is no machine code for the GPU"},
    {Verdict::driver_too_old, "OD", "the driver is older than the image's CUDA needs"},
    {Verdict::gpu_not_in_driver, "GD", "the driver does not drive this GPU"},
    {Verdict::driver_mismatch, "MM", "kernel module and user-space driver do not go together"},
    {Verdict::no_gpu, "NG", "the machine has no GPU"},
    {Verdict::no_kernels, "NK", "the build has neither machine code nor usable PTX for the GPU"},
    {Verdict::requirement_refused, "RQ", "the container runtime refuses the image's NVIDIA_REQUIRE_*"},
    {Verdict::no_such_build, "NB", "there is no such build of PyTorch"},
    {Verdict::python_unsupported, "PY", "the release has no wheel for this Python"},
    {Verdict::glibc_too_old, "GL", "the wheel needs a newer C library"},
    {Verdict::packages_conflict, "PC", "the packages do not go together"},
    {Verdict::cpu_only, "CP", "installs, but has no CUDA"},
    {Verdict::unsupported_by_pytorch, "UP", "PyTorch itself says that it does not support the GPU"},
    {Verdict::unknown, "?", "a fact is missing: this does not count as running"},
}};

constexpr bool is_in_order() {
  for (std::size_t i = 0; i < k_words.size(); ++i)
    if (k_words[i].verdict != static_cast<Verdict>(i)) return false;
  return true;
}
static_assert(is_in_order());

const Words& words_of(Verdict verdict) {
  return k_words[static_cast<std::size_t>(verdict)];
}

}  // namespace

std::string_view meaning_of(Verdict verdict) {
  return words_of(verdict).meaning;
}
std::string_view code_of(Verdict verdict) {
  return words_of(verdict).code;
}
Outcome outcome_of(Verdict verdict) {
  if (audit::runs(verdict)) return Outcome::runs;
  return verdict == Verdict::unknown ? Outcome::unknown : Outcome::does_not_run;
}

}  // namespace torchkiln::console
