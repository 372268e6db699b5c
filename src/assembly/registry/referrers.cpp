// Repository: what refers to a manifest, by the registry's own list or by the tag that stands in for one.

#include "assembly/registry/header_fields.hpp"
#include "assembly/registry/repository.hpp"

#include <algorithm>

#include <fmt/format.h>

namespace torchkiln::registry {

using base::ErrorCode;
using base::fail;
using base::Result;

namespace {

constexpr unsigned k_page_limit = 100;
/// How often the tag may turn out to have changed before we give up adding to it.
constexpr unsigned k_merge_attempts = 10;

/// distribution-spec, "Referrers Tag Schema".
std::string referrers_tag(const base::Digest& subject) {
  return "sha256-" + subject.hex();
}

bool lists(const oci::Index& index, const base::Digest& digest) {
  return std::any_of(index.manifests.begin(), index.manifests.end(),
                     [&](const oci::Descriptor& entry) { return entry.digest == digest; });
}

}  // namespace

Result<std::vector<oci::Descriptor>> Repository::referrers(const base::Digest& digest) const {
  std::vector<oci::Descriptor> found;
  auto request = call("GET", "/referrers/" + digest.to_string());
  request.headers = {{"Accept", std::string(oci::k_index_type)}};
  for (unsigned page = 0; page < k_page_limit; ++page) {
    TK_TRY(const auto answer, m_registry.ask(request));
    // 404: it does not keep such lists. Others answer what they do not know with a page of their own.
    const bool is_list = answer.status == 200 && answer.header("content-type").starts_with(oci::k_index_type);
    if (!is_list && page == 0) break;
    if (!is_list) return fail(m_registry.refusal(answer, "read the referrers of " + to_string()));
    TK_TRY(const auto index, oci::parse_index(answer.body, to_string() + "'s referrers"));
    found.insert(found.end(), index.manifests.begin(), index.manifests.end());
    const auto next = next_page(answer.header("link"));
    const auto address = next ? sys::absolute_url(answer.url, *next) : std::nullopt;
    if (!address) return found;
    request.address = *address;
  }
  if (!found.empty()) return found;
  TK_TRY(const auto tagged, fetch(referrers_tag(digest)));
  if (!tagged) return found;
  TK_TRY(const auto index, oci::parse_index(tagged->bytes, to_string() + ":" + referrers_tag(digest)));
  return index.manifests;
}

Result<void> Repository::list_referrer(const base::Digest& subject, const oci::Descriptor& referrer) const {
  const auto tag = referrers_tag(subject);
  for (unsigned attempt = 1; attempt <= k_merge_attempts; ++attempt) {
    TK_TRY(const auto before, fetch(tag));
    oci::Index index;
    if (before) {
      TK_TRY(index, oci::parse_index(before->bytes, to_string() + ":" + tag));
      // Registries without conditions let the last writer win, so what was written is read again.
      if (lists(index, referrer.digest)) return {};
    }
    index.media_type = oci::k_index_type;
    index.manifests.push_back(referrer);
    TK_TRY(const auto bytes, to_bytes(index));
    const Document document{bytes, std::string(oci::k_index_type), base::Digest::of(bytes),
                            before ? before->etag : ""};
    TK_TRY(const auto stored, store(document, tag));
    if (!stored || attempt > 1) TK_CHECK(m_registry.http().pause(attempt, 0));
  }
  return fail(ErrorCode::network_failed,
              fmt::format("{}:{} changes all the time: the referrer {} is not listed there", to_string(), tag,
                          referrer.digest.to_string()),
              {"push again"});
}

}  // namespace torchkiln::registry
