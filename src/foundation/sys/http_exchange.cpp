#include "foundation/sys/http_exchange.hpp"

#include "foundation/base/text.hpp"
#include "foundation/sys/curl_easy.hpp"
#include "foundation/sys/environment.hpp"
#include "foundation/sys/files.hpp"
#include "foundation/sys/interrupt.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <memory>
#include <optional>
#include <poll.h>
#include <unistd.h>

namespace torchkiln::sys {

using base::Error;
using base::ErrorCode;
using base::Result;

namespace {

/// What one answer's headers may be together; registries send a few hundred bytes.
constexpr std::size_t k_headers_limit_bytes = 256U << 10;
/// Where Debian keeps the authorities that everybody trusts.
constexpr const char* k_system_authorities = "/etc/ssl/certs/ca-certificates.crt";

/// The body of a request on its way out.
class Outgoing {
 public:
  Result<void> open(const std::variant<std::string, FileBody>& body) {
    if (const auto* text = std::get_if<std::string>(&body)) {
      m_text = *text;
      m_size_bytes = text->size();
      return {};
    }
    const auto& part = std::get<FileBody>(body);
    TK_TRY(m_file, open_file(part.file, O_RDONLY));
    m_first = part.first;
    m_size_bytes = part.size_bytes;
    return {};
  }
  std::uint64_t size_bytes() const { return m_size_bytes; }

  static std::size_t on_read(char* buffer, std::size_t size, std::size_t count, void* self_pointer) {
    auto& self = *static_cast<Outgoing*>(self_pointer);
    const auto wanted =
        static_cast<std::size_t>(std::min<std::uint64_t>(size * count, self.m_size_bytes - self.m_at));
    if (!self.m_file) {
      std::memcpy(buffer, self.m_text.data() + self.m_at, wanted);
      self.m_at += wanted;
      return wanted;
    }
    const auto got = ::pread(self.m_file.get(), buffer, wanted, static_cast<off_t>(self.m_first + self.m_at));
    if (got < 0 || (got == 0 && wanted > 0)) return CURL_READFUNC_ABORT;
    self.m_at += static_cast<std::uint64_t>(got);
    return static_cast<std::size_t>(got);
  }
  /// A redirect, or a connection that was closed before it was used, begins the body again.
  static int on_seek(void* self_pointer, curl_off_t offset, int origin) {
    auto& self = *static_cast<Outgoing*>(self_pointer);
    if (origin != SEEK_SET || offset < 0 || static_cast<std::uint64_t>(offset) > self.m_size_bytes)
      return CURL_SEEKFUNC_FAIL;
    self.m_at = static_cast<std::uint64_t>(offset);
    return CURL_SEEKFUNC_OK;
  }

 private:
  std::string_view m_text;
  FileDescriptor m_file;
  std::uint64_t m_first = 0, m_size_bytes = 0, m_at = 0;
};

/// The answer on its way in.
struct Incoming {
  CURL* easy = nullptr;
  const BodyReceiver& receiver;
  std::uint64_t limit_bytes = 0;
  HttpAnswer answer = {};
  std::size_t headers_bytes = 0;
  std::optional<Error> refusal = std::nullopt;

  static std::size_t on_header(char* data, std::size_t size, std::size_t count, void* self_pointer) {
    auto& self = *static_cast<Incoming*>(self_pointer);
    const std::string_view line(data, size * count);
    if (line.starts_with("HTTP/")) {
      self.answer.headers.clear();
      self.headers_bytes = 0;
    }
    self.headers_bytes += line.size();
    if (self.headers_bytes > k_headers_limit_bytes) return 0;
    if (const auto colon = line.find(':'); colon != std::string_view::npos)
      self.answer.headers.emplace(base::lower(line.substr(0, colon)), base::trim(line.substr(colon + 1)));
    return line.size();
  }

  static std::size_t on_body(char* data, std::size_t size, std::size_t count, void* self_pointer) {
    auto& self = *static_cast<Incoming*>(self_pointer);
    const std::size_t length = size * count;
    curl_easy_getinfo(self.easy, CURLINFO_RESPONSE_CODE, &self.answer.status);
    if (self.receiver && (self.answer.status == 200 || self.answer.status == 206)) {
      auto taken = self.receiver(self.answer, std::as_bytes(std::span(data, length)));
      if (taken) return length;
      self.refusal = std::move(taken).error();
      return CURL_WRITEFUNC_ERROR;
    }
    if (self.answer.body.size() + length > self.limit_bytes) {
      self.refusal = Error{ErrorCode::network_failed,
                           "the server answered with more than " + base::format_bytes(self.limit_bytes),
                           std::nullopt,
                           {},
                           {}};
      return CURL_WRITEFUNC_ERROR;
    }
    self.answer.body.append(data, length);
    return length;
  }
};

int stop_when_interrupted(void*, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
  return interrupted() ? 1 : 0;
}

/// The usual authorities and `more`, as one text: libcurl takes either a file or a text.
std::string all_authorities(const std::string& more) {
  std::string usual = k_system_authorities;
  for (const char* variable : {"REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"})
    if (const auto file = environment(variable)) usual = *file;
  const auto text = read_file(usual);
  return (text ? *text + "\n" : std::string()) + more;
}

/// An address fit for messages: what is behind the "?" may be a signature that opens doors.
std::string shown(const std::string& url) {
  return base::without_credentials(url.substr(0, url.find('?')));
}

using HeaderList = std::unique_ptr<curl_slist, void (*)(curl_slist*)>;

HeaderList header_list(const HttpRequest& request) {
  curl_slist* list = nullptr;
  for (const auto& [name, value] : request.headers)
    list = curl_slist_append(list, (value.empty() ? name + ";" : name + ": " + value).c_str());
  return {list, curl_slist_free_all};
}

void set_method(CURL* easy, const std::string& method, Outgoing& outgoing) {
  if (method == "GET") {
    curl_easy_setopt(easy, CURLOPT_HTTPGET, 1L);
    return;
  }
  if (method == "HEAD") {
    curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
    return;
  }
  // A method of our own choice, so that redirects keep it.
  curl_easy_setopt(easy, CURLOPT_UPLOAD, 1L);
  curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, method.c_str());
  curl_easy_setopt(easy, CURLOPT_INFILESIZE_LARGE, static_cast<curl_off_t>(outgoing.size_bytes()));
  curl_easy_setopt(easy, CURLOPT_UPLOAD_BUFFERSIZE, 512L << 10);
  curl_easy_setopt(easy, CURLOPT_READFUNCTION, &Outgoing::on_read);
  curl_easy_setopt(easy, CURLOPT_READDATA, &outgoing);
  curl_easy_setopt(easy, CURLOPT_SEEKFUNCTION, &Outgoing::on_seek);
  curl_easy_setopt(easy, CURLOPT_SEEKDATA, &outgoing);
}

}  // namespace

std::string HttpAnswer::header(const std::string& name) const {
  const auto found = headers.find(name);
  return found == headers.end() ? std::string() : found->second;
}

double HttpAnswer::retry_after_s() const {
  return parse_retry_after_s(header("retry-after"));
}

/// A handle of libcurl's, borrowed for one exchange.
class HttpExchanger::Handle {
 public:
  explicit Handle(const HttpExchanger& owner) : m_owner(owner) {
    const std::lock_guard guard(owner.m_mutex);
    if (owner.m_idle.empty()) return;
    m_easy = owner.m_idle.back();
    owner.m_idle.pop_back();
  }
  ~Handle() {
    const std::lock_guard guard(m_owner.m_mutex);
    m_owner.m_idle.push_back(m_easy);
  }
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;
  CURL* get() {
    if (!m_easy) m_easy = curl_easy_init();
    TK_ASSERT(m_easy, "libcurl gives a handle");
    return m_easy;
  }

 private:
  const HttpExchanger& m_owner;
  CURL* m_easy = nullptr;
};

HttpExchanger::HttpExchanger(HttpLimits limits) : m_limits(limits) {
  curl_global_init(CURL_GLOBAL_DEFAULT);
}

HttpExchanger::~HttpExchanger() {
  for (auto* easy : m_idle) curl_easy_cleanup(easy);
}

HttpExchange HttpExchanger::exchange(const HttpRequest& request, const BodyReceiver& receiver) const {
  const auto broken = [](Error error, BrokenExchange::Cause cause) {
    return tl::unexpected(BrokenExchange{std::move(error), cause});
  };
  if (m_limits.access == NetworkAccess::forbidden)
    return broken({ErrorCode::network_failed,
                   "cannot fetch " + shown(request.url) + " without the network",
                   std::nullopt,
                   {},
                   {"--offline forbids it"}},
                  BrokenExchange::Cause::lasting);
  Outgoing outgoing;
  if (auto opened = outgoing.open(request.body); !opened)
    return broken(std::move(opened).error(), BrokenExchange::Cause::lasting);

  Handle handle(*this);
  CURL* const easy = handle.get();
  curl_easy_reset(easy);
  char error_text[CURL_ERROR_SIZE];
  set_common_options(easy, request.url, m_limits, error_text);
  const auto headers = header_list(request);
  curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers.get());
  set_method(easy, request.method, outgoing);
  if (!request.authorities.empty()) {
    const auto text = all_authorities(request.authorities);
    const curl_blob blob = {const_cast<char*>(text.data()), text.size(), CURL_BLOB_COPY};
    curl_easy_setopt(easy, CURLOPT_CAINFO_BLOB, &blob);
  }
  Incoming incoming{easy, receiver, m_limits.body_limit_bytes};
  curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, &Incoming::on_header);
  curl_easy_setopt(easy, CURLOPT_HEADERDATA, &incoming);
  curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, &Incoming::on_body);
  curl_easy_setopt(easy, CURLOPT_WRITEDATA, &incoming);
  curl_easy_setopt(easy, CURLOPT_XFERINFOFUNCTION, &stop_when_interrupted);
  curl_easy_setopt(easy, CURLOPT_NOPROGRESS, 0L);

  const CURLcode code = curl_easy_perform(easy);
  if (interrupted()) return broken(interrupted_error().value(), BrokenExchange::Cause::lasting);
  if (incoming.refusal) return broken(std::move(*incoming.refusal), BrokenExchange::Cause::receiver_failed);
  if (code != CURLE_OK) {
    const std::string why = error_text[0] ? error_text : curl_easy_strerror(code);
    return broken(transport_error(shown(request.url), why, code),
                  is_transient_code(code) ? BrokenExchange::Cause::transient : BrokenExchange::Cause::lasting);
  }
  curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &incoming.answer.status);
  const char* address = nullptr;
  curl_easy_getinfo(easy, CURLINFO_EFFECTIVE_URL, &address);
  incoming.answer.url = address ? address : request.url;
  return std::move(incoming.answer);
}

Result<void> HttpExchanger::pause(unsigned attempts, double retry_after_s) const {
  const double until_s = monotonic_s() + pause_s(m_limits, attempts, retry_after_s);
  for (double left_s; (left_s = until_s - monotonic_s()) > 0;) {
    if (interrupted()) return interrupted_error();
    pollfd wake = {interrupt_fd(), POLLIN, 0};  // a negative descriptor is ignored
    ::poll(&wake, 1, static_cast<int>(std::min(left_s, 1.0) * 1000) + 1);
  }
  return {};
}

}  // namespace torchkiln::sys
