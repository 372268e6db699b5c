#pragma once
// Writes one image layer, tar+gzip, into a blob store in a single pass: digest, size and diff_id (the SHA-256 of
// the uncompressed tar; OCI image-spec, config.md) come out at the end. A gzip file is a series of members
// (RFC 1952, 2.2), so the deflate stream of a wheel's entry becomes a member of its own by copying its bytes;
// everything else is gathered in members that fixed_deflate writes. Inflating, hashing the tar, and hashing and
// writing the blob run beside each other, so that one large wheel keeps several processors busy, in a few MiB of
// memory.

#include "assembly/layer/tar_header.hpp"
#include "foundation/base/digest.hpp"
#include "foundation/base/error.hpp"
#include "foundation/sys/blob_store.hpp"

#include <cstdint>
#include <functional>
#include <memory>
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

/// Whether a layer's diff_id is to be found out, for which everything is inflated, or is known.
enum class DiffId { computed, known };

/// A file's content as a raw deflate stream, in memory that is mapped.
struct DeflatedContent {
  std::span<const std::byte> bytes;
  std::uint32_t crc32 = 0;                                      ///< of the inflated content
  std::function<void(std::span<const std::byte>)> forget = {};  ///< told of pieces that are not read again
};

class LayerWriter {
 public:
  static base::Result<LayerWriter> create(const sys::BlobStore& store, DiffId diff_id = DiffId::computed);
  LayerWriter(LayerWriter&&) noexcept;
  LayerWriter& operator=(LayerWriter&&) = delete;
  ~LayerWriter();

  base::Result<void> add_directory(std::string_view path, unsigned mode = 0755, unsigned uid = 0, unsigned gid = 0,
                                   std::int64_t time_s = k_layer_time_s);
  base::Result<void> add_symlink(std::string_view path, std::string_view target,
                                 std::int64_t time_s = k_layer_time_s);
  /// A file whose header (with its size) is given and whose content we have.
  base::Result<void> add_file(const TarHeader& header, std::string_view content);
  /// A file whose content is a raw deflate stream: copied, and inflated only to be hashed and checked, if at all.
  /// Its memory is read until finish().
  base::Result<void> add_deflated_file(const TarHeader& header, const DeflatedContent& content);
  /// Ends the archive and commits the blob.
  base::Result<LayerFacts> finish();
  /// Ends the archive and commits the blob if it has this digest; leaves nothing otherwise. Whether it had.
  base::Result<bool> finish_as(const base::Digest& expected);

 private:
  struct Parts;
  explicit LayerWriter(std::unique_ptr<Parts> parts);
  void plain(std::string_view bytes);
  void flush();
  base::Result<void> end();

  std::unique_ptr<Parts> m_parts;
};

}  // namespace torchkiln::layer
