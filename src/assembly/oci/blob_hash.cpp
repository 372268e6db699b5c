#include "assembly/oci/blob_hash.hpp"

#include "foundation/sys/files.hpp"
#include "foundation/sys/interrupt.hpp"

#include <cerrno>
#include <fcntl.h>
#include <unistd.h>
#include <vector>

namespace torchkiln::oci {

using base::Result;

namespace {
constexpr std::size_t k_piece_bytes = 1U << 20;
}

Result<base::Digest> digest_of_file(const std::filesystem::path& path,
                                    const std::function<void(std::uint64_t)>& on_bytes) {
  TK_TRY(const auto file, sys::open_file(path, O_RDONLY));
  std::vector<std::byte> piece(k_piece_bytes);
  base::Sha256 hasher;
  for (;;) {
    if (sys::interrupted()) return sys::interrupted_error();
    const auto got = ::read(file.get(), piece.data(), piece.size());
    if (got < 0) {
      if (errno == EINTR) continue;
      return base::fail(sys::file_error("read", path, errno));
    }
    if (got == 0) return hasher.finish();
    hasher.update(std::span(piece).first(static_cast<std::size_t>(got)));
    if (on_bytes) on_bytes(static_cast<std::uint64_t>(got));
  }
}

}  // namespace torchkiln::oci
