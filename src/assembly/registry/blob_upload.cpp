#include "assembly/registry/blob_upload.hpp"

#include "foundation/base/text.hpp"

#include <algorithm>

#include <fmt/format.h>

namespace torchkiln::registry {

using base::ErrorCode;
using base::fail;
using base::Result;

namespace {

const sys::HttpHeader k_octets{"Content-Type", "application/octet-stream"};

bool may_pass(const sys::HttpExchange& outcome) {
  return outcome ? sys::is_transient_status(outcome->status)
                 : outcome.error().cause == sys::BrokenExchange::Cause::transient;
}

std::string with_digest(const std::string& location, const base::Digest& digest) {
  return location + (location.find('?') == std::string::npos ? "?" : "&") + "digest=" + digest.to_string();
}

}  // namespace

Result<bool> BlobUpload::mount(const std::string& from) {
  auto call = m_make_call("POST", m_uploads + "?mount=" + m_blob.digest.to_string() + "&from=" + from);
  const auto also = pull_scope(from);
  call.scope.insert(also.begin(), also.end());
  const auto answer = m_registry.ask(call);
  // Whoever may not read there, or has a registry that cannot do it, uploads.
  if (!answer) return answer.error().code == ErrorCode::interrupted ? Result<bool>(fail(answer.error())) : false;
  if (answer->status == 201) return true;
  if (answer->status != 202) return false;
  // Not to be had there, but an upload has begun (distribution-spec, "Mounting a blob from another repository").
  TK_TRY(auto location, m_registry.location(*answer));
  take_start(*answer, std::move(location));
  return false;
}

void BlobUpload::take_start(const sys::HttpAnswer& answer, std::string location) {
  m_location = std::move(location);
  m_sent_bytes = 0;
  const auto least = base::parse_integer(answer.header("oci-chunk-min-length"));
  m_least_chunk_bytes =
      least && *least > 0 ? std::min<std::uint64_t>(static_cast<std::uint64_t>(*least), k_longest_chunk_bytes) : 0;
}

Result<void> BlobUpload::begin() {
  TK_TRY(const auto answer, m_registry.ask(m_make_call("POST", m_uploads)));
  if (answer.status != 202) return fail(m_registry.refusal(answer, "push to " + m_where));
  TK_TRY(auto location, m_registry.location(answer));
  take_start(answer, std::move(location));
  return {};
}

Result<void> BlobUpload::send() {
  for (unsigned lost = 0;;) {
    if (m_location.empty()) TK_CHECK(begin());
    TK_TRY(const auto end, m_blob.size_bytes <= k_chunk_bytes ? send_whole() : send_chunks());
    if (end == Step::complete) {
      tell(m_blob.size_bytes);
      return {};
    }
    m_location.clear();
    if (++lost == m_registry.http().limits().attempts)
      return fail(ErrorCode::network_failed,
                  fmt::format("cannot push to {}: {} lost the upload of {} {} times", m_where, m_registry.host(),
                              m_blob.digest.to_string(), lost));
    TK_CHECK(m_registry.http().pause(lost, m_retry_after_s));
  }
}

Result<BlobUpload::Step> BlobUpload::send_whole() {
  auto call = m_make_call("PUT", with_digest(m_location, m_blob.digest));
  call.headers = {k_octets};
  call.body = sys::FileBody{m_file, 0, m_blob.size_bytes};
  const auto outcome = m_registry.ask_once(call);
  if (!outcome && !may_pass(outcome)) return fail(failure(outcome));
  if (outcome && !may_pass(outcome)) return judge_end(*outcome);
  // Nobody knows how much of it arrived: once more, from the beginning.
  m_retry_after_s = outcome ? outcome->retry_after_s() : 0;
  if (++m_failures == m_registry.http().limits().attempts) return fail(failure(outcome));
  return Step::lost;
}

Result<BlobUpload::Step> BlobUpload::send_chunks() {
  const auto attempts = m_registry.http().limits().attempts;
  while (m_sent_bytes < m_blob.size_bytes) {
    const auto size_bytes =
        std::min(m_blob.size_bytes - m_sent_bytes, std::max(k_chunk_bytes, m_least_chunk_bytes));
    auto call = m_make_call("PATCH", m_location);
    call.headers = {k_octets, {"Content-Range", fmt::format("{}-{}", m_sent_bytes, m_sent_bytes + size_bytes - 1)}};
    call.body = sys::FileBody{m_file, m_sent_bytes, size_bytes};
    const auto outcome = m_registry.ask_once(call);
    if (outcome && outcome->status == 202) {
      TK_TRY(m_location, m_registry.location(*outcome));
      const auto told = received_bytes(outcome->header("range"));
      if (told && (*told > m_sent_bytes + size_bytes || *told <= m_sent_bytes)) return Step::lost;
      m_sent_bytes = told.value_or(m_sent_bytes + size_bytes);
      m_failures = 0;
      tell(m_sent_bytes);
      continue;
    }
    if (outcome && outcome->status == 404) return Step::lost;
    const bool is_elsewhere = outcome && outcome->status == 416;
    if (!is_elsewhere && !may_pass(outcome)) return fail(failure(outcome));
    if (++m_failures == attempts) return fail(failure(outcome));
    m_retry_after_s = outcome ? outcome->retry_after_s() : 0;
    if (!is_elsewhere) TK_CHECK(m_registry.http().pause(m_failures, m_retry_after_s));
    const auto before_bytes = m_sent_bytes;
    TK_TRY(const bool is_known, ask_status());
    if (!is_known || (is_elsewhere && m_sent_bytes == before_bytes)) return Step::lost;
  }
  return complete();
}

Result<bool> BlobUpload::ask_status() {
  TK_TRY(const auto answer, m_registry.ask(m_make_call("GET", m_location)));
  const auto received = received_bytes(answer.header("range"));
  if (answer.status != 204 || !received || *received > m_blob.size_bytes) return false;
  m_sent_bytes = *received;
  if (!answer.header("location").empty()) {
    TK_TRY(m_location, m_registry.location(answer));
  }
  return true;
}

Result<BlobUpload::Step> BlobUpload::complete() {
  TK_TRY(const auto answer, m_registry.ask(m_make_call("PUT", with_digest(m_location, m_blob.digest))));
  return judge_end(answer);
}

Result<BlobUpload::Step> BlobUpload::judge_end(const sys::HttpAnswer& answer) {
  // 404: it does not know the upload, perhaps because it is complete, and only the answer got lost.
  if (answer.status == 404 || answer.status == 416) return Step::lost;
  if (answer.status != 201 && answer.status != 204) {
    auto error = m_registry.refusal(answer, "push to " + m_where);
    if (answer.status == 400)
      error.notes.push_back(fmt::format("sent {} as {}", m_file.string(), m_blob.digest.to_string()));
    return fail(std::move(error));
  }
  const auto told = answer.header("docker-content-digest");
  if (!told.empty() && told.starts_with("sha256:") && told != m_blob.digest.to_string())
    return fail(
        base::Error{ErrorCode::integrity_failed,
                    "cannot push to " + m_where + ": " + m_registry.host() + " stored other bytes than were sent",
                    std::nullopt,
                    {"sent   " + m_blob.digest.to_string(), "stored " + told.substr(0, 100)},
                    {}});
  return Step::complete;
}

base::Error BlobUpload::failure(const sys::HttpExchange& outcome) const {
  auto error = outcome ? m_registry.refusal(*outcome, "push to " + m_where) : outcome.error().error;
  if (m_failures > 1) error.notes.push_back(fmt::format("tried {} times", m_failures));
  return error;
}

void BlobUpload::tell(std::uint64_t reached_bytes) {
  if (m_on_bytes && reached_bytes > m_told_bytes) m_on_bytes(reached_bytes - m_told_bytes);
  m_told_bytes = std::max(m_told_bytes, reached_bytes);
}

}  // namespace torchkiln::registry
