#include "foundation/sys/http.hpp"

#include "foundation/base/text.hpp"
#include "foundation/sys/curl_easy.hpp"
#include "foundation/sys/environment.hpp"
#include "foundation/sys/files.hpp"
#include "foundation/sys/interrupt.hpp"
#include "foundation/sys/partial_file.hpp"

#include <algorithm>
#include <cmath>
#include <deque>
#include <memory>
#include <random>

#include <curl/curl.h>
#include <fmt/format.h>

namespace torchkiln::sys {

using base::Error;
using base::ErrorCode;
using base::fail;
using base::Result;

namespace {

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
  /// The answer's headers came: what to do with the body.
  enum class Body { wanted, ignored, refused };
  virtual Body begin_body(long status) = 0;
  virtual bool take(std::span<const std::byte> bytes) = 0;
  /// The body is complete.
  virtual Result<void> complete(long status) = 0;
  /// An error that the sink itself had (disk full), which must not be retried.
  std::optional<Error> sink_error;

  /// Media types to ask for.
  void accept(const std::string& media_types) {
    if (!media_types.empty()) m_headers = curl_slist_append(m_headers, ("Accept: " + media_types).c_str());
  }
  /// Whether an answer that the resource is not there completes the transfer.
  virtual bool takes_absence() const { return false; }

  const std::string& url() const { return m_url; }
  CURL* easy() const { return m_easy; }
  unsigned attempts = 0;
  double not_before_s = 0;
  double retry_after_s = 0;
  std::string content_range;

  Result<void> start(const HttpLimits& limits) {
    if (!m_easy) m_easy = curl_easy_init();
    curl_easy_reset(m_easy);
    m_body.reset();
    content_range.clear();
    retry_after_s = 0;
    set_common_options(m_easy, m_url, limits, m_error_text);
    curl_easy_setopt(m_easy, CURLOPT_PRIVATE, this);
    curl_easy_setopt(m_easy, CURLOPT_NETRC, static_cast<long>(CURL_NETRC_OPTIONAL));
    if (m_headers) curl_easy_setopt(m_easy, CURLOPT_HTTPHEADER, m_headers);
    curl_easy_setopt(m_easy, CURLOPT_FILETIME, 1L);
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
  /// Whether the attempt ended because begin_body() refused what came; complete() knows why.
  bool refused_body() const { return m_body == Body::refused; }
  /// Whether the answer said how long it is, so that curl has checked that all of it came.
  bool stated_length() const {
    curl_off_t length = -1;
    curl_easy_getinfo(m_easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
    return length >= 0;
  }
  std::string what_failed(CURLcode code) const { return m_error_text[0] ? m_error_text : curl_easy_strerror(code); }

 private:
  static std::size_t on_write(char* data, std::size_t size, std::size_t count, void* self_pointer) {
    auto& self = *static_cast<Transfer*>(self_pointer);
    const std::size_t length = size * count;
    if (!self.m_body) self.m_body = self.begin_body(self.status());
    if (self.sink_error || self.m_body == Body::refused) return CURL_WRITEFUNC_ERROR;
    if (self.m_body == Body::ignored) return length;  // the body of an error page
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
      if (key == "retry-after") self.retry_after_s = parse_retry_after_s(value);
    }
    return line.size();
  }

  std::string m_url;
  CURL* m_easy = nullptr;
  curl_slist* m_headers = nullptr;
  char m_error_text[CURL_ERROR_SIZE] = {};
  std::optional<Body> m_body;
};

/// "bytes 10-19/1234" (RFC 9110, 14.4).
struct ContentRange {
  std::uint64_t first = 0, last = 0;
  std::optional<std::uint64_t> total;
};
std::optional<ContentRange> parse_content_range(std::string_view text) {
  if (!text.starts_with("bytes ")) return std::nullopt;
  text.remove_prefix(6);
  const auto dash = text.find('-'), slash = text.find('/');
  if (dash == std::string_view::npos || slash == std::string_view::npos || dash > slash) return std::nullopt;
  const auto first = base::parse_integer(text.substr(0, dash)),
             last = base::parse_integer(text.substr(dash + 1, slash - dash - 1));
  if (!first || !last || *first < 0 || *last < *first) return std::nullopt;
  ContentRange range{static_cast<std::uint64_t>(*first), static_cast<std::uint64_t>(*last), std::nullopt};
  if (const auto total = base::parse_integer(text.substr(slash + 1)); total && *total > *last)
    range.total = static_cast<std::uint64_t>(*total);
  return range;
}

class MemoryTransfer final : public Transfer {
 public:
  MemoryTransfer(const Fetch& fetch, std::uint64_t limit_bytes)
      : Transfer(fetch.url), m_range(fetch.range), m_absence(fetch.absence), m_limit_bytes(limit_bytes) {
    accept(fetch.accept);
  }
  FetchResult result;

  bool takes_absence() const override { return m_absence == Absence::is_an_answer; }

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
  Body begin_body(long status) override {
    // A server that ignores the range sends everything: nobody wants that.
    if (status == 200) return m_range ? Body::refused : Body::wanted;
    return status == 206 ? Body::wanted : Body::ignored;
  }
  bool take(std::span<const std::byte> bytes) override {
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
    const char* address = nullptr;
    curl_easy_getinfo(easy(), CURLINFO_EFFECTIVE_URL, &address);
    result.url = address ? address : url();
    curl_off_t modified = -1;
    curl_easy_getinfo(easy(), CURLINFO_FILETIME_T, &modified);
    if (modified >= 0) result.modified_s = modified;
    if (status != 206) return {};
    const auto range = parse_content_range(content_range);
    if (!range || !is_asked_for(*range))
      return fail(ErrorCode::network_failed, base::without_credentials(url()) +
                                                 " answered with another range of bytes "
                                                 "than it was asked for");
    result.total_bytes = range->total;
    return {};
  }

 private:
  bool is_asked_for(const ContentRange& range) const {
    if (!m_range || range.last - range.first + 1 != result.body.size()) return false;
    if (!m_range->from_end) return range.first == m_range->first && result.body.size() <= m_range->length;
    return range.total == range.last + 1 && result.body.size() == std::min(m_range->length, *range.total);
  }

  std::optional<ByteRange> m_range;
  Absence m_absence;
  std::uint64_t m_limit_bytes;
};

class FileTransfer final : public Transfer {
 public:
  FileTransfer(const Download& download, const std::function<void(std::uint64_t)>& on_bytes)
      : Transfer(download.url),
        m_on_bytes(on_bytes),
        m_expected{download.destination, download.digest, download.size_bytes, download.url},
        m_partial(m_expected) {}

  Result<void> prepare(CURL* easy) override {
    TK_CHECK(m_partial.open());
    if (m_is_range_useless) TK_CHECK(m_partial.restart());
    if (m_partial.is_resumed())
      curl_easy_setopt(easy, CURLOPT_RANGE, fmt::format("{}-", m_partial.size_bytes()).c_str());
    return {};
  }

  Body begin_body(long status) override {
    if (status == 206) {
      const auto range = parse_content_range(content_range);
      if (range && range->first == m_partial.size_bytes()) return Body::wanted;
      m_is_range_useless = true;
      return Body::refused;
    }
    if (status != 200) return Body::ignored;
    // The server ignored the range and sends everything: start again.
    if (m_partial.size_bytes() > 0)
      if (auto restarted = m_partial.restart(); !restarted) sink_error = std::move(restarted).error();
    return Body::wanted;
  }

  bool take(std::span<const std::byte> bytes) override {
    if (auto written = m_partial.write(bytes); !written) {
      sink_error = with_hint(std::move(written).error());
      return false;
    }
    m_on_bytes(bytes.size());
    return true;
  }

  /// Whether all bytes may be here already, so that the server has nothing to send (416).
  bool may_be_whole() const {
    return m_partial.is_resumed() &&
           m_partial.size_bytes() == m_expected.size_bytes.value_or(m_partial.size_bytes());
  }

  Result<void> complete(long) override {
    if (m_is_range_useless && refused_body()) return fail(ErrorCode::network_failed, "another range");
    if (m_partial.size_bytes() < m_expected.size_bytes.value_or(0) && !stated_length())
      return fail(ErrorCode::network_failed, "cut");
    if (auto finished = m_partial.finish(); !finished) return fail(with_hint(std::move(finished).error()));
    return {};
  }

  Result<void> restart() { return m_partial.restart(); }
  bool is_resumed() const { return m_partial.is_resumed(); }

 private:
  static Error with_hint(Error error) {
    if (error.code == ErrorCode::integrity_failed)
      error.hints = {
          "the bytes were thrown away; if the index really changed the file, run 'torchkiln lock --upgrade'"};
    return error;
  }

  const std::function<void(std::uint64_t)>& m_on_bytes;
  Expected m_expected;
  PartialFile m_partial;
  bool m_is_range_useless = false;  ///< the server answered with a range that nobody asked for
};

Error transfer_error(const Transfer& transfer, CURLcode code) {
  auto error = transport_error(transfer.url(), transfer.what_failed(code), code);
  if (transfer.attempts > 1) error.notes.push_back("tried " + std::to_string(transfer.attempts) + " times");
  if (code == CURLE_COULDNT_RESOLVE_HOST || code == CURLE_COULDNT_RESOLVE_PROXY || code == CURLE_COULDNT_CONNECT)
    error.hints = {
        "check the network and proxy, or name another index or mirror with --index or --mirror; with "
        "everything cached, --offline works without a network"};
  return error;
}

Error status_error(const Transfer& transfer, long status) {
  Error error;
  error.code = ErrorCode::network_failed;
  error.message = fmt::format("{} answered with status {}", base::without_credentials(transfer.url()), status);
  if (transfer.attempts > 1) error.notes.push_back("tried " + std::to_string(transfer.attempts) + " times");
  if (status == 401 || status == 403) error.hints = {"give the index's user and password in ~/.netrc"};
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
  if (limits.access == NetworkAccess::forbidden && !transfers.empty())
    return fail(ErrorCode::network_failed,
                "cannot fetch " + base::without_credentials(transfers[0]->url()) + " without the network",
                {"it is not in the cache; without --offline it would be fetched"});
  MultiHandle multi;
  std::deque<std::size_t> waiting;
  for (std::size_t i = 0; i < transfers.size(); ++i) waiting.push_back(i);
  std::vector<std::size_t> active;

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
    transfer.not_before_s = monotonic_s() + pause_s(limits, transfer.attempts, transfer.retry_after_s);
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
      if (code != CURLE_OK && !transfer.refused_body()) {
        if (is_transient_code(code) && may_retry) {
          retry(i);
          continue;
        }
        return fail(transfer_error(transfer, code));
      }
      const long status = transfer.status();
      auto* file = dynamic_cast<FileTransfer*>(&transfer);
      // The server has nothing after what we have: that is all of it, or not the beginning of what is there now.
      const bool may_be_whole = status == 416 && file && file->may_be_whole();
      if (status == 416 && file && !may_be_whole && may_retry) {
        TK_CHECK(file->restart());
        retry(i);
        continue;
      }
      const bool is_absent = (status == 404 || status == 410) && transfer.takes_absence();
      if (status != 200 && status != 206 && !may_be_whole && !is_absent) {
        if (is_transient_status(status) && may_retry) {
          retry(i);
          continue;
        }
        return fail(status_error(transfer, status));
      }
      if (auto done = transfer.complete(status); !done) {
        const bool stale_partial = done.error().code == ErrorCode::integrity_failed && file && file->is_resumed();
        if ((done.error().code == ErrorCode::network_failed || stale_partial) && may_retry) {
          retry(i);
          continue;
        }
        if (done.error().code == ErrorCode::network_failed && file)
          return fail(transfer_error(transfer, CURLE_PARTIAL_FILE));
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

bool is_transient_status(long status) {
  return status == 408 || status == 429 || status == 500 || status == 502 || status == 503 || status == 504;
}

double pause_s(const HttpLimits& limits, unsigned attempts, double retry_after_s) {
  if (retry_after_s > 0) return std::min(retry_after_s, limits.longest_retry_after_s);
  thread_local std::minstd_rand random(std::random_device{}());
  const double pause = limits.backoff_s * std::pow(2.0, attempts - 1);
  return pause + pause * 0.5 * std::uniform_real_distribution<double>(0, 1)(random);
}

std::optional<std::string> absolute_url(const std::string& base, const std::string& reference) {
  const std::unique_ptr<CURLU, void (*)(CURLU*)> url(curl_url(), curl_url_cleanup);
  if (!url || curl_url_set(url.get(), CURLUPART_URL, base.c_str(), 0) != CURLUE_OK ||
      curl_url_set(url.get(), CURLUPART_URL, reference.c_str(), 0) != CURLUE_OK)
    return std::nullopt;
  char* text = nullptr;
  if (curl_url_get(url.get(), CURLUPART_URL, &text, 0) != CURLUE_OK) return std::nullopt;
  const std::unique_ptr<char, void (*)(void*)> owned(text, curl_free);
  std::string result = text;
  if (!result.starts_with("http://") && !result.starts_with("https://")) return std::nullopt;
  return result;
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
