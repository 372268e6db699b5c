#include "plan/lock/parts.hpp"

#include "foundation/base/text.hpp"
#include "foundation/sys/files.hpp"
#include "plan/lock/lock.hpp"

#include <fmt/format.h>

namespace torchkiln::lock {

using base::Result;
namespace fs = std::filesystem;

namespace {

/// The first CUDA whose wheels have nvcc (the nvidia-cuda-nvcc wheels of CUDA 12 hold ptxas and no nvcc).
constexpr unsigned k_first_cuda_with_nvcc = 13;

/// The wheels that make up the toolkit, at the CUDA version of the PyTorch build.
Result<std::vector<std::string>> toolkit_requirements(const spec::Spec& spec, const solver::Resolution& resolution,
                                                      const fs::path& images, base::Progress& progress) {
  using spec::ToolkitSource;
  const auto cuda = resolution.cuda.to_string();
  const bool has_nvcc = resolution.cuda.major >= k_first_cuda_with_nvcc;
  const auto& asked = spec.devel.cuda;
  if (!has_nvcc && asked && asked->value == ToolkitSource::wheels)
    return base::fail_at(
        base::ErrorCode::spec_invalid, asked->place,
        fmt::format("CUDA {}'s wheels have no nvcc; those of CUDA {} are the first", cuda, k_first_cuda_with_nvcc),
        {"cuda = \"none\" in [devel]: C++ extensions can be built then, CUDA ones cannot",
         fmt::format("or a PyTorch build for CUDA {}: --cuda '>={}'", k_first_cuda_with_nvcc,
                     k_first_cuda_with_nvcc)});
  if (!has_nvcc && !asked)
    progress.warn(
        fmt::format("the devel part has no nvcc: CUDA {}'s wheels have none (say cuda = \"none\" in [devel] "
                    "if that is meant)",
                    cuda));
  if (!has_nvcc || (asked && asked->value == ToolkitSource::none)) return std::vector<std::string>();
  TK_TRY(auto requirements, read_list(images / "devel/cuda-wheels.txt"));
  for (auto& one : requirements) one += "==" + cuda + ".*";
  return requirements;
}

}  // namespace

Result<std::vector<std::string>> read_list(const fs::path& file) {
  TK_TRY(const auto text, sys::read_file(file));
  std::vector<std::string> items;
  for (const auto line : base::lines(text)) {
    const auto item = base::trim(line.substr(0, line.find('#')));
    if (!item.empty()) items.emplace_back(item);
  }
  return items;
}

Result<std::vector<PartRequest>> part_requests(const spec::Spec& spec, const solver::Resolution& resolution,
                                               const fs::path& images, base::Progress& progress) {
  std::vector<PartRequest> requests;
  for (const auto part : all_parts(spec).parts()) {
    const auto folder = images / std::string(spec::name(part));
    PartRequest request{part, {}, {}};
    TK_TRY(request.requirements, read_list(folder / "requirements.txt"));
    TK_TRY(request.packages, read_list(folder / "packages.txt"));
    if (part == spec::Part::devel) {
      TK_TRY(const auto toolkit, toolkit_requirements(spec, resolution, images, progress));
      request.requirements.insert(request.requirements.end(), toolkit.begin(), toolkit.end());
    }
    requests.push_back(std::move(request));
  }
  return requests;
}

}  // namespace torchkiln::lock
