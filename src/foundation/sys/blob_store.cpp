#include "foundation/sys/blob_store.hpp"

#include <cerrno>
#include <fcntl.h>
#include <unistd.h>

namespace torchkiln::sys {

using base::Result;

namespace {
/// What create() calls a blob that has no digest yet; AtomicFile adds a dot before and letters after it.
constexpr const char* k_new = "new";
}  // namespace

Result<bool> BlobStore::contains_whole(const base::Digest& digest) const {
  if (!contains(digest)) return false;
  TK_TRY(const auto fd, open_file(path(digest), O_RDONLY));
  base::Sha256 hasher;
  std::vector<std::byte> buffer(1U << 20);
  for (;;) {
    const auto got = ::read(fd.get(), buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return base::fail(file_error("read", path(digest), errno));
    if (got == 0) break;
    hasher.update(std::span(buffer).first(static_cast<std::size_t>(got)));
  }
  if (hasher.finish() == digest) return true;
  TK_CHECK(remove(digest));
  return false;
}

Result<void> BlobStore::remove_leftovers() const {
  std::error_code error;
  if (!fs::exists(m_root / "sha256", error)) return {};
  TK_TRY(const auto names, list_directory(m_root / "sha256"));
  for (const auto& name : names)
    if (name.starts_with("." + std::string(k_new) + "."))
      if (const auto leftover = m_root / "sha256" / name; ::unlink(leftover.c_str()) != 0 && errno != ENOENT)
        return base::fail(file_error("remove", leftover, errno));
  return {};
}

Result<void> BlobStore::remove(const base::Digest& digest) const {
  const auto target = path(digest);
  if (::unlink(target.c_str()) != 0 && errno != ENOENT) return base::fail(file_error("remove", target, errno));
  return {};
}

Result<std::vector<base::Digest>> BlobStore::list() const {
  return list_digests(m_root / "sha256");
}

Result<BlobStore::Writer> BlobStore::create() const {
  TK_TRY(auto file, AtomicFile::create(m_root / "sha256" / k_new, 0444));
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

Result<bool> BlobStore::Writer::commit_if(const base::Digest& expected) {
  if (m_hasher.finish() != expected) return false;  // the temporary file goes with the writer
  TK_CHECK(m_file.commit_as(m_store->path(expected)));
  return true;
}

Result<base::Digest> BlobStore::put(std::string_view bytes) const {
  const auto digest = base::Digest::of(bytes);
  if (contains(digest)) return digest;
  TK_TRY(auto writer, create());
  TK_CHECK(writer.write(bytes));
  return writer.commit();
}

}  // namespace torchkiln::sys
