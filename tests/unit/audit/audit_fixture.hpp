#pragma once
// Pairs as a user would type them, judged by the repository's own manifests.

#include "decision/audit/audit.hpp"
#include "knowledge/host/machine.hpp"
#include "knowledge/matrix/load.hpp"
#include "support/must.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <string>
#include <vector>

namespace torchkiln {

using test::must;

inline const matrix::Matrix& real_matrix() {
  static const matrix::Matrix k_matrix = must(matrix::load(TK_SOURCE_DIR "/manifests"));
  return k_matrix;
}

/// "driver=535.104.05,gpu=V100": what --host takes.
inline host::Machine machine(const std::string& facts) {
  return must(host::parse_machine("name=h," + facts));
}

/// A release: "2.7.1+cu126", or "2.7.1" as the default index has it.
inline audit::Image release(const std::string& pytorch) {
  const auto full = must(version::Version::parse(pytorch));
  audit::Image image;
  image.name = "pytorch " + pytorch;
  image.pytorch = full.without_local();
  image.build = full.local();
  image.source = "--pytorch";
  return image;
}
inline audit::Image release(const std::string& pytorch, const std::string& python) {
  auto image = release(pytorch);
  image.python = python;
  return image;
}
inline audit::Image with_package(audit::Image image, const std::string& name, const std::string& version_text) {
  image.packages.push_back({name, must(version::Version::parse(version_text))});
  return image;
}
inline audit::Image requiring(audit::Image image, const std::string& requirement) {
  image.requirements.emplace_back("NVIDIA_REQUIRE_CUDA", requirement);
  return image;
}
inline audit::Image requirement(const std::string& text) {
  audit::Image image;
  image.name = "requirement";
  image.source = "--require";
  return requiring(std::move(image), text);
}

inline audit::Judgement judge(const host::Machine& host, const audit::Image& image) {
  return audit::audit({host}, {image}, real_matrix()).at(0, 0);
}
inline audit::Judgement judge(const std::string& facts, const audit::Image& image) {
  return judge(machine(facts), image);
}
inline audit::Judgement judge(const std::string& facts, const std::string& pytorch) {
  return judge(facts, release(pytorch));
}

/// "minor-version"; checks that a report says the same of the pair without its words.
template <class Image>
std::string verdict(const std::string& facts, const Image& image) {
  return std::string(name(judge(facts, image).verdict));
}

/// The rules of all reasons, in their order.
inline std::vector<std::string> rules(const audit::Judgement& judgement) {
  std::vector<std::string> names;
  for (const auto& reason : judgement.reasons) names.push_back(reason.rule);
  return names;
}
inline std::vector<std::string> fixes(const audit::Judgement& judgement) {
  std::vector<std::string> texts;
  for (const auto& fix : judgement.fixes) texts.push_back(fix.text);
  return texts;
}
inline bool has_fix(const audit::Judgement& judgement, const std::string& text) {
  const auto all = fixes(judgement);
  return std::find(all.begin(), all.end(), text) != all.end();
}
inline std::vector<std::string> limited(const audit::Judgement& judgement) {
  std::vector<std::string> features;
  for (const auto& limitation : judgement.limitations) features.push_back(limitation.feature);
  return features;
}

/// NVIDIA_REQUIRE_CUDA of nvidia/cuda:12.8.1 and of 11.6, as they were found (facts g).
inline std::string official_requirement(const std::string& cuda, const std::vector<std::string>& brands,
                                        const std::vector<int>& branches) {
  std::string text = "cuda>=" + cuda;
  for (const auto& brand : brands)
    for (const int branch : branches)
      text += " brand=" + brand + ",driver>=" + std::to_string(branch) + ",driver<" + std::to_string(branch + 1);
  return text;
}
inline std::string requirement_of_cuda_12_8() {
  return official_requirement("12.8",
                              {"unknown", "grid", "tesla", "nvidia", "quadro", "quadrortx", "nvidiartx", "vapps",
                               "vpc", "vcs", "vws", "cloudgaming"},
                              {470, 535, 550, 560, 565});
}
inline std::string requirement_of_cuda_13_0() {
  return official_requirement("13.0",
                              {"unknown", "grid", "tesla", "nvidia", "quadro", "quadrortx", "nvidiartx", "vapps",
                               "vpc", "vcs", "vws", "cloudgaming"},
                              {535, 550, 565, 570, 575});
}

}  // namespace torchkiln
