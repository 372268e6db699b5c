#pragma once
// Pins Debian packages: apt resolves against an empty system, with its own signature checks, in a folder of ours.

#include "foundation/base/error.hpp"
#include "foundation/sys/http.hpp"
#include "plan/lock/index.hpp"
#include "plan/lock/lock.hpp"
#include "plan/lock/parts.hpp"
#include "plan/lock/python.hpp"

#include <filesystem>
#include <string>
#include <vector>

namespace torchkiln::lock {

struct DebianRequest {
  std::string architecture;  ///< Debian's name, "amd64"
  std::vector<AptSource> sources;
  std::vector<std::string> base_packages;                  ///< besides the essential ones
  std::vector<spec::Placed<std::string>> system_packages;  ///< of the spec, in the base too
  std::vector<std::string> build_packages;  ///< for the verifier's build root, besides those of the base
  std::vector<PartRequest> parts;           ///< each besides the base
  /// What is installed already: dpkg's file var/lib/dpkg/status. Then only what is new is pinned.
  std::string installed = {};
  sys::NetworkAccess network = sys::NetworkAccess::allowed;
  std::filesystem::path state;  ///< apt's folder for lists, kept between calls
};

/// Every package that would be installed, sorted by name. A package that no source has: spec_invalid at its place.
base::Result<std::vector<LockedDeb>> pin_debian(const DebianRequest& request);

/// Reads one line of `apt-get --print-uris`: 'URI' FILE SIZE SHA256:HEX.
base::Result<LockedDeb> parse_print_uris_line(std::string_view line);

}  // namespace torchkiln::lock
