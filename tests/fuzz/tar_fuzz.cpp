// Layers come from registries: the tar in them, in pieces of any size.

#include "assembly/runtime/tar_reader.hpp"

#include <algorithm>

using namespace torchkiln;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  // The first byte says how long the pieces are; each is a buffer of its own, so that reading past one is seen.
  const std::size_t piece_bytes = 1 + data[0] * 7U;
  auto rest = std::as_bytes(std::span(data + 1, size - 1));
  std::vector<std::byte> piece;
  runtime::TarReader reader([&]() -> base::Result<std::span<const std::byte>> {
    const auto count = std::min(piece_bytes, rest.size());
    piece = std::vector<std::byte>(rest.begin(), rest.begin() + static_cast<std::ptrdiff_t>(count));
    rest = rest.subspan(count);
    return std::span<const std::byte>(piece);
  });
  for (std::uint64_t total_bytes = 0;;) {
    const auto entry = reader.next();
    if (!entry || !*entry) return 0;
    TK_ASSERT(!(*entry)->path.empty(), "an entry has a path");
    TK_ASSERT((*entry)->path.find('\0') == std::string::npos, "a path ends where the file system ends it");
    TK_ASSERT((*entry)->mtime_ns < 1'000'000'000, "a second has that many nanoseconds");
    // Every other entry is skipped by the next next().
    if ((*entry)->size_bytes % 2 == 1) continue;
    for (std::uint64_t entry_bytes = 0;;) {
      const auto content = reader.data();
      if (!content) return 0;
      if (content->empty()) {
        TK_ASSERT(entry_bytes == (*entry)->size_bytes, "an entry has as many bytes as it says");
        break;
      }
      entry_bytes += content->size();
      total_bytes += content->size();
      TK_ASSERT(total_bytes <= size, "data comes out of the archive");
    }
  }
}
