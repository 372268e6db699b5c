#pragma once
// How one registry is convinced that we may: it answers 401 with a challenge, and gets Basic credentials, or a
// token that its token server gave us for them (distribution's "Token Authentication Specification" and its OAuth2
// form). Tokens are asked for once a scope, by whichever thread needs one first, and again when they are spent.

#include "assembly/registry/credentials.hpp"
#include "assembly/registry/header_fields.hpp"
#include "foundation/sys/http_exchange.hpp"

#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace torchkiln::registry {

/// What is to be done, in the words of a token server: "repository:team/pytorch:pull,push". Empty: only to be let
/// in.
using Scope = std::set<std::string>;
Scope pull_scope(const std::string& repository);
Scope push_scope(const std::string& repository);

/// What a token server answers.
struct Token {
  std::string text;
  std::int64_t expires_in_s = 0;
};
base::Result<Token> parse_token(std::string_view bytes, const std::string& server);

class Authorization {
 public:
  /// `origin` is the registry's own "https://host:port"; `authorities` as in HttpRequest.
  Authorization(const sys::HttpExchanger& http, const Credentials& credentials, std::string host,
                std::string origin, std::string authorities)
      : m_http(http),
        m_credentials(credentials),
        m_host(std::move(host)),
        m_origin(std::move(origin)),
        m_authorities(std::move(authorities)) {}

  /// The Authorization header for the scope; empty as long as nothing was asked of us.
  base::Result<std::string> header(const Scope& scope, const std::string& repository);
  /// The registry refused (401) what was sent with `used`. Whether header() gives something else now, so that it is
  /// worth asking again.
  base::Result<bool> refused(const sys::HttpAnswer& answer, const Scope& scope, const std::string& used);
  /// Whether there are credentials at all: what to try next depends on it.
  bool has_credential() const { return m_credential.has_value(); }

 private:
  struct Cached {
    std::string text;
    double until_s = 0;
  };
  base::Result<std::string> token_for(const Scope& scope);
  base::Result<sys::HttpAnswer> ask_token_server(const Scope& scope) const;

  const sys::HttpExchanger& m_http;
  const Credentials& m_credentials;
  std::string m_host, m_origin, m_authorities;

  std::mutex m_mutex;
  std::optional<Challenge> m_challenge;
  bool m_has_looked = false;  ///< for the credential, whether or not there is one
  std::optional<Credential> m_credential;
  std::map<Scope, Scope> m_also;  ///< what a challenge asked for besides the scope itself
  std::map<Scope, Cached> m_tokens;
};

}  // namespace torchkiln::registry
