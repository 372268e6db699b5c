#pragma once
// What an image's package managers noted of what they installed: METADATA of wheels, and dpkg's status. Both may
// come from anybody's image, so nothing in them is an error: what is not understood is left out.

#include "proof/verify/image_tree.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace torchkiln::verify {

/// Of METADATA (PyPA, "Core metadata specifications").
struct WheelMetadata {
  std::string name;  ///< normalised (PEP 503)
  std::string version;
  std::string license_expression;  ///< License-Expression
  std::string license;             ///< License: a name, or all of a licence
  std::vector<std::string>
      license_classifiers;  ///< what follows "License ::", sorted: "OSI Approved :: MIT License"
};
WheelMetadata read_wheel_metadata(std::string_view text);

/// An entry of /var/lib/dpkg/status or of a file in status.d (deb-control(5), dpkg-query(1)).
struct DebStatus {
  std::string name, version, architecture;
  auto operator<=>(const DebStatus&) const = default;
};
/// The packages that are installed, in the file's order. An entry without a Status is one: distroless images have
/// such in status.d.
std::vector<DebStatus> read_dpkg_status(std::string_view text);

/// The packages that dpkg says are in an image, by name; distroless images have a file of its own for each.
base::Result<std::vector<DebStatus>> installed_debs(const ImageTree& tree);

/// ID and VERSION_ID of os-release(5): "debian" and "12".
struct OsRelease {
  std::string id = "linux";
  std::string version_id;
};
OsRelease read_os_release(std::string_view text);

}  // namespace torchkiln::verify
