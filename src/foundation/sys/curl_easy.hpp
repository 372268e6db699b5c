#pragma once
// What all handles of libcurl's have in common, and how a failure is judged. Internal to the room.

#include "foundation/base/error.hpp"
#include "foundation/sys/http.hpp"

#include <string>
#include <string_view>

#include <curl/curl.h>

namespace torchkiln::sys {

/// Time-outs, redirects, certificate authorities. `error_text` has CURL_ERROR_SIZE bytes and lives as long as the
/// transfer.
void set_common_options(CURL* easy, const std::string& url, const HttpLimits& limits, char* error_text);

bool is_transient_code(CURLcode code);
/// "cannot fetch URL: why", with what to try where that is known.
base::Error transport_error(const std::string& url, std::string_view why, CURLcode code);

/// The seconds that a Retry-After header asks for, as a number or until a date (RFC 9110, 10.2.3); 0 for nonsense.
double parse_retry_after_s(std::string_view value);

}  // namespace torchkiln::sys
