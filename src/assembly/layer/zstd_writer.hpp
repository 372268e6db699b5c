#pragma once
// Compresses a tar with zstd (RFC 8878) to one frame whose bytes depend on nothing but the tar and the recipe:
// level, window and job size are pinned, the streaming interface with worker threads is always the one that is
// used, since it gives the same bytes for any number of them, and the library's version is part of the recipe.
// Internal to the room.

#include "foundation/base/error.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace torchkiln::layer {

/// "zstd-1.5.4/level=3,window=23,job=8M,overlap=6".
std::string zstd_recipe();

class ZstdWriter {
 public:
  using Out = std::function<base::Result<void>(std::string_view)>;

  /// For a tar of `size_bytes`, which the frame's header states.
  static base::Result<ZstdWriter> create(std::uint64_t size_bytes, unsigned threads, Out out);

  base::Result<void> write(std::span<const std::byte> bytes);
  base::Result<void> finish();

 private:
  struct FreeContext {
    void operator()(void* context) const;
  };
  ZstdWriter(std::unique_ptr<void, FreeContext> context, Out out);
  base::Result<void> compress(std::span<const std::byte> bytes, int directive);

  std::unique_ptr<void, FreeContext> m_context;
  Out m_out;
  std::vector<char> m_buffer;
};

}  // namespace torchkiln::layer
