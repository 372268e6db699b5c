#pragma once
// One HTTP request and its answer, for protocols that are more than files to fetch: any method, headers both ways,
// a body read from a file as it goes out, a body handed on as it comes in. Nothing is tried twice here: who speaks
// the protocol knows what may be repeated, and from where.

#include "foundation/base/error.hpp"
#include "foundation/sys/http.hpp"

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace torchkiln::sys {

/// Part of a file, sent as the body of a request without being held in memory.
struct FileBody {
  std::filesystem::path file;
  std::uint64_t first = 0;
  std::uint64_t size_bytes = 0;
};

/// A header's name and value; a list of them is sent in its order.
using HttpHeader = std::pair<std::string, std::string>;

struct HttpRequest {
  std::string method = "GET";
  std::string url;
  /// Authorization goes to the url's own scheme, host and port only, never along with a redirect to another.
  std::vector<HttpHeader> headers = {};
  std::variant<std::string, FileBody> body = {};
  std::string authorities = {};  ///< certificates in PEM that are trusted besides the usual ones
};

struct HttpAnswer {
  long status = 0;
  std::multimap<std::string, std::string> headers = {};  ///< names in lower case; of the last answer of a redirect
  std::string body = {};
  std::string url = {};  ///< where the answer came from, after redirects

  /// The first header of that name, which is in lower case; empty when there is none.
  std::string header(const std::string& name) const;
  /// What Retry-After asks for in seconds; 0 when it is not there.
  double retry_after_s() const;
};

/// Why there was no whole answer.
struct BrokenExchange {
  base::Error error;
  enum class Cause {
    transient,        ///< the connection failed or broke: trying again may help
    lasting,          ///< trying again will not help: another certificate, another protocol
    receiver_failed,  ///< the receiver refused the body; the error is its own
  } cause = Cause::lasting;
};
using HttpExchange = tl::expected<HttpAnswer, BrokenExchange>;

/// Called with each piece of a body whose status is 200 or 206; bodies of other answers are kept in
/// HttpAnswer::body. An Error ends the exchange.
using BodyReceiver = std::function<base::Result<void>(const HttpAnswer& answer, std::span<const std::byte> piece)>;

/// Exchanges from any number of threads; connections are kept and used again.
class HttpExchanger {
 public:
  explicit HttpExchanger(HttpLimits limits);
  ~HttpExchanger();
  HttpExchanger(const HttpExchanger&) = delete;
  HttpExchanger& operator=(const HttpExchanger&) = delete;

  const HttpLimits& limits() const { return m_limits; }

  /// Any status is an answer. Without `receiver`, a body larger than limits().body_limit_bytes is an error.
  HttpExchange exchange(const HttpRequest& request, const BodyReceiver& receiver = {}) const;
  /// Waits before another attempt; an Error when interrupted meanwhile.
  base::Result<void> pause(unsigned attempts, double retry_after_s) const;

 private:
  class Handle;
  HttpLimits m_limits;
  mutable std::mutex m_mutex;
  mutable std::vector<void*> m_idle;  ///< handles of libcurl's with their open connections
};

}  // namespace torchkiln::sys
