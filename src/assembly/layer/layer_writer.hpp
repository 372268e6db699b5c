#pragma once
// Writes one image layer, tar+gzip, into a blob store in a single pass: digest, size and diff_id (the SHA-256 of
// the uncompressed tar; OCI image-spec, config.md) come out at the end. A gzip file is a series of members
// (RFC 1952, 2.2), so the deflate stream of a wheel's entry becomes a member of its own by copying its bytes;
// everything else is gathered in members that fixed_deflate writes.

#include "assembly/layer/tar_header.hpp"
#include "foundation/base/digest.hpp"
#include "foundation/base/error.hpp"
#include "foundation/sys/blob_store.hpp"

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>

namespace torchkiln::layer {

inline constexpr std::string_view k_layer_media_type = "application/vnd.oci.image.layer.v1.tar+gzip";

/// What a finished layer is known by.
struct LayerFacts {
  base::Digest digest;  ///< of the compressed blob
  std::uint64_t size_bytes = 0;
  base::Digest diff_id;              ///< of the uncompressed tar
  std::uint64_t unpacked_bytes = 0;  ///< of the uncompressed tar
  bool operator==(const LayerFacts&) const = default;
};

class LayerWriter {
 public:
  static base::Result<LayerWriter> create(const sys::BlobStore& store);

  base::Result<void> add_directory(std::string_view path, unsigned mode = 0755, unsigned uid = 0, unsigned gid = 0,
                                   std::int64_t time_s = k_layer_time_s);
  base::Result<void> add_symlink(std::string_view path, std::string_view target,
                                 std::int64_t time_s = k_layer_time_s);
  /// A file whose header (with its size) is given and whose content we have.
  base::Result<void> add_file(const TarHeader& header, std::string_view content);
  /// A file whose content is a raw deflate stream: copied, and inflated only to be hashed and checked. `whole_tar`
  /// pieces of the inflated content are also given to `look`, where set.
  base::Result<void> add_deflated_file(const TarHeader& header, std::span<const std::byte> deflated,
                                       std::uint32_t crc32,
                                       const std::function<void(std::span<const std::byte>)>& look = {});
  /// Ends the archive and commits the blob.
  base::Result<LayerFacts> finish();

 private:
  explicit LayerWriter(sys::BlobStore::Writer blob) : m_blob(std::move(blob)) {}
  base::Result<void> plain(std::string_view bytes);
  base::Result<void> flush();

  sys::BlobStore::Writer m_blob;
  base::Sha256 m_diff;
  std::uint64_t m_unpacked_bytes = 0;
  std::string m_pending;
};

}  // namespace torchkiln::layer
