#pragma once
// Asks upstream: the configured Python index, PyTorch's own index and NVIDIA's lists, as far as addresses are
// given. Lists are read whole; of wheels only what the matrix does not know yet, and of each only a few members, by
// range.

#include "foundation/base/progress.hpp"
#include "foundation/sys/http.hpp"
#include "knowledge/upstream/comparison.hpp"

#include <string>
#include <vector>

namespace torchkiln::upstream {

/// The most wheels that one survey opens, so that a matrix that is nearly empty does not read all of history.
inline constexpr std::size_t k_survey_wheels_limit = 400;
/// The most documents of a list of NVIDIA's.
inline constexpr std::size_t k_survey_redistributions_limit = 500;

/// Ids in sources.toml of what a survey reads.
inline constexpr std::string_view k_wheel_source = "wheel";
inline constexpr std::string_view k_torch_index_source = "torch-index";
inline constexpr std::string_view k_redistribution_source = "redistrib";

struct SurveyRequest {
  std::string index;                ///< a Python index, ".../simple"
  std::string torch_index;          ///< PyTorch's own, one folder a build below it; may be empty
  std::vector<std::string> redist;  ///< NVIDIA's folders with redistrib_*.json
  /// PyTorch releases whose wheels are read again although the matrix knows them.
  std::vector<version::SpecifierSet> again;
  std::string date;  ///< today
};

/// Releases older than the oldest in the matrix are not looked for. Errors: network_failed for what does not answer
/// and for servers without byte ranges, input_invalid for pages and wheels that cannot be read.
base::Result<Survey> take_survey(const SurveyRequest& request, const matrix::Matrix& matrix, sys::HttpClient& http,
                                 base::Progress& progress);

}  // namespace torchkiln::upstream
