#include "proof/sbom/purl.hpp"

#include "foundation/base/text.hpp"

#include <fmt/format.h>

namespace torchkiln::sbom {

std::string percent_encoded(std::string_view text) {
  std::string result;
  for (const char c : text) {
    const bool is_plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                          std::string_view(".-_~:").find(c) != std::string_view::npos;
    if (is_plain)
      result += c;
    else
      result += fmt::format("%{:02X}", static_cast<unsigned>(static_cast<unsigned char>(c)));
  }
  return result;
}

std::string deb_purl(std::string_view distribution, std::string_view distribution_version, std::string_view name,
                     std::string_view version, std::string_view architecture) {
  auto purl = fmt::format("pkg:deb/{}/{}@{}?arch={}", percent_encoded(distribution), percent_encoded(name),
                          percent_encoded(version), percent_encoded(architecture));
  if (!distribution_version.empty())
    purl += "&distro=" + percent_encoded(distribution) + "-" + percent_encoded(distribution_version);
  return purl;
}

std::string pypi_purl(std::string_view name, std::string_view version) {
  return "pkg:pypi/" + percent_encoded(name) + "@" + percent_encoded(version);
}

std::string generic_purl(std::string_view name, std::string_view version) {
  return "pkg:generic/" + percent_encoded(name) + "@" + percent_encoded(version);
}

std::string oci_purl(std::string_view repository, const base::Digest& digest) {
  const auto slash = repository.rfind('/');
  const auto name = slash == std::string_view::npos ? repository : repository.substr(slash + 1);
  auto purl = "pkg:oci/" + percent_encoded(base::lower(name)) + "@" + percent_encoded(digest.to_string());
  // As docker tells a host from a name's first part (distribution/reference, splitDockerDomain).
  const auto host = repository.substr(0, repository.find('/'));
  const bool has_host = slash != std::string_view::npos &&
                        (host.find_first_of(".:") != std::string_view::npos || host == "localhost");
  if (has_host) purl += "?repository_url=" + percent_encoded(repository);
  return purl;
}

}  // namespace torchkiln::sbom
