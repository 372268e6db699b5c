#pragma once
// HTTP, the only place that knows libcurl: small fetches (whole or by byte range) and large downloads that are
// resumed when cut and checked by SHA-256, many at once over one multi handle.

#include "foundation/base/digest.hpp"
#include "foundation/base/error.hpp"

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace torchkiln::sys {

/// Whether a client may use the network at all (--offline).
enum class NetworkAccess { allowed, forbidden };

/// Limits of one client. Times in seconds.
struct HttpLimits {
  NetworkAccess access = NetworkAccess::allowed;
  unsigned parallel = 8;   ///< transfers at once
  unsigned attempts = 5;   ///< per transfer, the first included
  double backoff_s = 0.5;  ///< before the second attempt; doubles, plus up to half of it at random
  double longest_retry_after_s = 60;
  long connect_timeout_s = 20;
  long stall_timeout_s = 30;                     ///< a transfer slower than 1 kB/s for this long is cut and resumed
  std::uint64_t body_limit_bytes = 64ULL << 20;  ///< of a fetch into memory
};

/// Whether an answer says that trying again may help: 408, 429, 500, 502, 503, 504.
bool is_transient_status(long status);
/// How long to wait after `attempts` attempts, in seconds: longer each time and never the same, or as long as the
/// server asked for (`retry_after_s`, 0 where it did not) within the limit.
double pause_s(const HttpLimits& limits, unsigned attempts, double retry_after_s);

/// Bytes [first, first + length) of a resource, or its last `length` bytes when `from_end`.
struct ByteRange {
  std::uint64_t first = 0;
  std::uint64_t length = 0;
  bool from_end = false;
};

/// Whether a resource that is not there (404, 410) is a failure or an answer like any other.
enum class Absence { fails, is_an_answer };

struct Fetch {
  std::string url;
  std::optional<ByteRange> range = std::nullopt;
  std::string accept = "";  ///< media types, as in the Accept header; empty: any
  Absence absence = Absence::fails;
};

struct FetchResult {
  long status = 0;  ///< 200, or 206 when the range was honoured; 404 and 410 where absence is an answer
  std::string body;
  /// Size of the whole resource where the server said it, in bytes.
  std::optional<std::uint64_t> total_bytes;
  std::string url = "";  ///< where the answer came from, after redirects
  /// Last-Modified, seconds since 1970; nothing where the server did not say.
  std::optional<std::int64_t> modified_s = std::nullopt;
};

/// The http or https address that `reference` (RFC 3986: absolute, relative or with a path from the root) means on
/// the page `base`; nothing when there is none.
std::optional<std::string> absolute_url(const std::string& base, const std::string& reference);

/// One file to have at `destination` with exactly this digest.
struct Download {
  std::string url;
  std::filesystem::path destination;
  base::Digest digest;
  std::optional<std::uint64_t> size_bytes = std::nullopt;  ///< checked where known
};

class HttpClient {
 public:
  HttpClient();
  explicit HttpClient(HttpLimits limits);
  virtual ~HttpClient();
  HttpClient(const HttpClient&) = delete;
  HttpClient& operator=(const HttpClient&) = delete;

  /// Fetches every resource; results in the order asked. The first failure ends all and is returned.
  /// Answers 401, 403, 404 and 410 are not retried; 408, 429, 500, 502, 503, 504, cut and stalled transfers are.
  virtual base::Result<std::vector<FetchResult>> fetch_all(std::span<const Fetch> fetches);
  base::Result<FetchResult> fetch(const Fetch& fetch);

  /// Downloads every file. A partial file from an earlier, interrupted call is resumed; bytes with another digest
  /// are thrown away (integrity_failed), never left at a destination. `on_done(i)` is called on the calling
  /// thread as soon as file i is in place; when it fails, everything stops. `on_bytes` gets the number of bytes
  /// that arrived over the network since the last call.
  virtual base::Result<void> download_all(std::span<const Download> downloads,
                                          const std::function<base::Result<void>(std::size_t)>& on_done,
                                          const std::function<void(std::uint64_t)>& on_bytes);

 private:
  HttpLimits m_limits;
};

}  // namespace torchkiln::sys
