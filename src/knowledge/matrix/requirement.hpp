#pragma once
// The Requires-Dist lines that the matrix keeps: name, extras, versions, and the one marker that matters once
// platform and architecture are settled, python_version.

#include "knowledge/version/pep440.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace torchkiln::matrix {

struct WheelRequirement {
  std::string name;
  std::vector<std::string> extras;
  version::SpecifierSet versions;
  std::optional<version::SpecifierSet> python;  ///< of the marker python_version; absent: on every Python

  /// `python` is a tag such as "3.11" or "3.13t".
  bool holds_on(std::string_view python_tag) const;
};

/// "cuda-toolkit[cublas,nvrtc]==13.0.3" or 'triton==2.2.0; python_version < "3.12"'. input_invalid for any other
/// marker.
base::Result<WheelRequirement> parse_requirement(std::string_view text);

}  // namespace torchkiln::matrix
