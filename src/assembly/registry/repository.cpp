#include "assembly/registry/repository.hpp"

#include "assembly/registry/blob_upload.hpp"
#include "foundation/base/text.hpp"

#include <fmt/format.h>

namespace torchkiln::registry {

using base::ErrorCode;
using base::fail;
using base::Result;

namespace {

/// Everything that we can read: a registry may convert, or refuse, what was not asked for.
constexpr std::string_view k_accepted =
    "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json, "
    "application/vnd.docker.distribution.manifest.list.v2+json, "
    "application/vnd.docker.distribution.manifest.v2+json";

/// Docker's own images have no namespace in what people write.
std::string full_name(const Registry& registry, std::string name) {
  return registry.host() == "docker.io" && name.find('/') == std::string::npos ? "library/" + name : name;
}

/// That the registry means the same bytes as we do, where it says so.
Result<void> expect_digest(const Repository& repository, const sys::HttpAnswer& answer,
                           const base::Digest& digest) {
  const auto told = answer.header("docker-content-digest");
  if (told.empty() || told == digest.to_string() || !told.starts_with("sha256:")) return {};
  base::Error error{ErrorCode::integrity_failed,
                    repository.to_string() + ": the registry gives the bytes another digest than they have",
                    std::nullopt,
                    {"it says  " + told.substr(0, 100), "they have " + digest.to_string()},
                    {}};
  return fail(std::move(error));
}

}  // namespace

Repository::Repository(const Registry& registry, std::string name)
    : m_registry(registry), m_name(full_name(registry, std::move(name))) {}

Call Repository::call(std::string method, const std::string& path) const {
  return {.method = std::move(method),
          .address = "/v2/" + m_name + path,
          .repository = m_name,
          .scope = pull_scope(m_name)};
}

Call Repository::push_call(std::string method, std::string address) const {
  return {.method = std::move(method),
          .address = std::move(address),
          .repository = m_name,
          .scope = push_scope(m_name)};
}

Result<std::optional<Document>> Repository::fetch(const std::string& tag_or_digest) const {
  auto request = call("GET", "/manifests/" + tag_or_digest);
  request.headers = {{"Accept", std::string(k_accepted)}};
  TK_TRY(const auto answer, m_registry.ask(request));
  if (answer.status == 404) return std::optional<Document>();
  if (answer.status != 200) return fail(m_registry.refusal(answer, "read " + to_string() + " " + tag_or_digest));
  Document document;
  const auto type = answer.header("content-type");
  document.media_type = base::trim(type.substr(0, type.find(';')));
  document.bytes = answer.body;
  document.digest = base::Digest::of(document.bytes);
  document.etag = answer.header("etag");
  if (const auto wanted = base::Digest::parse(tag_or_digest); wanted && tag_or_digest.starts_with("sha256:")) {
    if (*wanted != document.digest)
      return fail(base::Error{ErrorCode::integrity_failed,
                              to_string() + " does not have the digest it should have",
                              std::nullopt,
                              {"want " + wanted->to_string(), "got  " + document.digest.to_string()},
                              {"the registry, or something before it, gives other bytes than were pushed"}});
  } else {
    TK_CHECK(expect_digest(*this, answer, document.digest));
  }
  return std::optional(std::move(document));
}

Result<std::optional<Referring>> Repository::store(const Document& document,
                                                   const std::string& tag_or_digest) const {
  auto request = push_call("PUT", "/v2/" + m_name + "/manifests/" + tag_or_digest);
  request.headers = {{"Content-Type", document.media_type}};
  if (!document.etag.empty()) request.headers.emplace_back("If-Match", document.etag);
  request.body = document.bytes;
  TK_TRY(const auto answer, m_registry.ask(request));
  if (answer.status == 412 && !document.etag.empty()) return std::optional<Referring>();
  if (answer.status != 201 && answer.status != 200)
    return fail(m_registry.refusal(answer, "push " + to_string() + " " + tag_or_digest));
  TK_CHECK(expect_digest(*this, answer, document.digest));
  return std::optional(answer.header("oci-subject").empty() ? Referring::by_tag : Referring::by_registry);
}

Result<bool> Repository::has_blob(const oci::Descriptor& blob) const {
  TK_TRY(const auto answer, m_registry.ask(call("HEAD", "/blobs/" + blob.digest.to_string())));
  if (answer.status == 404) return false;
  if (answer.status != 200) return fail(m_registry.refusal(answer, "look for a blob of " + to_string()));
  TK_CHECK(expect_digest(*this, answer, blob.digest));
  const auto size_bytes = base::parse_integer(answer.header("content-length"));
  if (size_bytes && static_cast<std::uint64_t>(*size_bytes) != blob.size_bytes)
    return fail(ErrorCode::integrity_failed, fmt::format("{} has {} with {} bytes, not {}", to_string(),
                                                         blob.digest.to_string(), *size_bytes, blob.size_bytes));
  return true;
}

Result<Arrival> Repository::push_blob(const oci::Descriptor& blob, const std::filesystem::path& file,
                                      const std::vector<std::string>& from, const OnBytes& on_bytes) const {
  TK_TRY(const bool is_here, has_blob(blob));
  if (is_here) return Arrival::present;
  const auto calls = [this](std::string method, std::string address) {
    return push_call(std::move(method), std::move(address));
  };
  BlobUpload upload(m_registry, to_string(), "/v2/" + m_name + "/blobs/uploads/", calls, blob, file, on_bytes);
  for (const auto& other : from) {
    if (other == m_name) continue;
    TK_TRY(const bool is_mounted, upload.mount(other));
    if (!is_mounted) continue;
    // Some registries say 201 to whatever they are asked.
    TK_TRY(const bool is_there, has_blob(blob));
    if (is_there) return Arrival::mounted;
  }
  TK_CHECK(upload.send());
  return Arrival::uploaded;
}

}  // namespace torchkiln::registry
