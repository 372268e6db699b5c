// Repository: one blob on its way here, by as many requests as it takes.

#include "assembly/registry/header_fields.hpp"
#include "assembly/registry/repository.hpp"
#include "foundation/sys/partial_file.hpp"

#include <fmt/format.h>

namespace torchkiln::registry {

using base::ErrorCode;
using base::fail;
using base::Result;

Result<void> Repository::pull_blob(const oci::Descriptor& blob, const std::filesystem::path& destination,
                                   const OnBytes& on_bytes) const {
  const auto name = to_string() + " " + blob.digest.to_string();
  const sys::Expected expected{destination, blob.digest, blob.size_bytes, name};
  sys::PartialFile partial(expected);
  TK_TRY(const bool is_ours, partial.open_alone());
  if (!is_ours) return {};

  const auto attempts = m_registry.http().limits().attempts;
  for (unsigned failures = 0; partial.size_bytes() < blob.size_bytes || blob.size_bytes == 0;) {
    const auto begin_bytes = partial.size_bytes();
    auto request = call("GET", "/blobs/" + blob.digest.to_string());
    if (begin_bytes > 0) request.headers = {{"Range", fmt::format("bytes={}-", begin_bytes)}};
    bool is_first_piece = true, is_other_range = false;
    const auto take = [&](const sys::HttpAnswer& answer, std::span<const std::byte> piece) -> Result<void> {
      if (is_first_piece && answer.status == 200 && begin_bytes > 0) TK_CHECK(partial.restart());
      if (is_first_piece && answer.status == 206 && first_byte(answer.header("content-range")) != begin_bytes) {
        is_other_range = true;
        TK_CHECK(partial.restart());
        return fail(ErrorCode::network_failed, name + " came from another place than was asked for");
      }
      is_first_piece = false;
      TK_CHECK(partial.write(piece));
      if (on_bytes) on_bytes(piece.size());
      return {};
    };
    auto outcome = m_registry.ask_once(request, take);

    if (outcome && (outcome->status == 200 || outcome->status == 206)) {
      if (partial.size_bytes() == blob.size_bytes) break;
      // A whole answer that is too short: the registry has something else, or a proxy cut it.
      if (++failures == attempts) break;
      TK_CHECK(m_registry.http().pause(failures, 0));
      continue;
    }
    if (outcome && outcome->status == 416 && begin_bytes > 0 && ++failures < attempts) {
      TK_CHECK(partial.restart());
      continue;
    }
    const bool may_pass = outcome
                              ? sys::is_transient_status(outcome->status)
                              : is_other_range || outcome.error().cause == sys::BrokenExchange::Cause::transient;
    // What came was not in vain.
    if (partial.size_bytes() > begin_bytes) failures = 0;
    if (!may_pass || ++failures == attempts) {
      if (outcome) return fail(m_registry.refusal(*outcome, "pull " + name));
      auto error = std::move(outcome).error().error;
      if (failures > 1) error.notes.push_back(fmt::format("tried {} times", failures));
      return fail(std::move(error));
    }
    TK_CHECK(m_registry.http().pause(failures, outcome ? outcome->retry_after_s() : 0));
  }
  auto finished = partial.finish();
  // Bytes that an earlier run left may be what is wrong. They are gone now, so this happens once.
  if (!finished && finished.error().code == ErrorCode::integrity_failed && partial.is_resumed())
    return pull_blob(blob, destination, on_bytes);
  return finished;
}

}  // namespace torchkiln::registry
