#pragma once
// A folder of files named by their SHA-256: what was downloaded and what was made. Files are read-only, appear
// whole or not at all, and are never changed.

#include "foundation/base/digest.hpp"
#include "foundation/base/error.hpp"
#include "foundation/sys/files.hpp"

#include <cstdint>
#include <filesystem>
#include <span>
#include <string_view>
#include <vector>

namespace torchkiln::sys {

class BlobStore {
 public:
  /// The store in `root`; blobs lie in root/sha256/<hex>, as in an OCI layout's blobs folder.
  explicit BlobStore(std::filesystem::path root) : m_root(std::move(root)) {}

  std::filesystem::path path(const base::Digest& digest) const { return m_root / "sha256" / digest.hex(); }
  bool contains(const base::Digest& digest) const { return size_of_file(path(digest)).has_value(); }
  /// Whether the blob is there with the bytes it should have. One whose bytes changed is removed: whoever needs it
  /// makes or fetches it again.
  base::Result<bool> contains_whole(const base::Digest& digest) const;
  base::Result<void> remove(const base::Digest& digest) const;
  /// All blobs, by their digests.
  base::Result<std::vector<base::Digest>> list() const;
  /// Removes what writers that were killed left. Nobody may be writing meanwhile.
  base::Result<void> remove_leftovers() const;

  /// A blob in the making: write, then commit.
  class Writer {
   public:
    base::Result<void> write(std::span<const std::byte> bytes);
    base::Result<void> write(std::string_view bytes) { return write(std::as_bytes(std::span(bytes))); }
    std::uint64_t size_bytes() const { return m_size_bytes; }
    /// Puts the blob into the store and gives its digest.
    base::Result<base::Digest> commit();
    /// Puts the blob into the store if it has this digest; leaves nothing otherwise. Whether it had.
    base::Result<bool> commit_if(const base::Digest& expected);

   private:
    friend class BlobStore;
    Writer(const BlobStore& store, AtomicFile file) : m_store(&store), m_file(std::move(file)) {}
    const BlobStore* m_store;
    AtomicFile m_file;
    base::Sha256 m_hasher;
    std::uint64_t m_size_bytes = 0;
  };
  base::Result<Writer> create() const;
  base::Result<base::Digest> put(std::string_view bytes) const;

 private:
  std::filesystem::path m_root;
};

}  // namespace torchkiln::sys
