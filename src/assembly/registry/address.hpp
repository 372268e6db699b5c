#pragma once
// Addresses of registries: which part of one says who is asked, and which part may be shown.

#include <string>
#include <string_view>

namespace torchkiln::registry {

/// "https://host:port", in lower case.
std::string origin_of(std::string_view url);
/// Whether a host ("localhost:5000", "127.0.0.1", "[::1]:5000") is this machine.
bool is_loopback(std::string_view host);
/// The address without user, password and what is behind the "?", fit for messages.
std::string shown_address(std::string_view url);

}  // namespace torchkiln::registry
