#include "foundation/sys/http.hpp"

#include "foundation/base/text.hpp"
#include "foundation/sys/environment.hpp"
#include "foundation/sys/files.hpp"
#include "foundation/sys/interrupt.hpp"

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <deque>
#include <fcntl.h>
#include <memory>
#include <random>
#include <sys/stat.h>
#include <unistd.h>

#include <curl/curl.h>
#include <fmt/format.h>

namespace torchkiln::sys {

using base::Error;
using base::ErrorCode;
using base::fail;
using base::Result;

namespace {

constexpr long k_redirect_limit = 10;

/// One transfer, over all its attempts. Subclasses say where the bytes go.
class Transfer {
 public:
  explicit Transfer(std::string url) : m_url(std::move(url)) {}
  virtual ~Transfer() {
    if (m_easy) curl_easy_cleanup(m_easy);
    curl_slist_free_all(m_headers);
  }
  Transfer(const Transfer&) = delete;
  Transfer& operator=(const Transfer&) = delete;

  /// Prepares an attempt; the handle is configured but for the range.
  virtual Result<void> prepare(CURL* easy) = 0;
  /// The answer's status line came: decide where the body goes. False refuses the body.
  virtual bool begin_body(long status) = 0;
  virtual bool take(std::span<const std::byte> bytes) = 0;
  /// The body is complete.
  virtual Result<void> complete(long status) = 0;
  /// An error that the sink itself had (disk full), which must not be retried.
  std::optional<Error> sink_error;

  const std::string& url() const { return m_url; }
  CURL* easy() const { return m_easy; }
  unsigned attempts = 0;
  double not_before_s = 0;
  double retry_after_s = 0;
  std::string content_range;

  Result<void> start(const HttpLimits& limits) {
    if (!m_easy) m_easy = curl_easy_init();
    curl_easy_reset(m_easy);
    m_body_began = false;
    content_range.clear();
    retry_after_s = 0;
    m_error_text[0] = 0;
    curl_easy_setopt(m_easy, CURLOPT_URL, m_url.c_str());
    curl_easy_setopt(m_easy, CURLOPT_PRIVATE, this);
    curl_easy_setopt(m_easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(m_easy, CURLOPT_ERRORBUFFER, m_error_text);
    curl_easy_setopt(m_easy, CURLOPT_USERAGENT, "torchkiln/" TORCHKILN_VERSION);
    curl_easy_setopt(m_easy, CURLOPT_FOLLOWLOCATION, 1L);
    curl_easy_setopt(m_easy, CURLOPT_MAXREDIRS, k_redirect_limit);
    // A redirect may go from http to https, never back.
    const bool secure = m_url.starts_with("https://");
    curl_easy_setopt(m_easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(m_easy, CURLOPT_REDIR_PROTOCOLS_STR, secure ? "https" : "http,https");
    curl_easy_setopt(m_easy, CURLOPT_CONNECTTIMEOUT, limits.connect_timeout_s);
    curl_easy_setopt(m_easy, CURLOPT_LOW_SPEED_LIMIT, 1000L);
    curl_easy_setopt(m_easy, CURLOPT_LOW_SPEED_TIME, limits.stall_timeout_s);
    curl_easy_setopt(m_easy, CURLOPT_BUFFERSIZE, 256L << 10);
    curl_easy_setopt(m_easy, CURLOPT_NETRC, static_cast<long>(CURL_NETRC_OPTIONAL));
    for (const char* variable : {"SSL_CERT_FILE", "CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE"})
      if (const auto file = environment(variable)) {
        curl_easy_setopt(m_easy, CURLOPT_CAINFO, file->c_str());
        break;
      }
    curl_easy_setopt(m_easy, CURLOPT_WRITEDATA, this);
    curl_easy_setopt(m_easy, CURLOPT_WRITEFUNCTION, &Transfer::on_write);
    curl_easy_setopt(m_easy, CURLOPT_HEADERDATA, this);
    curl_easy_setopt(m_easy, CURLOPT_HEADERFUNCTION, &Transfer::on_header);
    ++attempts;
    return prepare(m_easy);
  }

  long status() const {
    long code = 0;
    curl_easy_getinfo(m_easy, CURLINFO_RESPONSE_CODE, &code);
    return code;
  }
  std::string what_failed(CURLcode code) const { return m_error_text[0] ? m_error_text : curl_easy_strerror(code); }

 private:
  static std::size_t on_write(char* data, std::size_t size, std::size_t count, void* self_pointer) {
    auto& self = *static_cast<Transfer*>(self_pointer);
    const std::size_t length = size * count;
    if (!self.m_body_began) {
      self.m_body_began = true;
      self.m_body_wanted = self.begin_body(self.status());
    }
    if (self.sink_error) return CURL_WRITEFUNC_ERROR;
    if (!self.m_body_wanted) return length;  // the body of an error page
    return self.take(std::as_bytes(std::span(data, length))) ? length : CURL_WRITEFUNC_ERROR;
  }

  static std::size_t on_header(char* data, std::size_t size, std::size_t count, void* self_pointer) {
    auto& self = *static_cast<Transfer*>(self_pointer);
    const std::string_view line(data, size * count);
    const auto colon = line.find(':');
    if (line.starts_with("HTTP/")) self.content_range.clear();
    if (colon != std::string_view::npos) {
      const auto key = base::lower(line.substr(0, colon));
      const auto value = base::trim(line.substr(colon + 1));
      if (key == "content-range") self.content_range = value;
      if (key == "retry-after") {
        if (const auto seconds = base::parse_integer(value))
          self.retry_after_s = static_cast<double>(*seconds);
        else if (const auto date = curl_getdate(std::string(value).c_str(), nullptr); date > 0)
          self.retry_after_s = std::max<double>(0, static_cast<double>(date - now_s()));
      }
    }
    return line.size();
  }

  std::string m_url;
  CURL* m_easy = nullptr;
  curl_slist* m_headers = nullptr;
  char m_error_text[CURL_ERROR_SIZE] = {};
  bool m_body_began = false;
  bool m_body_wanted = false;
};

/// "bytes 10-19/1234" (RFC 9110, 14.4) as first, last and total.
struct ContentRange {
  std::uint64_t first = 0;
  std::optional<std::uint64_t> total;
};
std::optional<ContentRange> parse_content_range(std::string_view text) {
  if (!text.starts_with("bytes ")) return std::nullopt;
  text.remove_prefix(6);
  const auto dash = text.find('-'), slash = text.find('/');
  if (dash == std::string_view::npos || slash == std::string_view::npos || dash > slash) return std::nullopt;
  const auto first = base::parse_integer(text.substr(0, dash));
  if (!first || *first < 0) return std::nullopt;
  ContentRange range{static_cast<std::uint64_t>(*first), std::nullopt};
  if (const auto total = base::parse_integer(text.substr(slash + 1)); total && *total >= 0)
    range.total = static_cast<std::uint64_t>(*total);
  return range;
}

class MemoryTransfer final : public Transfer {
 public:
  MemoryTransfer(const Fetch& fetch, std::uint64_t limit_bytes)
      : Transfer(fetch.url), m_range(fetch.range), m_limit_bytes(limit_bytes) {}
  FetchResult result;

  Result<void> prepare(CURL* easy) override {
    result = {};
    if (m_range) {
      const auto text = m_range->from_end
                            ? fmt::format("-{}", m_range->length)
                            : fmt::format("{}-{}", m_range->first, m_range->first + m_range->length - 1);
      curl_easy_setopt(easy, CURLOPT_RANGE, text.c_str());
    } else {
      curl_easy_setopt(easy, CURLOPT_ACCEPT_ENCODING, "");
    }
    return {};
  }
  bool begin_body(long status) override { return status == 200 || status == 206; }
  bool take(std::span<const std::byte> bytes) override {
    // A server that ignores the range sends everything: stop once it is clear that it does.
    if (m_range && status() == 200) return false;
    if (result.body.size() + bytes.size() > m_limit_bytes) {
      sink_error =
          Error{ErrorCode::network_failed,
                base::without_credentials(url()) + " answered with more than " + base::format_bytes(m_limit_bytes),
                std::nullopt,
                {},
                {}};
      return false;
    }
    result.body.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    return true;
  }
  Result<void> complete(long status) override {
    result.status = status;
    if (const auto range = parse_content_range(content_range)) result.total_bytes = range->total;
    return {};
  }
  bool range_ignored() const { return m_range && status() == 200; }

 private:
  std::optional<ByteRange> m_range;
  std::uint64_t m_limit_bytes;
};

class FileTransfer final : public Transfer {
 public:
  FileTransfer(const Download& download, const std::function<void(std::uint64_t)>& on_bytes)
      : Transfer(download.url), m_download(download), m_on_bytes(on_bytes) {}

  Result<void> prepare(CURL* easy) override {
    const auto path = partial_path(m_download.destination);
    TK_CHECK(make_directories(path.parent_path()));
    TK_TRY(m_fd, open_file(path, O_RDWR | O_CREAT));
    const auto size = size_of_file(path).value_or(0);
    if (size != m_hashed_bytes || size == 0) TK_CHECK(rehash(path));
    if (m_download.size_bytes && m_hashed_bytes > *m_download.size_bytes) TK_CHECK(restart());
    if (m_hashed_bytes > 0) {
      m_range = fmt::format("{}-", m_hashed_bytes);
      curl_easy_setopt(easy, CURLOPT_RANGE, m_range.c_str());
    }
    return {};
  }

  bool begin_body(long status) override {
    if (status == 206) {
      const auto range = parse_content_range(content_range);
      if (range && range->first == m_hashed_bytes) return true;
      return false;
    }
    if (status != 200) return false;
    // The server ignored the range and sends everything: start again.
    if (m_hashed_bytes > 0)
      if (auto restarted = restart(); !restarted) {
        sink_error = std::move(restarted).error();
        return false;
      }
    return true;
  }

  bool take(std::span<const std::byte> bytes) override {
    if (m_download.size_bytes && m_hashed_bytes + bytes.size() > *m_download.size_bytes) {
      sink_error =
          integrity("is larger than the " + std::to_string(*m_download.size_bytes) + " bytes it should have");
      return false;
    }
    if (auto written = write_all(m_fd.get(), bytes, m_download.destination); !written) {
      sink_error = std::move(written).error();
      // A full disk must not stay full because of what could not be finished.
      if (sink_error->code == ErrorCode::disk_full) ::unlink(partial_path(m_download.destination).c_str());
      return false;
    }
    m_hasher.update(bytes);
    m_hashed_bytes += bytes.size();
    m_on_bytes(bytes.size());
    return true;
  }

  Result<void> complete(long) override {
    const auto path = partial_path(m_download.destination);
    if (m_download.size_bytes && m_hashed_bytes < *m_download.size_bytes)
      return fail(Error{ErrorCode::network_failed, "cut", std::nullopt, {}, {}});
    const auto digest = m_hasher.finish();
    m_hasher = base::Sha256();
    if (digest != m_download.digest) {
      ::unlink(path.c_str());
      m_fd.reset();
      m_hashed_bytes = 0;
      auto error = integrity("does not have the digest it should have");
      error.notes = {"want " + m_download.digest.to_string(), "got  " + digest.to_string()};
      error.hints = {
          "the bytes were thrown away; if the index really changed the file, run 'torchkiln lock --upgrade'"};
      return fail(std::move(error));
    }
    if (::fchmod(m_fd.get(), 0444) != 0 || ::fsync(m_fd.get()) != 0)
      return fail(file_error("write", m_download.destination, errno));
    TK_CHECK(move_file(path, m_download.destination));
    return sync_directory(m_download.destination.parent_path());
  }

  Result<void> restart() {
    if (::ftruncate(m_fd.get(), 0) != 0 || ::lseek(m_fd.get(), 0, SEEK_SET) < 0)
      return fail(file_error("write", m_download.destination, errno));
    m_hasher = base::Sha256();
    m_hashed_bytes = 0;
    return {};
  }

  bool started_from_partial() const { return m_resumed; }

 private:
  Error integrity(const std::string& what) const {
    return {ErrorCode::integrity_failed, base::without_credentials(url()) + " " + what, std::nullopt, {}, {}};
  }

  Result<void> rehash(const std::filesystem::path& path) {
    m_hasher = base::Sha256();
    m_hashed_bytes = 0;
    std::vector<std::byte> buffer(1U << 20);
    ::lseek(m_fd.get(), 0, SEEK_SET);
    for (;;) {
      const auto got = ::read(m_fd.get(), buffer.data(), buffer.size());
      if (got < 0) return fail(file_error("read", path, errno));
      if (got == 0) break;
      m_hasher.update(std::span(buffer).first(static_cast<std::size_t>(got)));
      m_hashed_bytes += static_cast<std::uint64_t>(got);
    }
    m_resumed = m_hashed_bytes > 0;
    return {};
  }

  const Download& m_download;
  const std::function<void(std::uint64_t)>& m_on_bytes;
  FileDescriptor m_fd;
  base::Sha256 m_hasher;
  std::uint64_t m_hashed_bytes = 0;
  bool m_resumed = false;
  std::string m_range;
};

bool is_transient_status(long status) {
  return status == 408 || status == 429 || status == 500 || status == 502 || status == 503 || status == 504;
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

Error transport_error(const Transfer& transfer, CURLcode code) {
  Error error;
  error.code = ErrorCode::network_failed;
  error.message = "cannot fetch " + base::without_credentials(transfer.url()) + ": " + transfer.what_failed(code);
  if (transfer.attempts > 1) error.notes.push_back("tried " + std::to_string(transfer.attempts) + " times");
  switch (code) {
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_COULDNT_CONNECT:
      error.hints = {
          "check the network and proxy, or name another index or mirror with --index or --mirror; with "
          "everything cached, --offline works without a network"};
      break;
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
      error.hints = {"if a private authority signed the certificate, name its file in SSL_CERT_FILE"};
      break;
    case CURLE_UNSUPPORTED_PROTOCOL:
      error.hints = {"only http and https addresses, and no redirect from https to http"};
      break;
    default:
      break;
  }
  return error;
}

Error status_error(const Transfer& transfer, long status) {
  Error error;
  error.code = ErrorCode::network_failed;
  error.message = fmt::format("{} answered with status {}", base::without_credentials(transfer.url()), status);
  if (transfer.attempts > 1) error.notes.push_back("tried " + std::to_string(transfer.attempts) + " times");
  if (status == 401 || status == 403)
    error.hints = {"give the index's user and password in ~/.netrc or in its configured address"};
  if (status == 404 || status == 410)
    error.hints = {"the file is gone from the index or mirror: 'torchkiln lock --upgrade' takes what is there now"};
  return error;
}

class MultiHandle {
 public:
  MultiHandle() : m_multi(curl_multi_init()) {}
  ~MultiHandle() { curl_multi_cleanup(m_multi); }
  MultiHandle(const MultiHandle&) = delete;
  MultiHandle& operator=(const MultiHandle&) = delete;
  CURLM* get() const { return m_multi; }

 private:
  CURLM* m_multi;
};

/// Runs all transfers to their end, at most limits.parallel at once.
Result<void> run_all(const HttpLimits& limits, std::span<const std::unique_ptr<Transfer>> transfers,
                     const std::function<Result<void>(std::size_t)>& on_done) {
  MultiHandle multi;
  std::deque<std::size_t> waiting;
  for (std::size_t i = 0; i < transfers.size(); ++i) waiting.push_back(i);
  std::vector<std::size_t> active;
  std::minstd_rand random(std::random_device{}());

  struct Cleanup {
    CURLM* multi;
    std::span<const std::unique_ptr<Transfer>> transfers;
    std::vector<std::size_t>& active;
    ~Cleanup() {
      for (const auto i : active) curl_multi_remove_handle(multi, transfers[i]->easy());
    }
  } cleanup{multi.get(), transfers, active};

  auto retry = [&](std::size_t i) {
    auto& transfer = *transfers[i];
    double delay = limits.backoff_s * std::pow(2.0, transfer.attempts - 1);
    delay += delay * 0.5 * std::uniform_real_distribution<double>(0, 1)(random);
    if (transfer.retry_after_s > 0) delay = std::min(transfer.retry_after_s, limits.longest_retry_after_s);
    transfer.not_before_s = monotonic_s() + delay;
    waiting.push_back(i);
  };

  while (!waiting.empty() || !active.empty()) {
    if (interrupted()) return interrupted_error();
    const double now = monotonic_s();
    for (std::size_t n = waiting.size(); n > 0 && active.size() < limits.parallel; --n) {
      const auto i = waiting.front();
      waiting.pop_front();
      if (transfers[i]->not_before_s > now) {
        waiting.push_back(i);
        continue;
      }
      TK_CHECK(transfers[i]->start(limits));
      curl_multi_add_handle(multi.get(), transfers[i]->easy());
      active.push_back(i);
    }
    int running = 0;
    curl_multi_perform(multi.get(), &running);
    int left = 0;
    while (const CURLMsg* message = curl_multi_info_read(multi.get(), &left)) {
      if (message->msg != CURLMSG_DONE) continue;
      const CURLcode code = message->data.result;
      const auto found = std::find_if(active.begin(), active.end(),
                                      [&](std::size_t i) { return transfers[i]->easy() == message->easy_handle; });
      TK_ASSERT(found != active.end(), "a finished transfer was started");
      const std::size_t i = *found;
      auto& transfer = *transfers[i];
      curl_multi_remove_handle(multi.get(), transfer.easy());
      active.erase(found);
      const bool may_retry = transfer.attempts < limits.attempts;
      if (transfer.sink_error) return fail(*transfer.sink_error);
      const auto* memory = dynamic_cast<const MemoryTransfer*>(&transfer);
      const bool range_ignored = memory && memory->range_ignored();
      if (code != CURLE_OK && !range_ignored) {
        if (is_transient_code(code) && may_retry) {
          retry(i);
          continue;
        }
        return fail(transport_error(transfer, code));
      }
      const long status = transfer.status();
      if (status == 416) {
        // What we have is not a beginning of what the server has: throw it away and start again.
        if (auto* file = dynamic_cast<FileTransfer*>(&transfer); file && may_retry) {
          TK_CHECK(file->restart());
          retry(i);
          continue;
        }
      }
      if (status != 200 && status != 206) {
        if (is_transient_status(status) && may_retry) {
          retry(i);
          continue;
        }
        return fail(status_error(transfer, status));
      }
      if (auto done = transfer.complete(status); !done) {
        const auto* file = dynamic_cast<const FileTransfer*>(&transfer);
        const bool stale_partial =
            done.error().code == ErrorCode::integrity_failed && file && file->started_from_partial();
        if ((done.error().code == ErrorCode::network_failed || stale_partial) && may_retry) {
          retry(i);
          continue;
        }
        if (done.error().code == ErrorCode::network_failed)
          return fail(transport_error(transfer, CURLE_PARTIAL_FILE));
        return fail(std::move(done).error());
      }
      TK_CHECK(on_done(i));
    }
    if (active.empty() && waiting.empty()) break;
    curl_waitfd wake = {interrupt_fd(), CURL_WAIT_POLLIN, 0};
    curl_multi_poll(multi.get(), interrupt_fd() >= 0 ? &wake : nullptr, interrupt_fd() >= 0 ? 1 : 0,
                    active.empty() ? 50 : 200, nullptr);
  }
  return {};
}

}  // namespace

std::filesystem::path partial_path(const std::filesystem::path& destination) {
  auto path = destination;
  path += ".part";
  return path;
}

HttpClient::HttpClient() : HttpClient(HttpLimits{}) {}
HttpClient::HttpClient(HttpLimits limits) : m_limits(limits) {
  curl_global_init(CURL_GLOBAL_DEFAULT);
}
HttpClient::~HttpClient() = default;

Result<std::vector<FetchResult>> HttpClient::fetch_all(std::span<const Fetch> fetches) {
  std::vector<std::unique_ptr<Transfer>> transfers;
  for (const auto& fetch : fetches)
    transfers.push_back(std::make_unique<MemoryTransfer>(fetch, m_limits.body_limit_bytes));
  TK_CHECK(run_all(m_limits, transfers, [](std::size_t) { return Result<void>(); }));
  std::vector<FetchResult> results;
  for (auto& transfer : transfers) results.push_back(std::move(static_cast<MemoryTransfer&>(*transfer).result));
  return results;
}

Result<FetchResult> HttpClient::fetch(const Fetch& fetch) {
  TK_TRY(auto results, fetch_all(std::span(&fetch, 1)));
  return std::move(results.front());
}

Result<void> HttpClient::download_all(std::span<const Download> downloads,
                                      const std::function<Result<void>(std::size_t)>& on_done,
                                      const std::function<void(std::uint64_t)>& on_bytes) {
  std::vector<std::unique_ptr<Transfer>> transfers;
  for (const auto& download : downloads) transfers.push_back(std::make_unique<FileTransfer>(download, on_bytes));
  return run_all(m_limits, transfers, on_done);
}

}  // namespace torchkiln::sys
