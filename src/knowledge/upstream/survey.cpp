#include "knowledge/upstream/survey.hpp"

#include "foundation/base/text.hpp"
#include "knowledge/matrix/query.hpp"
#include "knowledge/matrix/requirement.hpp"
#include "knowledge/upstream/listing.hpp"
#include "knowledge/upstream/redistribution.hpp"
#include "knowledge/upstream/remote_wheel.hpp"
#include "knowledge/upstream/torch_wheel.hpp"

#include <algorithm>
#include <functional>
#include <set>

#include <fmt/format.h>

namespace torchkiln::upstream {

using base::ErrorCode;
using base::fail;
using base::Result;
using matrix::Architecture;
using version::Version;

namespace {

constexpr std::string_view k_companions[] = {"torchvision", "torchaudio"};

std::string joined(const std::string& folder, const std::string& name) {
  return folder + (folder.ends_with('/') ? "" : "/") + name + "/";
}

class Surveyor {
 public:
  Surveyor(const SurveyRequest& request, const matrix::Matrix& matrix, sys::HttpClient& http,
           base::Progress& progress)
      : m_request(request), m_matrix(matrix), m_http(http), m_progress(progress) {}

  Result<Survey> take() {
    TK_CHECK(read_lists());
    plan_default_index();
    plan_torch_index();
    for (const auto package : k_companions) plan_companion(std::string(package));
    TK_CHECK(open_wheels());
    TK_CHECK(metapackages());
    TK_CHECK(redistributions());
    return std::move(m_survey);
  }

 private:
  Result<void> read_lists();
  void plan_default_index();
  void plan_torch_index();
  void plan_companion(const std::string& package);
  Result<void> open_wheels();
  Result<void> metapackages();
  Result<void> redistributions();
  void add_toolkit(const Redistribution& redistribution);
  void add_nccl(const matrix::Nccl& known, const std::vector<WheelFamily>& families);

  Result<void> add_release(const WheelFamily& family, matrix::Grade grade, const std::string& day);
  void list_build(const WheelFamily& family, const std::string& index, const std::string& variant);
  Result<void> add_build(const WheelFamily& family, const RemoteWheel& wheel, const std::string& index);
  Result<void> add_companion(const std::string& package, const WheelFamily& family, const RemoteWheel& wheel);
  void pair_by_day(matrix::Companion& companion, Row& row, const WheelFamily& family);

  /// The torch releases that the survey is about begin with the oldest in the matrix, or, when it has none, with
  /// the newest of the index.
  Version first_release() const;
  bool is_asked_again(const Version& release) const {
    return std::any_of(m_request.again.begin(), m_request.again.end(),
                       [&](const version::SpecifierSet& set) { return set.contains(release); });
  }
  const matrix::Build* known_build(const Version& release, Architecture architecture, std::string_view index,
                                   std::string_view variant) const;
  matrix::Provenance measured(std::string_view source) const {
    matrix::Provenance from;
    from.source = source;
    from.grade = matrix::Grade::measured;
    from.date = m_request.date;
    return from;
  }
  void add_row(Row row, Extent extent) {
    row.extent = extent;
    m_survey.rows.push_back(std::move(row));
  }

  /// A wheel to open, and what its members are for.
  struct Plan {
    WheelQuestion question;
    std::function<Result<void>(const RemoteWheel&)> take;
  };

  const SurveyRequest& m_request;
  const matrix::Matrix& m_matrix;
  sys::HttpClient& m_http;
  base::Progress& m_progress;
  Survey m_survey;
  std::map<std::string, std::vector<WheelFamily>> m_projects;  ///< of the default index
  std::map<std::string, std::vector<WheelFamily>> m_variants;  ///< of PyTorch's own, by folder
  std::vector<Link> m_redistributions;
  std::vector<Plan> m_plans;
  std::vector<matrix::Build> m_builds;  ///< that were read
  std::vector<std::string> m_listed_releases;
};

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

/// All pages that are not asked for by what another page says, in one round.
Result<void> Surveyor::read_lists() {
  struct Page {
    std::string name;
    sys::Fetch fetch;
    std::function<Result<void>(const sys::FetchResult&)> take;
  };
  std::vector<Page> pages;
  const auto project = [](std::vector<WheelFamily>& families, const std::string& name) {
    return [&families, name](const sys::FetchResult& page) -> Result<void> {
      TK_TRY(const auto files, parse_project_page(page.body, page.url));
      families = families_of(linux_wheels(files, name));
      return {};
    };
  };
  std::vector<std::string> projects = {"torch"};
  projects.insert(projects.end(), std::begin(k_companions), std::end(k_companions));
  for (const auto& name : projects)
    pages.push_back({name,
                     {joined(m_request.index, name), std::nullopt, std::string(k_page_types)},
                     project(m_projects[name], name)});
  for (const auto& known : m_matrix.nccls) {
    const auto name = fmt::format("nvidia-nccl-cu{}", known.cuda_major);
    if (!known.compute.empty()) continue;
    pages.push_back({name,
                     {joined(m_request.index, name), std::nullopt, std::string(k_page_types)},
                     [this, &known, name](const sys::FetchResult& page) -> Result<void> {
                       TK_TRY(const auto files, parse_project_page(page.body, page.url));
                       add_nccl(known, families_of(linux_wheels(files, name)));
                       return {};
                     }});
  }
  if (!m_request.torch_index.empty()) {
    // Builds that upstream may have: those that somebody names for its index, and one for each CUDA release.
    std::set<std::string> variants;
    for (const auto& build : m_matrix.builds)
      if (build.index == "pytorch") variants.insert(build.variant);
    for (const auto& toolkit : m_matrix.toolkits) variants.insert(toolkit.cuda.build_name());
    for (const auto& variant : variants)
      pages.push_back({variant,
                       {joined(joined(m_request.torch_index, variant), "torch"), std::nullopt,
                        std::string(k_page_types), sys::Absence::is_an_answer},
                       project(m_variants[variant], "torch")});
  }
  for (const auto& folder : m_request.redist)
    pages.push_back({"redistributions",
                     {folder + (folder.ends_with('/') ? "" : "/")},
                     [this](const sys::FetchResult& page) -> Result<void> {
                       TK_TRY(auto links, parse_links(page.body, page.url));
                       m_redistributions.insert(m_redistributions.end(), links.begin(), links.end());
                       return {};
                     }});
  base::Step step(m_progress, "Reading", fmt::format("{} lists of upstream's", pages.size()));
  std::vector<sys::Fetch> fetches;
  for (const auto& page : pages) fetches.push_back(page.fetch);
  TK_TRY(const auto answers, m_http.fetch_all(fetches));
  std::size_t files = 0;
  for (std::size_t i = 0; i < pages.size(); ++i) {
    if (answers[i].status != 200) {
      m_variants.erase(pages[i].name);
      continue;
    }
    TK_CHECK(pages[i].take(answers[i]));
    ++files;
  }
  if (m_projects["torch"].empty())
    return fail(ErrorCode::input_invalid,
                base::without_credentials(m_request.index) + " lists no wheel of torch for Linux");
  step.end(fmt::format("{} there, {} torch wheel families for Linux", files, m_projects["torch"].size()));
  return {};
}

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

Result<void> Surveyor::add_release(const WheelFamily& family, matrix::Grade grade, const std::string& day) {
  const auto version = family.version.without_local().to_string();
  if (std::find(m_listed_releases.begin(), m_listed_releases.end(), version) != m_listed_releases.end()) return {};
  m_listed_releases.push_back(version);
  matrix::Release release;
  release.pytorch = family.version.without_local();
  release.released = day;
  release.from = measured(k_wheel_source);
  release.from.grade = grade;
  if (grade != matrix::Grade::measured)
    release.from.note = "The index does not say when; the day is the wheel's Last-Modified.";
  add_row(row_of(release), Extent::whole);
  return {};
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
  add_row(row_of(build), Extent::listing);
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
  add_row(row_of(build), Extent::whole);
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
      (void)add_release(family, matrix::Grade::measured, day.empty() && ours ? ours->released : day);
    } else {
      m_plans.push_back(
          {{family.representative().file, {}}, [this, &family](const RemoteWheel& wheel) -> Result<void> {
             if (!wheel.modified_s)
               return fail(ErrorCode::network_failed,
                           "nobody says when " + family.representative().file.name + " was uploaded",
                           {"an index with upload times (PEP 700) does"});
             return add_release(family, matrix::Grade::derived, base::format_time(*wheel.modified_s).substr(0, 10));
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

void Surveyor::plan_companion(const std::string& package) {
  std::optional<Version> first;
  for (const auto& known : m_matrix.companions)
    if (known.package == package && (!first || known.release < *first)) first = known.release;
  m_survey.scopes.push_back("companion " + package);
  const auto& families = m_projects.at(package);
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

Result<void> Surveyor::open_wheels() {
  if (m_plans.empty()) return {};
  if (m_plans.size() > k_survey_wheels_limit)
    return fail(ErrorCode::input_invalid,
                fmt::format("{} wheels would have to be opened, and {} are the most at a time", m_plans.size(),
                            k_survey_wheels_limit));
  base::Step step(m_progress, "Reading", fmt::format("{} new wheels by range", m_plans.size()));
  std::vector<WheelQuestion> questions;
  for (const auto& plan : m_plans) questions.push_back(plan.question);
  TK_TRY(const auto wheels, read_wheels(m_http, questions));
  std::uint64_t read_bytes = 0, total_bytes = 0;
  for (std::size_t i = 0; i < wheels.size(); ++i) {
    TK_CHECK(m_plans[i].take(wheels[i]));
    read_bytes += wheels[i].fetched_bytes;
    total_bytes += wheels[i].size_bytes;
  }
  step.end(fmt::format("{} of {}", base::format_bytes(read_bytes), base::format_bytes(total_bytes)));
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
    fetches.push_back({joined(m_request.index, entry.first.first), std::nullopt, std::string(k_page_types)});
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
    add_toolkit(redistribution);
  }
  return {};
}

void Surveyor::add_toolkit(const Redistribution& redistribution) {
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

}  // namespace

Result<Survey> take_survey(const SurveyRequest& request, const matrix::Matrix& matrix, sys::HttpClient& http,
                           base::Progress& progress) {
  return Surveyor(request, matrix, http, progress).take();
}

}  // namespace torchkiln::upstream
