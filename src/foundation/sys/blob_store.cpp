#include "foundation/sys/blob_store.hpp"

#include <cerrno>
#include <unistd.h>

namespace torchkiln::sys {

using base::Result;

Result<void> BlobStore::remove(const base::Digest& digest) const {
  const auto target = path(digest);
  if (::unlink(target.c_str()) != 0 && errno != ENOENT) return base::fail(file_error("remove", target, errno));
  return {};
}

Result<BlobStore::Writer> BlobStore::create() const {
  TK_TRY(auto file, AtomicFile::create(m_root / "sha256" / "new", 0444));
  return Writer(*this, std::move(file));
}

Result<void> BlobStore::Writer::write(std::span<const std::byte> bytes) {
  m_hasher.update(bytes);
  m_size_bytes += bytes.size();
  return m_file.write(bytes);
}

Result<base::Digest> BlobStore::Writer::commit() {
  const auto digest = m_hasher.finish();
  TK_CHECK(m_file.commit_as(m_store->path(digest)));
  return digest;
}

Result<base::Digest> BlobStore::put(std::string_view bytes) const {
  const auto digest = base::Digest::of(bytes);
  if (contains(digest)) return digest;
  TK_TRY(auto writer, create());
  TK_CHECK(writer.write(bytes));
  return writer.commit();
}

}  // namespace torchkiln::sys
