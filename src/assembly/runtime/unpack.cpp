#include "assembly/runtime/unpack.hpp"

#include "assembly/runtime/prefetcher.hpp"
#include "assembly/runtime/tar_reader.hpp"
#include "assembly/runtime/tree_writer.hpp"

#include <cerrno>
#include <fcntl.h>
#include <unistd.h>

namespace torchkiln::runtime {

using base::ErrorCode;
using base::fail;
using base::Result;

namespace {

/// Pieces between two reports: 16 MiB of the unpacked bytes.
constexpr unsigned k_report_pieces = 64;

base::Error with_blob(base::Error error, const std::filesystem::path& blob) {
  error.notes.push_back("while unpacking " + blob.string());
  return error;
}

}  // namespace

Result<void> unpack_blob(const std::filesystem::path& blob, Compression compression, const base::Digest& diff_id,
                         const std::filesystem::path& folder,
                         const std::function<Continue(std::uint64_t)>& on_bytes) {
  TK_TRY(const auto source, open_source(blob, compression));
  base::Sha256 hasher;
  Prefetcher prefetcher(*source);
  unsigned pieces = 0;
  TarReader reader([&]() -> Result<std::span<const std::byte>> {
    TK_TRY(const auto piece, prefetcher.next());
    hasher.update(piece);
    if (++pieces % k_report_pieces == 0 && on_bytes(prefetcher.consumed_bytes()) == Continue::no)
      return fail(ErrorCode::interrupted, "interrupted");
    return piece;
  });
  TK_TRY(auto writer, TreeWriter::open(folder));
  for (;;) {
    auto entry = reader.next();
    if (!entry) return fail(with_blob(std::move(entry).error(), blob));
    if (!*entry) break;
    if (auto added = writer.add(**entry, reader); !added) return fail(with_blob(std::move(added).error(), blob));
  }
  if (const auto actual = hasher.finish(); actual != diff_id)
    return fail(with_blob({ErrorCode::integrity_failed,
                           "a layer's content is " + actual.to_string() + ", not " + diff_id.to_string(),
                           std::nullopt,
                           {},
                           {}},
                          blob));
  TK_CHECK(writer.finish());
  // The folder gets its final name only when a power cut can no longer take its bytes away.
  TK_TRY(const auto fd, sys::open_file(folder, O_RDONLY | O_DIRECTORY));
  if (::syncfs(fd.get()) != 0) return fail(sys::file_error("flush", folder, errno));
  return {};
}

}  // namespace torchkiln::runtime
