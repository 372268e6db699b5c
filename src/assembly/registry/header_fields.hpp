#pragma once
// What registries say in headers and in the bodies of refusals, read without trusting any of it.

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace torchkiln::registry {

/// One way to authenticate that a server offers (RFC 9110, 11.6.1): "Bearer realm="https://…",service="…"".
struct Challenge {
  std::string scheme;                             ///< in lower case
  std::map<std::string, std::string> parameters;  ///< names in lower case

  std::string parameter(const std::string& name) const;
};

/// The challenges of a WWW-Authenticate header; what cannot be read ends the list.
std::vector<Challenge> parse_challenges(std::string_view www_authenticate);

/// The target of the link with rel="next" (RFC 8288), absolute or relative.
std::optional<std::string> next_page(std::string_view link);

/// How many bytes an upload has, from "0-1023" or "bytes=0-1023". A registry says "0-0" of an empty one.
std::optional<std::uint64_t> received_bytes(std::string_view range);

/// Where a body begins, from "bytes 100-199/200" (RFC 9110, 14.4).
std::optional<std::uint64_t> first_byte(std::string_view content_range);

/// "denied: requested access to the resource is denied" out of an error body (distribution-spec, "Error Codes"), on
/// one line, printable and short; empty when the body is something else.
std::string told_reason(std::string_view body);

}  // namespace torchkiln::registry
