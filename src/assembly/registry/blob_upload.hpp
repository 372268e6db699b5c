#pragma once
// One blob on its way into a repository (distribution-spec, "Pushing blobs"): in one request where it is small,
// else in chunks, so that a broken connection costs a chunk and not the blob.

#include "assembly/oci/descriptor.hpp"
#include "assembly/registry/registry.hpp"

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>

namespace torchkiln::registry {

/// Blobs up to this size go in one request. Proxies before registries have limits, often 100 MB.
inline constexpr std::uint64_t k_chunk_bytes = 64U << 20;
/// The most that a registry may ask for as its least chunk.
inline constexpr std::uint64_t k_longest_chunk_bytes = 5ULL << 30;

class BlobUpload {
 public:
  using MakeCall = std::function<Call(std::string method, std::string address)>;

  /// `uploads` is the path where uploads of the repository begin, `where` what messages call it. All have to
  /// outlive this.
  BlobUpload(const Registry& registry, std::string where, std::string uploads, MakeCall make_call,
             const oci::Descriptor& blob, std::filesystem::path file, std::function<void(std::uint64_t)> on_bytes)
      : m_registry(registry),
        m_where(std::move(where)),
        m_uploads(std::move(uploads)),
        m_make_call(std::move(make_call)),
        m_blob(blob),
        m_file(std::move(file)),
        m_on_bytes(std::move(on_bytes)) {}

  /// Asks for the blob out of another repository of the registry. Where it is not given, send() may begin at once.
  base::Result<bool> mount(const std::string& from);
  /// Sends the file. When the connection breaks, or the registry is busy, it goes on from where the registry says
  /// that it is.
  base::Result<void> send();

 private:
  /// Whether there is more to do with this upload, or it is lost and another has to begin.
  enum class Step { complete, lost };

  base::Result<void> begin();
  void take_start(const sys::HttpAnswer& answer, std::string location);
  base::Result<Step> send_whole();
  base::Result<Step> send_chunks();
  /// Asks the registry how far it is; false when it does not know the upload any more.
  base::Result<bool> ask_status();
  base::Result<Step> complete();
  base::Result<Step> judge_end(const sys::HttpAnswer& answer);
  base::Error failure(const sys::HttpExchange& outcome) const;
  void tell(std::uint64_t reached_bytes);

  const Registry& m_registry;
  std::string m_where, m_uploads;
  MakeCall m_make_call;
  const oci::Descriptor& m_blob;
  std::filesystem::path m_file;
  std::function<void(std::uint64_t)> m_on_bytes;

  std::string m_location;  ///< of the upload that was begun; empty when there is none
  std::uint64_t m_least_chunk_bytes = 0;
  std::uint64_t m_sent_bytes = 0;  ///< what the registry has
  std::uint64_t m_told_bytes = 0;  ///< what m_on_bytes was told of
  unsigned m_failures = 0;         ///< since something last went well
  double m_retry_after_s = 0;
};

}  // namespace torchkiln::registry
