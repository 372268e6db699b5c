// Rules about CUDA: one in an image, where its compilers are, and which libcuda is found.

#include "decision/lint/checks.hpp"
#include "decision/lint/image_name.hpp"
#include "decision/lint/installs.hpp"
#include "foundation/base/text.hpp"

#include <algorithm>

namespace torchkiln::lint {

namespace {

/// What a CUDA base has already: the toolkit, its libraries, cuDNN and NCCL.
bool is_cuda_package(std::string_view name) {
  for (const std::string_view one :
       {"cuda-toolkit", "cuda-libraries", "cuda-runtime", "nvidia-cuda-toolkit", "cuda-compiler", "cuda-cudart"})
    if (name.starts_with(one)) return true;
  if (!name.starts_with("cuda")) return false;
  return name.find_first_not_of("0123456789-", 4) == std::string_view::npos;  // "cuda", "cuda-12-1"
}

void check_second_cuda(const Stages& stages, const Stage& stage, Findings& findings) {
  const auto& root = stages.root_image(stage);
  const auto contents = contents_of(image_name(root.text));
  if (!root.is_known || !contents.cuda) return;
  const auto tell = [&](const Step& step, const Word& package) {
    findings.add("cuda-twice", step, package.offset,
                 shown(package.text) + " comes on top of the base's CUDA " + contents.cuda->to_string(),
                 contents.flavor == BaseContents::Flavor::devel
                     ? "leave it out: the base has the whole toolkit"
                     : "begin a builder stage with the base's -devel image, or this one with a plain system");
  };
  for (const auto& step : stage.steps) {
    if (!step.is("RUN")) continue;
    for (const auto& call : apt_calls_of(step))
      if (call.action == "install")
        for (const auto* package : call.operands)
          if (is_cuda_package(std::string_view(package->text).substr(0, package->text.find_first_of("=/:"))))
            tell(step, *package);
    for (const auto& install : conda_installs_of(step))
      for (const auto* package : install.packages) {
        const auto name = package_of(package->text);
        if (name == "cudatoolkit" || name == "cuda-toolkit" || name == "cuda") tell(step, *package);
      }
  }
}

void check_final_stage(const Stages& stages, Findings& findings) {
  const auto* final = stages.final();
  if (!final) return;
  const auto& root = stages.root_image(*final);
  if (!root.is_known || contents_of(image_name(root.text)).flavor != BaseContents::Flavor::devel) return;
  findings.add("devel-final-stage", final->base_position(), final->from->begin.line,
               "the image carries compilers and headers that its programs do not call: some gigabytes",
               "compile in a stage of its own, begin the last one with " +
                   shown(base::replace_all(root.text, "devel", "runtime")) + ", and COPY --from the results");
}

void check_library_path(const Step& step, Findings& findings) {
  if (!step.is("ENV")) return;
  for (const auto& one : step.assignments) {
    if (one.name != "LD_LIBRARY_PATH") continue;
    for (const auto path : base::split(one.value, ':')) {
      const bool is_stub = path.ends_with("/stubs") || path.find("/stubs/") != std::string_view::npos;
      const bool is_compat = path.find("cuda") != std::string_view::npos && path.ends_with("/compat");
      if (!is_stub && !is_compat) continue;
      findings.add("cuda-library-path", step, one.offset,
                   is_stub
                       ? shown(path) + " has a libcuda.so that does nothing: it is for linking only"
                       : shown(path) + " hides the driver's libcuda: CUDA error 804 on all but data-center GPUs",
                   is_stub ? "give the folder to the linker alone: -L" + shown(path)
                           : "leave it out; where it is needed, mount it when the container starts");
    }
  }
}

}  // namespace

void check_cuda(const Subject& subject, Findings& findings) {
  check_final_stage(subject.stages, findings);
  for (const auto& stage : subject.stages.all) {
    check_second_cuda(subject.stages, stage, findings);
    for (const auto& step : stage.steps) check_library_path(step, findings);
  }
}

}  // namespace torchkiln::lint
