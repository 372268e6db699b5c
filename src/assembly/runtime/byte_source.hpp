#pragma once
// The bytes of a layer's tar, whatever the layer's compression: none, gzip with any number of members (RFC
// 1952, 2.2), or zstd frames. Checksums of the compression format are checked.

#include "foundation/base/error.hpp"

#include <cstddef>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string_view>

namespace torchkiln::runtime {

class ByteSource {
 public:
  virtual ~ByteSource() = default;
  /// Fills the front of `buffer`, which is not empty; 0 at the end and only there.
  virtual base::Result<std::size_t> read(std::span<std::byte> buffer) = 0;
  /// How many bytes of the file were taken so far.
  virtual std::uint64_t consumed_bytes() const = 0;
};

enum class Compression { none, gzip, zstd };
/// What a layer's media type says about its compression; nothing for what is no layer.
std::optional<Compression> compression_of(std::string_view media_type);

base::Result<std::unique_ptr<ByteSource>> open_source(const std::filesystem::path& file, Compression compression);

}  // namespace torchkiln::runtime
