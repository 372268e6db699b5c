#include "assembly/registry/address.hpp"

#include "foundation/base/text.hpp"

#include <algorithm>

namespace torchkiln::registry {

std::string origin_of(std::string_view url) {
  const auto scheme = url.find("://");
  const auto begin = scheme == std::string_view::npos ? 0 : scheme + 3;
  auto origin = base::lower(url.substr(0, url.find_first_of("/?#", begin)));
  // The usual port may be left out.
  for (const std::string_view usual : {"https://:443", "http://:80"}) {
    const auto colon = usual.rfind(':');
    if (origin.starts_with(usual.substr(0, colon)) && origin.ends_with(usual.substr(colon)))
      origin.resize(origin.size() - (usual.size() - colon));
  }
  return origin;
}

bool is_loopback(std::string_view host) {
  if (host.starts_with("[::1]")) return true;
  const auto name = host.substr(0, host.find(':'));
  if (name == "localhost") return true;
  const auto is_number = [](char c) { return (c >= '0' && c <= '9') || c == '.'; };
  return name.starts_with("127.") && std::all_of(name.begin(), name.end(), is_number) &&
         std::count(name.begin(), name.end(), '.') == 3;
}

std::string shown_address(std::string_view url) {
  return base::without_credentials(url.substr(0, url.find('?')));
}

}  // namespace torchkiln::registry
