#include "foundation/base/text.hpp"
#include "knowledge/upstream/surveyor.hpp"

#include <set>

#include <fmt/format.h>

namespace torchkiln::upstream {

using base::ErrorCode;
using base::fail;
using base::Result;

std::string folder_url(const std::string& folder, const std::string& name) {
  std::string url = folder;
  if (!url.ends_with('/')) url += '/';
  if (!name.empty()) url += name + "/";
  return url;
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
  const auto add_project = [&](const std::string& name, sys::Absence absence) {
    pages.push_back({name,
                     {folder_url(m_request.index, name), std::nullopt, std::string(k_page_types), absence},
                     project(m_projects[name], name)});
  };
  add_project("torch", sys::Absence::fails);
  for (const auto companion : matrix::k_companions) add_project(std::string(companion), sys::Absence::is_an_answer);
  for (const auto& known : m_matrix.nccls) {
    const auto name = fmt::format("nvidia-nccl-cu{}", known.cuda_major);
    if (!known.compute.empty()) continue;
    pages.push_back({name,
                     {folder_url(m_request.index, name), std::nullopt, std::string(k_page_types)},
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
                       {folder_url(folder_url(m_request.torch_index, variant), "torch"), std::nullopt,
                        std::string(k_page_types), sys::Absence::is_an_answer},
                       project(m_variants[variant], "torch")});
  }
  for (const auto& folder : m_request.redist)
    pages.push_back({"redistributions", {folder_url(folder)}, [this](const sys::FetchResult& page) -> Result<void> {
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
      m_projects.erase(pages[i].name);
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

Result<Survey> take_survey(const SurveyRequest& request, const matrix::Matrix& matrix, sys::HttpClient& http,
                           base::Progress& progress) {
  return Surveyor(request, matrix, http, progress).take();
}

}  // namespace torchkiln::upstream
