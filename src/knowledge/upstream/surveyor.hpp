#pragma once
// The survey in the making: what was listed, what is to be opened, what was read. Internal to the room.

#include "knowledge/matrix/requirement.hpp"
#include "knowledge/upstream/listing.hpp"
#include "knowledge/upstream/redistribution.hpp"
#include "knowledge/upstream/remote_wheel.hpp"
#include "knowledge/upstream/survey.hpp"

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace torchkiln::upstream {

/// The address of `name` below `folder`, with a slash at its end.
std::string folder_url(const std::string& folder, const std::string& name = "");

class Surveyor {
 public:
  Surveyor(const SurveyRequest& request, const matrix::Matrix& matrix, sys::HttpClient& http,
           base::Progress& progress)
      : m_request(request), m_matrix(matrix), m_http(http), m_progress(progress) {}

  base::Result<Survey> take() {
    TK_CHECK(read_lists());
    plan_default_index();
    plan_torch_index();
    for (const auto package : matrix::k_companions) plan_companion(std::string(package));
    TK_CHECK(open_wheels());
    TK_CHECK(metapackages());
    TK_CHECK(downloads());
    TK_CHECK(redistributions());
    return std::move(m_survey);
  }

 private:
  base::Result<void> read_lists();
  void plan_default_index();
  void plan_torch_index();
  void plan_companion(const std::string& package);
  base::Result<void> open_wheels();
  base::Result<void> metapackages();
  base::Result<void> downloads();
  base::Result<void> redistributions();
  void add_redistribution(const Redistribution& redistribution);
  void add_nccl(const matrix::Nccl& known, const std::vector<WheelFamily>& families);

  void add_release(const WheelFamily& family, matrix::Grade grade, const std::string& day);
  void list_build(const WheelFamily& family, const std::string& index, const std::string& variant);
  base::Result<void> add_build(const WheelFamily& family, const RemoteWheel& wheel, const std::string& index);
  base::Result<void> add_companion(const std::string& package, const WheelFamily& family, const RemoteWheel& wheel);
  void pair_by_day(matrix::Companion& companion, Row& row, const WheelFamily& family);

  /// The torch releases that the survey is about begin with the oldest in the matrix, or, when it has none, with
  /// the newest of the index.
  version::Version first_release() const;
  bool is_asked_again(const version::Version& release) const {
    return std::any_of(m_request.again.begin(), m_request.again.end(),
                       [&](const version::SpecifierSet& set) { return set.contains(release); });
  }
  const matrix::Build* known_build(const version::Version& release, matrix::Architecture architecture,
                                   std::string_view index, std::string_view variant) const;
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

  /// A build of which it is to be found out how much an installation downloads.
  struct Download {
    std::string identity;  ///< of the row
    std::string label;
    std::string python;  ///< of the wheel that stands for all
    matrix::Architecture architecture = matrix::Architecture::x86_64;
    std::uint64_t wheel_bytes = 0;
    std::vector<std::string> requirements;
    Extent extent = Extent::whole;                ///< whether the wheel itself was read
    std::vector<matrix::WheelRequirement> parts;  ///< parts_of(), once everything has been read
  };
  void plan_download(const Row& row, const matrix::Build& build, const WheelFamily& family, Extent extent);
  base::Result<std::vector<matrix::WheelRequirement>> parts_of(const Download& download) const;
  base::Result<std::map<std::string, std::vector<LinuxWheel>>> read_part_lists();
  base::Result<void> learn_sizes(std::map<std::string, std::vector<LinuxWheel>>& parts);

  /// A wheel to open, and what its members are for.
  struct Plan {
    WheelQuestion question;
    std::function<base::Result<void>(const RemoteWheel&)> take;
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
  std::vector<matrix::Build> m_builds;              ///< that were read
  std::vector<matrix::Metapackage> m_metapackages;  ///< that were read
  std::vector<Download> m_downloads;
  std::vector<std::string> m_listed_releases;
};

}  // namespace torchkiln::upstream
