#include "plan/lock/toolkit.hpp"

#include "foundation/base/text.hpp"
#include "foundation/sys/environment.hpp"
#include "knowledge/upstream/redistribution.hpp"
#include "knowledge/upstream/simple_index.hpp"

#include <fmt/format.h>

namespace torchkiln::lock {

using base::ErrorCode;
using base::fail;
using base::Result;

namespace {

constexpr std::string_view k_compiler = "cuda_nvcc";

struct ReleaseList {
  std::string release;  ///< "12.8.1"
  std::string folder;   ///< with a slash at its end
  std::string url;
};

/// The list of the newest release of this CUDA that the folders have.
Result<ReleaseList> newest_release(const ToolkitRequest& request, sys::HttpClient& http) {
  std::optional<std::pair<version::Version, ReleaseList>> newest;
  for (auto folder : request.folders) {
    if (!folder.ends_with('/')) folder += '/';
    TK_TRY(const auto page, http.fetch({folder}));
    TK_TRY(const auto links, upstream::parse_links(page.body, page.url));
    for (const auto& link : links) {
      std::string release;
      if (!upstream::is_redistribution_name(link.name, release)) continue;
      TK_TRY(const auto version, version::Version::parse(release));
      if (version.part(0) != request.cuda.major || version.part(1) != request.cuda.minor) continue;
      if (!newest || newest->first < version) newest = {version, {release, folder, link.url}};
    }
  }
  if (!newest)
    return fail(ErrorCode::package_conflict,
                fmt::format("the folders given with --redist have no redistrib_*.json of CUDA {}",
                            request.cuda.to_string()),
                {"name NVIDIA's folder of the CUDA toolkit: https://redist.example/cuda/redist",
                 "or cuda = \"none\" in [devel]: C++ extensions can be built then, CUDA ones cannot"});
  return newest->second;
}

}  // namespace

std::vector<std::string> redist_folders(std::vector<std::string> wished) {
  if (!wished.empty()) return wished;
  const auto named = sys::environment(k_redist_variable).value_or("");
  for (const auto folder : base::split(named, ' '))
    if (!folder.empty()) wished.emplace_back(folder);
  return wished;
}

Result<std::vector<LockedArchive>> pin_toolkit(const ToolkitRequest& request, sys::HttpClient& http) {
  if (request.folders.empty())
    return fail(
        ErrorCode::usage,
        fmt::format("cuda = \"archives\" in [devel]: nobody says where NVIDIA's archives of CUDA {} are",
                    request.cuda.to_string()),
        {fmt::format("name the folder of redistrib_*.json: --redist https://redist.example/cuda/redist, or {}",
                     k_redist_variable)});
  TK_TRY(const auto list, newest_release(request, http));
  TK_TRY(const auto answer, http.fetch({list.url}));
  const auto file = base::without_credentials(list.url);
  TK_TRY(const auto redistribution, upstream::parse_redistribution(answer.body, file, list.release));
  const std::string platform = request.architecture == "aarch64" ? "linux-sbsa" : "linux-" + request.architecture;
  std::vector<LockedArchive> archives;
  for (const auto& name : request.components) {
    const auto* component = redistribution.find(name);
    const auto* archive = component ? component->archive_for(platform) : nullptr;
    if (!archive) {
      if (name != k_compiler) continue;
      return fail(ErrorCode::package_conflict, fmt::format("{} has no {} for {}", file, name, platform),
                  {"name the folder of the CUDA toolkit itself with --redist"});
    }
    archives.push_back({name,
                        component->version,
                        base::without_credentials(list.folder + archive->path),
                        archive->digest,
                        archive->size_bytes,
                        {spec::Part::devel}});
  }
  return archives;
}

}  // namespace torchkiln::lock
