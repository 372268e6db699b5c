#include "assembly/registry/authorization.hpp"

#include "assembly/registry/address.hpp"
#include "foundation/base/text.hpp"
#include "foundation/sys/environment.hpp"

#include <algorithm>

#include <fmt/format.h>

namespace torchkiln::registry {

using base::ErrorCode;
using base::fail;
using base::Result;

namespace {

/// What a token is good for where its server does not say (distribution, "Token Response Fields").
constexpr std::int64_t k_default_token_life_s = 60;
/// A token about to end may be over when it arrives.
constexpr std::int64_t k_token_margin_s = 5;
constexpr std::size_t k_token_limit_bytes = 64U << 10;
constexpr unsigned k_token_attempts = 3;

std::string percent_encoded(std::string_view text) {
  std::string encoded;
  for (const char c : text) {
    const bool plain =
        std::isalnum(static_cast<unsigned char>(c)) || std::string_view("-._~").find(c) != std::string_view::npos;
    encoded += plain ? std::string(1, c) : fmt::format("%{:02X}", static_cast<unsigned char>(c));
  }
  return encoded;
}

std::string basic(const Credential& credential) {
  return "Basic " + base::to_base64(credential.user + ":" + credential.password);
}

std::string joined(const Scope& scope) {
  return base::join(std::vector<std::string>(scope.begin(), scope.end()), " ");
}

}  // namespace

Scope pull_scope(const std::string& repository) {
  return {"repository:" + repository + ":pull"};
}

Scope push_scope(const std::string& repository) {
  return {"repository:" + repository + ":pull,push"};
}

Result<Token> parse_token(std::string_view bytes, const std::string& server) {
  TK_TRY(const auto document, parse_secrets(bytes, server + "'s answer"));
  Token token;
  TK_TRY(token.text, document.text_or_empty("token"));
  if (token.text.empty()) {
    TK_TRY(token.text, document.text_or_empty("access_token"));
  }
  // It becomes part of a header.
  const bool is_plain =
      std::all_of(token.text.begin(), token.text.end(), [](char c) { return c > ' ' && c < 0x7f; });
  if (token.text.empty() || token.text.size() > k_token_limit_bytes || !is_plain)
    return fail(ErrorCode::network_failed, server + " answered without a token");
  TK_TRY(const auto life, document.find("expires_in"));
  token.expires_in_s = k_default_token_life_s;
  if (life) {
    TK_TRY(const auto seconds, life->integer());
    token.expires_in_s = std::max<std::int64_t>(seconds, 0);
  }
  return token;
}

Result<std::string> Authorization::header(const Scope& scope, const std::string& repository) {
  const std::lock_guard guard(m_mutex);
  if (!m_challenge) return std::string();
  if (!m_has_looked) {
    TK_TRY(m_credential, m_credentials.find(m_host, repository));
    m_has_looked = true;
  }
  if (m_challenge->scheme == "basic") return m_credential ? basic(*m_credential) : std::string();
  if (const auto known = m_tokens.find(scope);
      known != m_tokens.end() && known->second.until_s > sys::monotonic_s())
    return "Bearer " + known->second.text;
  TK_TRY(const auto token, token_for(scope));
  return "Bearer " + token;
}

Result<bool> Authorization::refused(const sys::HttpAnswer& answer, const Scope& scope, const std::string& used) {
  const std::lock_guard guard(m_mutex);
  std::optional<Challenge> offered;
  // Every header's challenges; of the two schemes that we know, tokens come first.
  for (auto [at, end] = answer.headers.equal_range("www-authenticate"); at != end; ++at)
    for (auto& challenge : parse_challenges(at->second))
      if (challenge.scheme == "bearer" || (challenge.scheme == "basic" && !offered)) offered = std::move(challenge);
  if (!offered) return false;
  m_challenge = std::move(offered);
  // A password that was refused once is no better the second time.
  if (m_challenge->scheme == "basic") return used.empty() && (!m_has_looked || m_credential);
  const auto wanted = m_challenge->parameter("scope");
  for (const auto word : base::split(wanted, ' '))
    if (!word.empty() && !scope.empty() && !scope.contains(std::string(word)))
      m_also[scope].insert(std::string(word));
  const auto known = m_tokens.find(scope);
  // Another thread may have a newer one already.
  if (known != m_tokens.end() && used == "Bearer " + known->second.text) m_tokens.erase(known);
  return true;
}

Result<std::string> Authorization::token_for(const Scope& scope) {
  TK_TRY(const auto answer, ask_token_server(scope));
  const auto realm = shown_address(m_challenge->parameter("realm"));
  if (answer.status != 200) {
    const auto reason = told_reason(answer.body);
    base::Error error{ErrorCode::network_failed,
                      fmt::format("{} gives no token for {} (status {}{})", realm, m_host, answer.status,
                                  reason.empty() ? "" : ", " + reason),
                      std::nullopt,
                      {},
                      {}};
    if (answer.status == 401 || answer.status == 403)
      error.hints = {m_credential
                         ? "the credentials are refused: 'docker login " + m_host + "' stores new ones"
                         : "it asks who we are: 'docker login " + m_host + "' or 'podman login " + m_host + "'"};
    return fail(std::move(error));
  }
  TK_TRY(auto token, parse_token(answer.body, realm));
  const auto life_s = std::max<std::int64_t>(token.expires_in_s - k_token_margin_s, token.expires_in_s / 2);
  m_tokens[scope] = {token.text, sys::monotonic_s() + static_cast<double>(life_s)};
  return token.text;
}

Result<sys::HttpAnswer> Authorization::ask_token_server(const Scope& scope) const {
  const auto realm = m_challenge->parameter("realm");
  if (!realm.starts_with("https://") && !(realm.starts_with("http://") && m_origin.starts_with("http://")))
    return fail(ErrorCode::network_failed,
                m_host + " names " +
                    (realm.empty() ? "no token server" : "the token server " + shown_address(realm)) +
                    ", which no credentials are sent to",
                {"a registry that is reached by https has to name one that is, too"});
  auto scopes = scope;
  if (const auto also = m_also.find(scope); also != m_also.end())
    scopes.insert(also->second.begin(), also->second.end());
  const auto service = m_challenge->parameter("service");

  sys::HttpRequest request;
  request.authorities = m_authorities;
  if (m_credential && !m_credential->identity_token.empty()) {
    request.method = "POST";
    request.url = realm;
    request.headers = {{"Content-Type", "application/x-www-form-urlencoded"}};
    request.body = "grant_type=refresh_token&client_id=torchkiln&service=" + percent_encoded(service) +
                   "&scope=" + percent_encoded(joined(scopes)) +
                   "&refresh_token=" + percent_encoded(m_credential->identity_token);
  } else {
    request.url =
        realm + (realm.find('?') == std::string::npos ? "?" : "&") + "service=" + percent_encoded(service);
    for (const auto& one : scopes) request.url += "&scope=" + percent_encoded(one);
    if (m_credential) {
      request.url += "&account=" + percent_encoded(m_credential->user);
      request.headers = {{"Authorization", basic(*m_credential)}};
    }
  }
  for (unsigned attempt = 1;; ++attempt) {
    auto answer = m_http.exchange(request);
    const bool may_pass = answer ? sys::is_transient_status(answer->status)
                                 : answer.error().cause == sys::BrokenExchange::Cause::transient;
    if (!may_pass || attempt == k_token_attempts) {
      if (!answer) return fail(std::move(answer).error().error);
      return std::move(*answer);
    }
    TK_CHECK(m_http.pause(attempt, answer ? answer->retry_after_s() : 0));
  }
}

}  // namespace torchkiln::registry
