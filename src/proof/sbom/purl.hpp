#pragma once
// Package URLs (ECMA-427): the names by which scanners look packages up, in their canonical form.

#include "foundation/base/digest.hpp"

#include <string>
#include <string_view>

namespace torchkiln::sbom {

/// A component of a package URL: all but letters, digits, ".-_~" and ":" is percent-encoded (ECMA-427, "Character
/// encoding").
std::string percent_encoded(std::string_view text);

/// "pkg:deb/debian/libc6@2.36-9%2Bdeb12u10?arch=amd64&distro=debian-12". The distribution is os-release's ID.
std::string deb_purl(std::string_view distribution, std::string_view distribution_version, std::string_view name,
                     std::string_view version, std::string_view architecture);
/// "pkg:pypi/torch@2.8.0%2Bcu128". The name is normalised (PEP 503).
std::string pypi_purl(std::string_view name, std::string_view version);
/// "pkg:generic/cuda_nvcc@12.8.93", for what is in no package manager.
std::string generic_purl(std::string_view name, std::string_view version);
/// "pkg:oci/pytorch@sha256:…?repository_url=registry.example%2Fteam%2Fpytorch". `repository` is a path without tag,
/// whose first part may be a host; without a host there is no repository_url.
std::string oci_purl(std::string_view repository, const base::Digest& digest);

}  // namespace torchkiln::sbom
