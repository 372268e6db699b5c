#include "foundation/sys/curl_easy.hpp"

#include "foundation/base/text.hpp"
#include "foundation/sys/environment.hpp"

#include <algorithm>

namespace torchkiln::sys {

namespace {
constexpr long k_redirect_limit = 10;
}

void set_common_options(CURL* easy, const std::string& url, const HttpLimits& limits, char* error_text) {
  error_text[0] = 0;
  curl_easy_setopt(easy, CURLOPT_URL, url.c_str());
  curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, error_text);
  curl_easy_setopt(easy, CURLOPT_USERAGENT, "torchkiln/" TORCHKILN_VERSION);
  curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 1L);
  curl_easy_setopt(easy, CURLOPT_MAXREDIRS, k_redirect_limit);
  // No redirect leads from an https address to an http one.
  curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(easy, CURLOPT_REDIR_PROTOCOLS_STR, url.starts_with("https://") ? "https" : "http,https");
  curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT, limits.connect_timeout_s);
  curl_easy_setopt(easy, CURLOPT_LOW_SPEED_LIMIT, 1000L);
  curl_easy_setopt(easy, CURLOPT_LOW_SPEED_TIME, limits.stall_timeout_s);
  curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, 256L << 10);
  for (const char* variable : {"SSL_CERT_FILE", "CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE"})
    if (const auto file = environment(variable)) {
      curl_easy_setopt(easy, CURLOPT_CAINFO, file->c_str());
      break;
    }
}

bool is_transient_code(CURLcode code) {
  switch (code) {
    case CURLE_COULDNT_CONNECT:
    case CURLE_PARTIAL_FILE:
    case CURLE_OPERATION_TIMEDOUT:
    case CURLE_GOT_NOTHING:
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
    case CURLE_HTTP2:
    case CURLE_HTTP2_STREAM:
    case CURLE_SSL_CONNECT_ERROR:
      return true;
    default:
      return false;
  }
}

base::Error transport_error(const std::string& url, std::string_view why, CURLcode code) {
  base::Error error;
  error.code = base::ErrorCode::network_failed;
  error.message = "cannot fetch " + base::without_credentials(url) + ": " + std::string(why);
  if (code == CURLE_PEER_FAILED_VERIFICATION || code == CURLE_SSL_CACERT_BADFILE)
    error.hints = {"if a private authority signed the certificate, name its file in SSL_CERT_FILE"};
  if (code == CURLE_UNSUPPORTED_PROTOCOL)
    error.hints = {"only http and https addresses, and no redirect from https to http"};
  return error;
}

double parse_retry_after_s(std::string_view value) {
  if (const auto seconds = base::parse_integer(value)) return std::max(0.0, static_cast<double>(*seconds));
  const auto date = curl_getdate(std::string(value).c_str(), nullptr);
  return date > 0 ? std::max(0.0, static_cast<double>(date - now_s())) : 0;
}

}  // namespace torchkiln::sys
