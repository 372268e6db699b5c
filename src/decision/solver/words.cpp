#include "decision/solver/words.hpp"

#include <algorithm>

#include <fmt/format.h>

namespace torchkiln::solver {

namespace {
/// Longer lists of releases are told as a range.
constexpr std::size_t k_releases_listed = 3;
}  // namespace

std::string enumerated(const std::vector<std::string>& texts) {
  if (texts.size() < 2) return texts.empty() ? "nothing" : texts.front();
  const std::vector<std::string> before_last(texts.begin(), texts.end() - 1);
  return fmt::format("{} and {}", fmt::join(before_last, ", "), texts.back());
}

std::string enumerated(const std::vector<version::ComputeCapability>& list) {
  std::vector<std::string> texts;
  for (const auto compute : list) texts.push_back(compute.to_string());
  return enumerated(texts);
}

std::string releases_of(const std::vector<const matrix::Build*>& builds) {
  std::vector<version::Version> releases;
  for (const auto* build : builds) releases.push_back(build->pytorch);
  std::sort(releases.begin(), releases.end());
  releases.erase(std::unique(releases.begin(), releases.end()), releases.end());
  if (releases.size() > k_releases_listed)
    return fmt::format("PyTorch {} to {}", releases.front().to_string(), releases.back().to_string());
  std::vector<std::string> texts;
  for (const auto& release : releases) texts.push_back(release.to_string());
  return "PyTorch " + enumerated(texts);
}

std::string pythons_in_words(std::vector<std::string> tags) {
  const auto minor_number = [](const std::string& tag) {
    const auto parsed = version::Version::parse(tag);
    return parsed ? parsed->part(1) : 0;
  };
  std::sort(tags.begin(), tags.end(),
            [&](const std::string& a, const std::string& b) { return minor_number(a) < minor_number(b); });
  tags.erase(std::unique(tags.begin(), tags.end()), tags.end());
  std::vector<std::string> runs;
  for (std::size_t i = 0; i < tags.size();) {
    std::size_t last = i;
    while (last + 1 < tags.size() && minor_number(tags[last + 1]) == minor_number(tags[last]) + 1) ++last;
    if (last - i >= 2) {
      runs.push_back(tags[i] + " to " + tags[last]);
    } else {
      for (std::size_t k = i; k <= last; ++k) runs.push_back(tags[k]);
    }
    i = last + 1;
  }
  return enumerated(runs);
}

std::string gpu_in_words(const matrix::NamedGpu& gpu) {
  if (!gpu.row) return "compute capability " + gpu.compute.to_string();
  return fmt::format("{} (compute capability {})", gpu.name, gpu.compute.to_string());
}

std::string dropped_in_words(const matrix::DriverBranch& branch, const matrix::DriverBranch* last,
                             version::ComputeCapability compute) {
  std::string text = fmt::format("driver branch R{} drives no GPU below compute capability {}", branch.branch,
                                 branch.oldest_gpu->to_string());
  if (last) text += fmt::format("; R{} was the last for {}", last->branch, compute.to_string());
  return text;
}

std::string source_of(const matrix::Provenance& from) {
  return from.place.to_string();
}

}  // namespace torchkiln::solver
