#include "foundation/base/text.hpp"
#include "knowledge/matrix/query.hpp"
#include "knowledge/upstream/surveyor.hpp"
#include "knowledge/upstream/torch_wheel.hpp"

#include <algorithm>

#include <fmt/format.h>

namespace torchkiln::upstream {

using base::ErrorCode;
using base::fail;
using base::Result;
using matrix::Architecture;
using version::Version;

Version Surveyor::first_release() const {
  const auto& torch = m_projects.at("torch");
  if (!m_matrix.releases.empty()) return m_matrix.releases.back().pytorch;
  return torch.empty() ? Version() : torch.front().version;
}

const matrix::Build* Surveyor::known_build(const Version& release, Architecture architecture,
                                           std::string_view index, std::string_view variant) const {
  for (const auto& build : m_matrix.builds)
    if (build.pytorch == release && build.architecture == architecture && build.index == index &&
        (variant.empty() || build.variant == variant))
      return &build;
  return nullptr;
}

void Surveyor::add_release(const WheelFamily& family, matrix::Grade grade, const std::string& day) {
  const auto version = family.version.without_local().to_string();
  if (std::find(m_listed_releases.begin(), m_listed_releases.end(), version) != m_listed_releases.end()) return;
  m_listed_releases.push_back(version);
  matrix::Release release;
  release.pytorch = family.version.without_local();
  release.released = day;
  release.from = measured(k_wheel_source);
  release.from.grade = grade;
  if (grade != matrix::Grade::measured)
    release.from.note = "The index does not say when; the day is the wheel's Last-Modified.";
  add_row(row_of(release), Extent::whole);
}

/// A row of what the list alone says about a build that the matrix knows.
void Surveyor::list_build(const WheelFamily& family, const std::string& index, const std::string& variant) {
  matrix::Build build;
  build.pytorch = family.version.without_local();
  build.architecture = family.architecture;
  build.index = index;
  build.variant = variant;
  build.python = family.python();
  build.wheel_bytes = family.representative().file.size_bytes;
  build.from = measured(index == "default" ? k_wheel_source : k_torch_index_source);
  auto row = row_of(build);
  const auto* known = known_build(build.pytorch, build.architecture, index, variant);
  if (known && !known->download_bytes) {
    build.requirements = known->requirements;
    plan_download(row, build, family, Extent::listing);
  }
  add_row(std::move(row), Extent::listing);
}

Result<void> Surveyor::add_build(const WheelFamily& family, const RemoteWheel& wheel, const std::string& index) {
  TK_TRY(auto build, torch_build(family, wheel, index));
  const auto note = build.from.note;
  build.from = measured(index == "default" ? k_wheel_source : k_torch_index_source);
  build.from.note = note;
  if (index != "default") {
    build.status = matrix::Status::unadvertised;
    build.from.note +=
        std::string(note.empty() ? "" : " ") + "Found on the index; what upstream calls it is not known.";
  }
  auto row = row_of(build);
  plan_download(row, build, family, Extent::whole);
  add_row(std::move(row), Extent::whole);
  m_builds.push_back(std::move(build));
  return {};
}

void Surveyor::plan_default_index() {
  const auto first = first_release();
  m_survey.scopes.emplace_back("release ");
  m_survey.scopes.emplace_back("build default");
  for (const auto& family : m_projects.at("torch")) {
    if (family.version < first || !family.version.local().empty()) continue;
    const auto& release = family.version;
    if (family.wheels.empty()) {
      const auto reason = family.yanked.front().file.yanked.value_or("");
      m_survey.yanked["release " + release.to_string()] = reason;
      m_survey.yanked[fmt::format("build {} default {}", release.to_string(), matrix::name(family.architecture))] =
          reason;
      continue;
    }
    const auto day = family.released();
    const bool is_known = matrix::find_release(m_matrix, release) != nullptr;
    if (!day.empty() || is_known) {
      // A plain list (PEP 503) has no days: a release that is there agrees with ours.
      const auto* ours = matrix::find_release(m_matrix, release);
      add_release(family, matrix::Grade::measured, day.empty() && ours ? ours->released : day);
    } else {
      m_plans.push_back(
          {{family.representative().file, {}}, [this, &family](const RemoteWheel& wheel) -> Result<void> {
             if (!wheel.modified_s)
               return fail(ErrorCode::network_failed,
                           "nobody says when " + family.representative().file.name + " was uploaded",
                           {"an index with upload times (PEP 700) does"});
             add_release(family, matrix::Grade::derived, base::format_time(*wheel.modified_s).substr(0, 10));
             return {};
           }});
    }
    if (known_build(release, family.architecture, "default", "") && !is_asked_again(release)) {
      list_build(family, "default", "");
      continue;
    }
    m_plans.push_back({{family.representative().file, torch_members()},
                       [this, &family](const RemoteWheel& wheel) { return add_build(family, wheel, "default"); }});
  }
}

void Surveyor::plan_torch_index() {
  const auto first = first_release();
  const auto& on_default = m_projects.at("torch");
  for (const auto& [variant, families] : m_variants) {
    m_survey.scopes.push_back("build pytorch " + variant);
    for (const auto& family : families) {
      const auto release = family.version.without_local();
      if (release < first || family.version.local() != variant) continue;
      const auto label =
          fmt::format("{}+{} pytorch {}", release.to_string(), variant, matrix::name(family.architecture));
      if (family.wheels.empty()) {
        m_survey.yanked["build " + label] = family.yanked.front().file.yanked.value_or("");
        continue;
      }
      const bool is_known = known_build(release, family.architecture, "pytorch", variant) != nullptr;
      // The default index's own build lies here too; one row is enough.
      if (!is_known && known_build(release, family.architecture, "default", variant)) continue;
      if (is_known && !is_asked_again(release)) {
        list_build(family, "pytorch", variant);
        continue;
      }
      const bool has_release = std::any_of(on_default.begin(), on_default.end(), [&](const WheelFamily& other) {
        return other.version == release && !other.wheels.empty();
      });
      if (!has_release && !matrix::find_release(m_matrix, release)) {
        m_survey.open.push_back(label + " is a build of a release that the default index does not have");
        continue;
      }
      m_plans.push_back(
          {{family.representative().file, torch_members()},
           [this, &family](const RemoteWheel& wheel) { return add_build(family, wheel, "pytorch"); }});
    }
  }
}

}  // namespace torchkiln::upstream
