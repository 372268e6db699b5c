#pragma once
// One registry: which address and certificates it is reached with, who we are to it, and what is asked again when
// the connection or the server fails (distribution-spec v1.1).

#include "assembly/registry/authorization.hpp"
#include "assembly/registry/credentials.hpp"
#include "foundation/base/error.hpp"
#include "foundation/sys/http_exchange.hpp"

#include <filesystem>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace torchkiln::registry {

/// How registries are reached.
struct Access {
  sys::HttpLimits limits = {};
  std::set<std::string> plain_http = {};  ///< hosts that are asked without TLS; this machine's need not be named
  std::multimap<std::string, std::string> mirrors =
      {};  ///< host → "https://mirror.example", tried first, for pulls
  std::vector<std::filesystem::path> credential_files = Credentials::usual_files();
  /// Folders with a folder a host, whose *.crt files are authorities trusted for that host, as docker and podman
  /// have them.
  std::vector<std::filesystem::path> certificate_folders = usual_certificate_folders();

  static std::vector<std::filesystem::path> usual_certificate_folders();
};

/// A request to a registry.
struct Call {
  std::string method = "GET";
  std::string address;  ///< "/v2/…" of the registry, or a whole address that it gave us
  std::vector<sys::HttpHeader> headers = {};
  std::variant<std::string, sys::FileBody> body = {};
  std::string repository = {};
  Scope scope = {};
};

class Registry {
 public:
  /// Finds out how to speak to `address`, "HOST[:PORT]" or an "https://…" address, and what it asks of us. TLS
  /// always, but for this machine's registries that have none, and those in Access::plain_http. `http` and
  /// `credentials` have to outlive this.
  static base::Result<std::unique_ptr<Registry>> connect(const std::string& address, const Access& access,
                                                         const sys::HttpExchanger& http,
                                                         const Credentials& credentials);

  /// "HOST[:PORT]".
  const std::string& host() const { return m_host; }
  const sys::HttpExchanger& http() const { return m_http; }

  /// One exchange; asked who we are, we say it and ask again.
  sys::HttpExchange ask_once(const Call& call, const sys::BodyReceiver& receiver = {}) const;
  /// Asks until there is an answer that will not change: for what may be repeated.
  base::Result<sys::HttpAnswer> ask(const Call& call) const;

  /// An Error for an answer that nobody wanted. `doing` completes "cannot …".
  base::Error refusal(const sys::HttpAnswer& answer, const std::string& doing) const;
  /// The address that a Location header means; an Error when it leads from https to http, or nowhere.
  base::Result<std::string> location(const sys::HttpAnswer& answer) const;

 private:
  Registry(std::string host, std::string base, std::string authorities, const sys::HttpExchanger& http,
           const Credentials& credentials);

  std::string m_host, m_base, m_authorities;
  const sys::HttpExchanger& m_http;
  std::unique_ptr<Authorization> m_authorization;
};

}  // namespace torchkiln::registry
