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

/// The last CUDA whose nvcc refuses Debian 12's own g++ 12 (CUDA 11.8, Installation Guide, "Host Compiler Support
/// Policy": up to 11).
constexpr unsigned k_last_cuda_for_older_compiler = 11;
constexpr const char* k_older_compiler = "g++-11";
constexpr const char* k_python_headers = "python3-dev";

/// Adds the CUDA toolkit to what the devel part asks for: wheels at the CUDA version of the PyTorch build, or
/// archives.
Result<void> add_toolkit(const spec::Spec& spec, const solver::Resolution& resolution, const fs::path& images,
                         base::Progress& progress, PartRequest& request) {
  using spec::ToolkitSource;
  const auto cuda = resolution.cuda.to_string();
  const bool has_nvcc = resolution.cuda.major >= k_first_cuda_with_nvcc;
  const auto& asked = spec.devel.cuda;
  if (!has_nvcc && asked && asked->value == ToolkitSource::wheels)
    return base::fail_at(
        base::ErrorCode::spec_invalid, asked->place,
        fmt::format("CUDA {}'s wheels have no nvcc; those of CUDA {} are the first", cuda, k_first_cuda_with_nvcc),
        {"cuda = \"archives\" in [devel]: NVIDIA's redistributable archives have it",
         "cuda = \"none\": C++ extensions can be built then, CUDA ones cannot",
         fmt::format("or a PyTorch build for CUDA {}: --cuda '>={}'", k_first_cuda_with_nvcc,
                     k_first_cuda_with_nvcc)});
  if (asked && asked->value == ToolkitSource::base) return {};
  if (!has_nvcc && !asked)
    progress.warn(
        fmt::format("the devel part has no nvcc: CUDA {}'s wheels have none; cuda = \"archives\" in [devel] takes "
                    "it from NVIDIA's archives, \"none\" says that this is meant",
                    cuda));
  if (asked && asked->value == ToolkitSource::archives) {
    TK_TRY(request.archives, read_list(images / "devel/cuda-archives.txt"));
    if (resolution.cuda.major <= k_last_cuda_for_older_compiler) request.packages.emplace_back(k_older_compiler);
    return {};
  }
  if (!has_nvcc || (asked && asked->value == ToolkitSource::none)) return {};
  TK_TRY(const auto wheels, read_list(images / "devel/cuda-wheels.txt"));
  for (const auto& one : wheels) request.requirements.push_back(one + "==" + cuda + ".*");
  return {};
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
    // An archive of Python has its own headers.
    if (spec.base.python) std::erase(request.packages, k_python_headers);
    if (part == spec::Part::devel) TK_CHECK(add_toolkit(spec, resolution, images, progress, request));
    requests.push_back(std::move(request));
  }
  return requests;
}

}  // namespace torchkiln::lock
