#pragma once
// Requires-Dist lines as the matrix keeps them: for one kind of machine, so that of a marker (PEP 508) only its
// python_version is left. Pure.

#include "foundation/base/error.hpp"
#include "knowledge/matrix/matrix.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace torchkiln::upstream {

/// The most parentheses inside each other in a marker.
inline constexpr unsigned k_marker_depth = 32;

/// `line`, the value of a Requires-Dist, on Linux and CPython on `architecture` when `extra` is asked for (empty:
/// none), in the matrix's spelling: 'triton==3.4.0; python_version < "3.14"'. Nothing when it does not apply there.
/// input_invalid for what is no requirement, and for markers that cannot be told without knowing more of the
/// machine or that the matrix has no words for (two different python_version clauses).
base::Result<std::optional<std::string>> requirement_on_linux(std::string_view line,
                                                              matrix::Architecture architecture,
                                                              std::string_view extra = "");

}  // namespace torchkiln::upstream
