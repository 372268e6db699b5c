#include "knowledge/upstream/surveyor.hpp"

#include <algorithm>
#include <set>
#include <tuple>

#include <fmt/format.h>

namespace torchkiln::upstream {

using base::Result;

namespace {

/// What makes the difference between builds: NVIDIA's libraries and Triton. Packages of Python alone are small.
bool counts(const std::string& package) {
  return package.starts_with("nvidia-") || package == "triton";
}

/// The wheel that an installer takes for the requirement: the newest, made for this very Python where there is one.
LinuxWheel* wheel_for(std::vector<LinuxWheel>& wheels, const matrix::WheelRequirement& requirement,
                      matrix::Architecture architecture, const std::string& python) {
  LinuxWheel* best = nullptr;
  const auto rank = [&](const LinuxWheel& wheel) {
    return std::tie(wheel.version, wheel.python, wheel.build);  // "" is a wheel for several Pythons
  };
  for (auto& wheel : wheels) {
    const auto& machines = wheel.architectures;
    if (wheel.file.yanked || !requirement.versions.contains(wheel.version) ||
        std::find(machines.begin(), machines.end(), architecture) == machines.end() ||
        (!wheel.python.empty() && wheel.python != python))
      continue;
    if (!best || rank(*best) < rank(wheel)) best = &wheel;
  }
  return best;
}

}  // namespace

void Surveyor::plan_download(const Row& row, const matrix::Build& build, const WheelFamily& family, Extent extent) {
  if (build.requirements.empty() || !build.wheel_bytes) return;
  m_downloads.push_back({row.identity,
                         row.label,
                         family.representative().python,
                         build.architecture,
                         *build.wheel_bytes,
                         build.requirements,
                         extent,
                         {}});
}

/// The requirements that count, what metapackages stand for in their place.
Result<std::vector<matrix::WheelRequirement>> Surveyor::parts_of(const Download& download) const {
  std::vector<matrix::WheelRequirement> parts;
  for (const auto& text : download.requirements) {
    TK_TRY(auto requirement, matrix::parse_requirement(text));
    if (!requirement.holds_on(download.python)) continue;
    if (counts(requirement.name)) parts.push_back(requirement);
    if (requirement.extras.empty()) continue;
    const auto pinned = requirement.versions.lone_equal();
    for (const auto* known : {&m_matrix.metapackages, &m_metapackages})
      for (const auto& row : *known) {
        if (row.package != requirement.name || pinned != row.release) continue;
        for (const auto& [extra, part] : row.extras) {
          const auto& wanted = requirement.extras;
          if (std::find(wanted.begin(), wanted.end(), extra) == wanted.end()) continue;
          TK_TRY(auto parsed, matrix::parse_requirement(part));
          parts.push_back(std::move(parsed));
        }
      }
  }
  return parts;
}

/// Every wheel of every part, by the part's name; an empty list where the index has no such project.
Result<std::map<std::string, std::vector<LinuxWheel>>> Surveyor::read_part_lists() {
  std::set<std::string> names;
  for (const auto& download : m_downloads) {
    for (const auto& part : download.parts) names.insert(part.name);
  }
  std::vector<sys::Fetch> fetches;
  for (const auto& name : names)
    fetches.push_back(
        {folder_url(m_request.index, name), std::nullopt, std::string(k_page_types), sys::Absence::is_an_answer});
  base::Step step(m_progress, "Reading", fmt::format("{} lists of what builds need", fetches.size()));
  TK_TRY(const auto answers, m_http.fetch_all(fetches));
  std::map<std::string, std::vector<LinuxWheel>> wheels;
  std::size_t next = 0;
  for (const auto& name : names) {
    const auto& answer = answers[next++];
    wheels[name] = {};
    if (answer.status != 200) continue;
    TK_TRY(const auto files, parse_project_page(answer.body, answer.url));
    wheels[name] = linux_wheels(files, name);
  }
  step.end(fmt::format("{} builds", m_downloads.size()));
  return wheels;
}

/// Asks the servers for the sizes of needed wheels that no page gave: HTML pages (PEP 503) give none. Only for
/// builds whose own wheel was read by range: lists alone must do for all others.
Result<void> Surveyor::learn_sizes(std::map<std::string, std::vector<LinuxWheel>>& wheels) {
  std::vector<LinuxWheel*> unknown;
  for (const auto& download : m_downloads) {
    if (download.extent != Extent::whole) continue;
    for (const auto& part : download.parts) {
      auto* wheel = wheel_for(wheels[part.name], part, download.architecture, download.python);
      if (wheel && !wheel->file.size_bytes && std::find(unknown.begin(), unknown.end(), wheel) == unknown.end())
        unknown.push_back(wheel);
    }
  }
  std::vector<sys::Fetch> fetches;
  for (const auto* wheel : unknown) fetches.push_back({wheel->file.url, sys::ByteRange{.first = 0, .length = 1}});
  TK_TRY(const auto answers, m_http.fetch_all(fetches));
  for (std::size_t i = 0; i < unknown.size(); ++i) unknown[i]->file.size_bytes = answers[i].total_bytes;
  return {};
}

/// What an installation of each planned build downloads: its wheel and the parts that count.
Result<void> Surveyor::downloads() {
  if (m_downloads.empty()) return {};
  for (auto& download : m_downloads) {
    TK_TRY(download.parts, parts_of(download));
  }
  TK_TRY(auto wheels, read_part_lists());
  TK_CHECK(learn_sizes(wheels));
  for (const auto& download : m_downloads) {
    std::uint64_t bytes = download.wheel_bytes;
    std::string missing;
    for (const auto& part : download.parts) {
      const auto* wheel = wheel_for(wheels[part.name], part, download.architecture, download.python);
      if (!wheel || !wheel->file.size_bytes)
        missing = part.name + part.versions.text();
      else
        bytes += *wheel->file.size_bytes;
    }
    if (!missing.empty()) {
      m_survey.open.push_back(fmt::format(
          "how much {} downloads is not known: the index does not say how large {} is", download.label, missing));
      continue;
    }
    const auto row = std::find_if(m_survey.rows.begin(), m_survey.rows.end(),
                                  [&](const Row& one) { return one.identity == download.identity; });
    TK_ASSERT(row != m_survey.rows.end(), "a download is that of a row");
    const auto after = std::find_if(row->fields.begin(), row->fields.end(),
                                    [](const Field& field) { return field.key == "wheel_bytes"; });
    TK_ASSERT(after != row->fields.end(), "the size of the wheel itself is known");
    row->fields.insert(after + 1, {"download_bytes", std::to_string(bytes)});
  }
  return {};
}

}  // namespace torchkiln::upstream
