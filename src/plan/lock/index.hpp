#pragma once
// Where Python packages and Debian packages come from: what this machine's pip, uv and apt are configured with, or
// what the user names. No address is built in.

#include "foundation/base/error.hpp"

#include <optional>
#include <string>
#include <vector>

namespace torchkiln::lock {

/// Addresses of Python package indexes. All empty: uv's own configuration and default decide.
struct PythonIndexes {
  std::string index;               ///< --index; else pip's index-url, unless uv is configured itself
  std::vector<std::string> extra;  ///< pip's extra-index-url
  std::string torch_index;         ///< --torch-index: PyTorch's own index, one folder a build below it
};

/// The variable that holds the address of PyTorch's own index, or of a mirror of it.
inline constexpr const char* k_torch_index_variable = "TORCHKILN_TORCH_INDEX";
/// PyTorch's own index: what the user wished, else TORCHKILN_TORCH_INDEX, without a slash at its end; empty when
/// nobody names one.
std::string torch_index(std::string wished);

/// Completes `wished` from pip's configuration: PIP_INDEX_URL, PIP_EXTRA_INDEX_URL, then pip.conf of
/// PIP_CONFIG_FILE or the user, then of the machine (pip documentation, "Configuration"). uv's own variables, and a
/// uv.toml that names an index, win, since uv reads those itself.
base::Result<PythonIndexes> python_indexes(PythonIndexes wished);

/// One line of an apt source list (sources.list(5)).
struct AptSource {
  std::string line;
};

/// The sources that hold `suite` (with -updates and -security): from `mirrors` where given, each an address or a
/// whole "deb …" line, else from this machine's apt configuration. Of Ubuntu also what is in "universe".
base::Result<std::vector<AptSource>> apt_sources(const std::string& suite, const std::vector<std::string>& mirrors,
                                                 const std::string& distribution = "debian");

}  // namespace torchkiln::lock
