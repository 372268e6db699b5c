#include "assembly/registry/registry.hpp"

#include "assembly/registry/address.hpp"
#include "foundation/base/text.hpp"
#include "foundation/sys/environment.hpp"
#include "foundation/sys/files.hpp"

#include <fmt/format.h>

namespace torchkiln::registry {

using base::ErrorCode;
using base::fail;
using base::Result;
namespace fs = std::filesystem;

namespace {

/// A token may be spent between two requests, and its successor on the way.
constexpr unsigned k_refusal_limit = 3;
constexpr std::uint64_t k_certificate_limit_bytes = 1U << 20;

/// Docker's own registry is not where its name says.
std::string api_host(const std::string& host) {
  return host == "docker.io" ? "registry-1.docker.io" : host;
}

Result<std::string> authorities_for(const std::string& host, const Access& access) {
  std::string pem;
  std::error_code error;
  for (const auto& folder : access.certificate_folders) {
    if (!fs::is_directory(folder / host, error)) continue;
    TK_TRY(const auto names, sys::list_directory(folder / host));
    for (const auto& name : names) {
      if (!name.ends_with(".crt")) continue;
      TK_TRY(const auto text, sys::read_file(folder / host / name, k_certificate_limit_bytes));
      pem += text + "\n";
    }
  }
  return pem;
}

/// What may be tried, in this order.
Result<std::vector<std::string>> base_addresses(const std::string& address, const std::string& host,
                                                const Access& access) {
  const bool may_be_plain = is_loopback(host) || access.plain_http.contains(host);
  if (address.find("://") != std::string::npos) {
    if (address.starts_with("https://") || may_be_plain) return std::vector{address};
    return fail(ErrorCode::usage, address + " is not reached by https", {"--plain-http " + host + " allows it"});
  }
  const auto secure = "https://" + api_host(host), plain = "http://" + api_host(host);
  if (access.plain_http.contains(host)) return std::vector{plain};
  if (is_loopback(host)) return std::vector{secure, plain};
  return std::vector{secure};
}

std::string host_of(const std::string& address) {
  const auto origin = origin_of(address);
  const auto scheme = origin.find("://");
  return scheme == std::string::npos ? origin : origin.substr(scheme + 3);
}

}  // namespace

std::vector<fs::path> Access::usual_certificate_folders() {
  return {sys::home_directory() / ".config/containers/certs.d", "/etc/containers/certs.d", "/etc/docker/certs.d"};
}

Registry::Registry(std::string host, std::string base, std::string authorities, const sys::HttpExchanger& http,
                   const Credentials& credentials)
    : m_host(std::move(host)), m_base(std::move(base)), m_authorities(std::move(authorities)), m_http(http) {
  m_authorization = std::make_unique<Authorization>(http, credentials, m_host, origin_of(m_base), m_authorities);
}

Result<std::unique_ptr<Registry>> Registry::connect(const std::string& address, const Access& access,
                                                    const sys::HttpExchanger& http,
                                                    const Credentials& credentials) {
  const auto host = host_of(address);
  TK_TRY(const auto bases, base_addresses(address, host, access));
  TK_TRY(const auto authorities, authorities_for(host, access));
  const Call ping{.address = "/v2/"};
  for (const auto& base : bases) {
    std::unique_ptr<Registry> registry(new Registry(
        host, base.ends_with('/') ? base.substr(0, base.size() - 1) : base, authorities, http, credentials));
    if (&base != &bases.back()) {
      // A registry without TLS, on this machine: the handshake fails, and nothing was said yet.
      const auto spoken = registry->ask_once(ping);
      if (!spoken && spoken.error().cause == sys::BrokenExchange::Cause::transient) continue;
    }
    auto answer = registry->ask(ping);
    if (!answer) {
      auto error = std::move(answer).error();
      // Where libcurl's certificates are the trouble, docker's place for them is another way out.
      if (!error.hints.empty() && error.hints.front().find("SSL_CERT_FILE") != std::string::npos)
        error.hints.push_back("or put it where docker looks, too: /etc/docker/certs.d/" + host + "/ca.crt");
      return fail(std::move(error));
    }
    // 401 without credentials may still be a registry whose public images anybody may pull.
    if (answer->status == 200 || answer->status == 401 || answer->status == 403) return registry;
    return fail(ErrorCode::network_failed, fmt::format("{} is no registry: it answered {} with status {}", host,
                                                       ping.address, answer->status));
  }
  TK_ASSERT(false, "there is an address to try");
}

sys::HttpExchange Registry::ask_once(const Call& call, const sys::BodyReceiver& receiver) const {
  sys::HttpRequest request{call.method, call.address.starts_with('/') ? m_base + call.address : call.address,
                           call.headers, call.body, m_authorities};
  // An upload may go on somewhere else, where nobody needs to know who we are.
  const bool is_ours = origin_of(request.url) == origin_of(m_base);
  for (unsigned refusals = 0;;) {
    request.headers = call.headers;
    std::string authorization;
    if (is_ours) {
      auto header = m_authorization->header(call.scope, call.repository);
      if (!header) return tl::unexpected(sys::BrokenExchange{std::move(header).error()});
      authorization = std::move(*header);
    }
    if (!authorization.empty()) request.headers.emplace_back("Authorization", authorization);
    auto answer = m_http.exchange(request, receiver);
    if (!answer || answer->status != 401 || !is_ours || ++refusals == k_refusal_limit) return answer;
    const auto again = m_authorization->refused(*answer, call.scope, authorization);
    if (!again) return tl::unexpected(sys::BrokenExchange{again.error()});
    if (!*again) return answer;
    // Without a scope nothing is asked for but whether this is a registry.
    if (call.scope.empty()) return answer;
  }
}

Result<sys::HttpAnswer> Registry::ask(const Call& call) const {
  for (unsigned attempt = 1;; ++attempt) {
    auto answer = ask_once(call);
    const bool may_pass = answer ? sys::is_transient_status(answer->status)
                                 : answer.error().cause == sys::BrokenExchange::Cause::transient;
    if (!may_pass || attempt == m_http.limits().attempts) {
      if (answer) return std::move(*answer);
      auto error = std::move(answer).error().error;
      if (attempt > 1) error.notes.push_back(fmt::format("tried {} times", attempt));
      return fail(std::move(error));
    }
    TK_CHECK(m_http.pause(attempt, answer ? answer->retry_after_s() : 0));
  }
}

base::Error Registry::refusal(const sys::HttpAnswer& answer, const std::string& doing) const {
  const auto reason = told_reason(answer.body);
  base::Error error{ErrorCode::network_failed,
                    fmt::format("cannot {}: {} answered with status {}{}", doing, m_host, answer.status,
                                reason.empty() ? "" : ", " + reason),
                    std::nullopt,
                    {},
                    {}};
  if (answer.status == 401 && !m_authorization->has_credential())
    error.hints = {"it asks who we are: 'docker login " + m_host + "' or 'podman login " + m_host + "'"};
  else if (answer.status == 401 || answer.status == 403)
    error.hints = {"it knows us and does not allow this, or the password is old: 'docker login " + m_host + "'"};
  return error;
}

Result<std::string> Registry::location(const sys::HttpAnswer& answer) const {
  const auto given = answer.header("location");
  const auto address = given.empty() ? std::nullopt : sys::absolute_url(answer.url, given);
  if (!address) return fail(ErrorCode::network_failed, m_host + " does not say where an upload goes");
  if (m_base.starts_with("https://") && !address->starts_with("https://"))
    return fail(ErrorCode::network_failed,
                m_host + " sends an upload to " + shown_address(*address) + ", without TLS",
                {"its proxy has to tell it that it is reached by https (X-Forwarded-Proto)"});
  return *address;
}

}  // namespace torchkiln::registry
