// The table of the rules: docs/lint.md shows it, `torchkiln lint --rules` prints it.

#include "decision/lint/lint.hpp"
#include "foundation/base/text.hpp"

#include <algorithm>

namespace torchkiln::lint {

namespace {

constexpr auto k_info = Severity::info, k_warning = Severity::warning, k_error = Severity::error;

constexpr Rule k_rules[] = {
    // PyTorch, CUDA and GPUs
    {"torch-build-unknown", k_error, "a PyTorch version has a build for the CUDA that is asked for", {}},
    {"torch-build-unnamed",
     k_warning,
     "where the base has another CUDA than the default build, the build is named",
     {}},
    {"torch-companion", k_error, "torchvision and torchaudio are those of the PyTorch release", {}},
    {"torch-twice", k_warning, "a PyTorch base image keeps its PyTorch", {}},
    {"torch-from-conda",
     k_warning,
     "PyTorch comes from an index that upstream still fills",
     {"tally/gpu/prefer-uv-over-conda"}},
    {"cuda-mismatch", k_warning, "wheels are for the CUDA of the base image", {"tally/gpu/cuda-version-mismatch"}},
    {"cuda-twice", k_warning, "a CUDA base image gets no second CUDA", {"tally/gpu/no-redundant-cuda-install"}},
    {"devel-final-stage", k_warning, "compilers stay in a builder stage", {"tally/gpu/prefer-runtime-final-stage"}},
    {"gpu-query-in-build",
     k_error,
     "nothing asks for a GPU while the image is built",
     {"tally/gpu/no-buildtime-gpu-queries"}},
    {"driver-in-image", k_error, "the driver stays on the host", {}},
    {"container-toolkit-in-image",
     k_warning,
     "the container toolkit stays on the host",
     {"tally/gpu/no-container-runtime-in-image"}},
    {"visible-devices-fixed",
     k_warning,
     "whoever runs the image chooses the GPUs",
     {"tally/gpu/no-hardcoded-visible-devices"}},
    {"driver-capabilities-missing", k_info, "a GPU image says which parts of the driver it needs", {}},
    {"driver-capabilities-all",
     k_info,
     "a GPU image asks for the parts of the driver that it needs",
     {"tally/gpu/prefer-minimal-driver-capabilities"}},
    {"nvidia-require-off", k_warning, "the container runtime may check the driver", {}},
    {"cuda-library-path", k_warning, "no stub or compat library hides the driver's libcuda", {}},
    // The image that a stage begins with
    {"tag-vanished", k_error, "the base image is still in its registry", {}},
    {"tag-latest",
     k_warning,
     "base images have a tag, which is not latest",
     {"DL3006", "DL3007", "CKV_DOCKER_7", "DS-0001", "DKL-DI-0006"}},
    {"platform-fixed",
     k_warning,
     "FROM leaves the platform to the build",
     {"DL3029", "buildkit/FromPlatformFlagConstDisallowed"}},
    {"stage-name-taken",
     k_error,
     "stages have names of their own",
     {"DL3024", "CKV_DOCKER_11", "DS-0012", "buildkit/DuplicateStageName"}},
    {"copy-from-unknown", k_warning, "COPY --from names a stage above it", {"DL3022"}},
    {"copy-from-itself", k_error, "COPY --from names another stage", {"DL3023", "DS-0006"}},
    // What the image is
    {"root-user", k_warning, "the last USER is not root", {"DL3002", "CKV_DOCKER_8", "DS-0002", "CIS-DI-0001"}},
    {"user-missing", k_warning, "the image has a USER", {"CKV_DOCKER_3"}},
    {"user-by-name", k_info, "USER is a number, so that a cluster sees that it is not root", {"DL3066"}},
    {"workdir-relative",
     k_error,
     "WORKDIR is an absolute path",
     {"DL3000", "CKV_DOCKER_10", "DS-0009", "buildkit/WorkdirRelativePath"}},
    {"workdir-system", k_warning, "WORKDIR is no folder of the kernel's", {"DS-0030"}},
    {"command-not-json",
     k_warning,
     "CMD and ENTRYPOINT have the JSON form, so that signals arrive",
     {"DL3025", "buildkit/JSONArgsRecommended"}},
    {"instruction-twice",
     k_warning,
     "a stage has one CMD, ENTRYPOINT and HEALTHCHECK",
     {"DL4003", "DL4004", "DL3012", "DS-0016", "DS-0007", "DS-0023", "buildkit/MultipleInstructionsDisallowed"}},
    {"healthcheck-missing", k_info, "the image has a HEALTHCHECK", {"DL3057", "CKV_DOCKER_2", "DS-0026", "CIS-DI-0006"}},
    {"ssh-port", k_warning, "port 22 is not exposed", {"CKV_DOCKER_1", "DS-0004"}},
    {"port-invalid", k_error, "ports are numbers up to 65535", {"DL3011", "DS-0008"}},
    {"maintainer",
     k_warning,
     "who maintains the image is said in a label",
     {"DL4000", "CKV_DOCKER_6", "DS-0022", "buildkit/MaintainerDeprecated"}},
    {"secret-in-environment",
     k_error,
     "secrets are mounted, never in ARG or ENV",
     {"DL3064", "DS-0031", "buildkit/SecretsUsedInArgOrEnv", "CIS-DI-0010"}},
    {"label-missing", k_warning, "the image has the labels that --require-label names", {"DL3049"}},
    {"credentials-in-address", k_error, "addresses carry no password", {}},
    // Files
    {"add-for-copy", k_error, "files are copied by COPY", {"DL3020", "CKV_DOCKER_4", "DS-0005", "CIS-DI-0009"}},
    {"copy-destination", k_error, "several files are copied into a folder", {"DL3021", "DS-0011"}},
    {"copy-relative", k_warning, "a relative destination has a WORKDIR before it", {"DL3045"}},
    // Debian packages
    {"apt-unpinned", k_warning, "Debian packages have a version", {"DL3008"}},
    {"apt-lists", k_info, "apt's lists are removed where they are made", {"DL3009", "DKL-DI-0005"}},
    {"apt-without-yes", k_warning, "apt-get does not wait for an answer", {"DL3014", "DS-0021"}},
    {"apt-recommends", k_info, "only what is needed is installed", {"DL3015", "DS-0029"}},
    {"apt-for-people", k_warning, "scripts call apt-get, whose interface is stable", {"DL3027", "CKV_DOCKER_9"}},
    {"apt-update-alone", k_warning, "apt-get update and install are one RUN", {"CKV_DOCKER_5", "DS-0017", "CIS-DI-0007"}},
    {"apt-upgrade", k_warning, "the base image is updated by its own next version", {"DL3005", "DS-0024", "DKL-DI-0003"}},
    {"apt-unauthenticated", k_error, "apt checks signatures", {"CKV2_DOCKER_8", "CKV2_DOCKER_11"}},
    // Python packages
    {"pip-unpinned", k_warning, "Python packages have a version", {"DL3013"}},
    {"pip-cache", k_warning, "pip leaves no cache in the image", {"DL3042"}},
    {"pip-trusted-host", k_warning, "pip checks certificates", {"CKV2_DOCKER_4", "CKV2_DOCKER_16"}},
    // Commands
    {"cd-in-run", k_warning, "WORKDIR changes the folder", {"DL3003", "DS-0013"}},
    {"sudo-in-run", k_error, "RUN needs no sudo", {"DL3004", "CKV2_DOCKER_1", "DS-0010", "DKL-DI-0001"}},
    {"host-command", k_info, "commands make sense in a build", {"DL3001"}},
    {"pipe-fails-silently", k_warning, "a pipe fails when any part of it does", {"DL4006"}},
    {"wget-and-curl", k_warning, "one program downloads", {"DL4001", "DS-0014"}},
    {"wget-progress", k_info, "wget does not fill the log", {"DL3047"}},
    {"shell-link", k_warning, "SHELL chooses the shell", {"DL4005"}},
    {"run-consecutive", k_info, "what belongs together is one RUN", {"DL3059"}},
    {"user-id-twice", k_error, "every account has a number of its own", {"DKL-LI-0002"}},
    {"setuid", k_warning, "no program gets another user's rights", {"CIS-DI-0008"}},
    {"useradd-log", k_warning, "useradd with a high number writes no sparse log", {"DL3046"}},
    {"password-in-build", k_error, "no password is set", {"CKV2_DOCKER_17", "DKL-LI-0001"}},
    {"certificates-unchecked",
     k_warning,
     "certificates are checked",
     {"CKV2_DOCKER_2", "CKV2_DOCKER_3", "CKV2_DOCKER_5", "CKV2_DOCKER_6", "CKV2_DOCKER_14"}},
    // The file itself
    {"syntax", k_error, "BuildKit can read the file", {"DL1000", "DL3043"}},
    {"instruction-order", k_error, "FROM comes first, ARG may come before it", {"DL3061"}},
};

}  // namespace

std::string_view name(Severity severity) {
  switch (severity) {
    case Severity::info:
      return "info";
    case Severity::warning:
      return "warning";
    case Severity::error:
      return "error";
  }
  return "";
}

bool Rule::is_called(std::string_view name) const {
  const auto wanted = base::lower(name);
  return wanted == id || std::any_of(aliases.begin(), aliases.end(), [&](std::string_view alias) {
           // tally names hadolint's rules "hadolint/DL3008".
           return !alias.empty() && (wanted == base::lower(alias) || wanted == "hadolint/" + base::lower(alias));
         });
}

std::span<const Rule> rules() {
  return k_rules;
}

const Rule* find_rule(std::string_view id_or_alias) {
  const auto found = std::find_if(std::begin(k_rules), std::end(k_rules),
                                  [&](const Rule& rule) { return rule.is_called(id_or_alias); });
  return found == std::end(k_rules) ? nullptr : found;
}

}  // namespace torchkiln::lint
