#include "foundation/base/text.hpp"
#include "knowledge/matrix/query.hpp"
#include "knowledge/upstream/surveyor.hpp"
#include "knowledge/upstream/torch_wheel.hpp"

#include <algorithm>
#include <set>

#include <fmt/format.h>

namespace torchkiln::upstream {

using base::ErrorCode;
using base::fail;
using base::Result;
using matrix::Architecture;
using version::Version;

/// The range of the packages that the index has, pre-releases aside.
void Surveyor::add_nccl(const matrix::Nccl& known, const std::vector<WheelFamily>& families) {
  if (families.empty()) return;
  matrix::Nccl packages;
  packages.cuda_major = known.cuda_major;
  packages.first = families.back().version;
  packages.last = families.front().version;
  packages.from = measured(known.from.source);
  add_row(row_of(packages), Extent::listing);
}

void Surveyor::plan_companion(const std::string& package) {
  const auto project = m_projects.find(package);
  if (project == m_projects.end()) {
    m_survey.open.push_back("the index has no " + package + ": its rows stay as they are");
    return;
  }
  const auto& families = project->second;
  m_survey.scopes.push_back("companion " + package);
  std::optional<Version> first;
  for (const auto& known : m_matrix.companions)
    if (known.package == package && (!first || known.release < *first)) first = known.release;
  for (const auto& family : families) {
    if (family.architecture != Architecture::x86_64 || !family.version.local().empty()) continue;
    if (family.version < first.value_or(families.front().version)) continue;
    if (family.wheels.empty()) {
      m_survey.yanked[fmt::format("companion {} {}", package, family.version.to_string())] =
          family.yanked.front().file.yanked.value_or("");
      continue;
    }
    const bool is_known =
        std::any_of(m_matrix.companions.begin(), m_matrix.companions.end(), [&](const matrix::Companion& known) {
          return known.package == package && known.release == family.version;
        });
    if (is_known && !is_asked_again(family.version)) {
      matrix::Companion listed;
      listed.package = package;
      listed.release = family.version;
      listed.python = family.python();
      listed.from = measured(k_wheel_source);
      add_row(row_of(listed), Extent::listing);
      continue;
    }
    m_plans.push_back(
        {{family.representative().file, {std::string(k_metadata_member)}},
         [this, package, &family](const RemoteWheel& wheel) { return add_companion(package, family, wheel); }});
  }
}

/// A companion that pins no torch release goes with the newest one of its day.
void Surveyor::pair_by_day(matrix::Companion& companion, Row& row, const WheelFamily& family) {
  const auto day = family.released();
  for (const auto& torch : m_projects.at("torch")) {
    if (torch.wheels.empty() || day.empty() || torch.released().empty() || torch.released() > day) continue;
    companion.pytorch = {torch.version};
    break;
  }
  row = row_of(companion);
  for (auto& field : row.fields)
    if (field.key == "pytorch") field.role = Role::assumed;
}

Result<void> Surveyor::add_companion(const std::string& package, const WheelFamily& family,
                                     const RemoteWheel& wheel) {
  TK_TRY(auto companion, companion_of(package, family, wheel));
  companion.from = measured(k_wheel_source);
  const bool serves_several = companion.python.empty();
  if (serves_several) {
    // One wheel for all: it is there for the Pythons of the torch wheels of its day.
    for (const auto& torch : m_projects.at("torch"))
      if (!torch.wheels.empty() && torch.released() <= family.released()) {
        companion.python = torch.python();
        break;
      }
    companion.from.note = "One wheel for several Pythons; those of torch's own wheels.";
  }
  auto row = row_of(companion);
  if (companion.pytorch.empty()) {
    companion.from.note += std::string(companion.from.note.empty() ? "" : " ") +
                           "Pins no torch release; paired with the one of its day.";
    pair_by_day(companion, row, family);
  }
  for (auto& field : row.fields)
    if (serves_several && field.key == "python") field.role = Role::assumed;
  if (companion.pytorch.empty() || companion.python.empty()) {
    m_survey.open.push_back(row.label + ": which torch release it goes with could not be found out");
    return {};
  }
  const bool is_taken = std::any_of(m_survey.rows.begin(), m_survey.rows.end(), [&](const Row& other) {
    const auto* pytorch = other.find("pytorch");
    return other.table == Table::companion && other.scope == row.scope && pytorch &&
           other.identity != row.identity && pytorch->value == row.find("pytorch")->value;
  });
  const auto* known = matrix::find_companion(m_matrix, package, companion.pytorch.front());
  if (is_taken || (known && known->release != companion.release)) {
    m_survey.open.push_back(fmt::format("{} is not added: PyTorch {} already has a {}", row.label,
                                        companion.pytorch.front().to_string(), package));
    return {};
  }
  add_row(std::move(row), Extent::whole);
  return {};
}

/// What the new builds' metapackages stand for, where the matrix does not know it.
Result<void> Surveyor::metapackages() {
  std::map<std::pair<std::string, Version>, std::set<std::string>> wanted;
  for (const auto& build : m_builds)
    for (const auto& text : build.requirements) {
      TK_TRY(const auto requirement, matrix::parse_requirement(text));
      const auto pinned = requirement.versions.lone_equal();
      if (requirement.extras.empty() || !pinned) continue;
      wanted[{requirement.name, *pinned}].insert(requirement.extras.begin(), requirement.extras.end());
    }
  for (const auto& known : m_matrix.metapackages) wanted.erase({known.package, known.release});
  if (wanted.empty()) return {};
  std::vector<sys::Fetch> fetches;
  for (const auto& entry : wanted)
    fetches.push_back({folder_url(m_request.index, entry.first.first), std::nullopt, std::string(k_page_types)});
  TK_TRY(const auto pages, m_http.fetch_all(fetches));
  std::vector<WheelQuestion> questions;
  std::size_t next = 0;
  for (const auto& entry : wanted) {
    TK_TRY(const auto files, parse_project_page(pages[next].body, pages[next].url));
    ++next;
    const auto wheels = linux_wheels(files, entry.first.first);
    const auto found = std::find_if(wheels.begin(), wheels.end(),
                                    [&](const LinuxWheel& wheel) { return wheel.version == entry.first.second; });
    if (found == wheels.end())
      return fail(ErrorCode::input_invalid, fmt::format("the index has no wheel of {} {}, which a build asks for",
                                                        entry.first.first, entry.first.second.to_string()));
    questions.push_back({found->file, {std::string(k_metadata_member)}});
  }
  TK_TRY(const auto wheels, read_wheels(m_http, questions));
  next = 0;
  for (const auto& entry : wanted) {
    const auto& [file, members] = questions[next];
    const auto metadata = wheels[next++].members.find(std::string(k_metadata_member));
    const std::vector<std::string> extras(entry.second.begin(), entry.second.end());
    TK_TRY(auto metapackage,
           metapackage_of(metadata == wheels[next - 1].members.end() ? "" : metadata->second, file.name, extras));
    metapackage.release = entry.first.second;  // as builds spell it: METADATA of cuda-toolkit 13.0.3 says 13.0.3.0
    metapackage.from = measured(k_wheel_source);
    add_row(row_of(metapackage), Extent::whole);
    m_metapackages.push_back(std::move(metapackage));
  }
  return {};
}

Result<void> Surveyor::redistributions() {
  std::vector<std::pair<std::string, std::string>> documents;  // release, url
  for (const auto& link : m_redistributions)
    if (std::string release; is_redistribution_name(link.name, release)) documents.emplace_back(release, link.url);
  if (documents.size() > k_survey_redistributions_limit)
    return fail(ErrorCode::input_invalid,
                fmt::format("{} lists of NVIDIA's would have to be read, and {} are the most", documents.size(),
                            k_survey_redistributions_limit));
  if (!m_request.redist.empty() && documents.empty())
    return fail(ErrorCode::input_invalid, "the folders given with --redist list no redistrib_*.json",
                {"name the folder itself: https://…/cuda/redist/"});
  std::vector<sys::Fetch> fetches;
  for (const auto& document : documents) fetches.push_back({document.second});
  TK_TRY(const auto answers, m_http.fetch_all(fetches));
  for (std::size_t i = 0; i < documents.size(); ++i) {
    const auto file = base::without_credentials(documents[i].second);
    TK_TRY(const auto redistribution, parse_redistribution(answers[i].body, file, documents[i].first));
    add_redistribution(redistribution);
  }
  return {};
}

void Surveyor::add_redistribution(const Redistribution& redistribution) {
  if (redistribution.product == "cudnn") {
    const auto* cudnn = redistribution.find("cudnn");
    const auto release = Version::parse(cudnn ? cudnn->version : redistribution.release);
    if (!release || !cudnn) return;
    for (const auto& variant : cudnn->variants) {
      const auto major = base::parse_integer(variant.starts_with("cuda") ? variant.substr(4) : "");
      const bool is_covered =
          std::any_of(m_matrix.cudnns.begin(), m_matrix.cudnns.end(), [&](const matrix::Cudnn& row) {
            return major && row.cuda_major == *major && row.first <= *release &&
                   (!row.last || *release <= *row.last);
          });
      if (major && !is_covered)
        m_survey.open.push_back(
            fmt::format("cuDNN {} for CUDA {} is in no row of cudnn: its GPUs are not in NVIDIA's list",
                        release->to_string(), *major));
    }
    return;
  }
  if (redistribution.product != "cuda") return;
  const auto cuda = version::CudaVersion::parse(redistribution.release);
  if (!cuda) return;
  const auto* component = redistribution.find("nvidia_driver");
  const auto driver =
      component ? version::DriverVersion::parse(component->version) : Result<version::DriverVersion>();
  if (!component || !driver) {
    // CUDA 13.1 and later bring no driver: NVIDIA's list does not say which one it was made with.
    const bool is_known = std::any_of(m_matrix.toolkits.begin(), m_matrix.toolkits.end(),
                                      [&](const matrix::Toolkit& row) { return row.cuda == *cuda; });
    if (!is_known)
      m_survey.open.push_back(fmt::format("CUDA {} is new and its list names no driver", cuda->to_string()));
    return;
  }
  matrix::Toolkit toolkit;
  toolkit.cuda = *cuda;
  toolkit.driver = *driver;
  toolkit.from = measured(k_redistribution_source);
  toolkit.from.grade = matrix::Grade::documented;
  add_row(row_of(toolkit), Extent::whole);
}

}  // namespace torchkiln::upstream
