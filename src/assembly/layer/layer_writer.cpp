#include "assembly/layer/layer_writer.hpp"

#include "assembly/layer/fixed_deflate.hpp"
#include "foundation/sys/lane.hpp"
#include "knowledge/wheel/inflate.hpp"

#include <algorithm>
#include <optional>
#include <vector>

namespace torchkiln::layer {

using base::Result;

namespace {
/// Plain bytes are gathered up to here before they become a member. Part of the layer format: never change it.
constexpr std::size_t k_member_bytes = 1U << 20;
/// What passes from thread to thread at once: large enough to be worth it, small enough for a processor's cache.
constexpr std::size_t k_piece_bytes = 256U << 10;
constexpr std::uint64_t k_waiting_limit_bytes = 8U << 20;
}  // namespace

struct LayerWriter::Parts {
  Parts(sys::BlobStore::Writer writer, DiffId diff_id)
      : blob(std::move(writer)), wants_diff_id(diff_id == DiffId::computed) {
    if (wants_diff_id) hashing.emplace(k_waiting_limit_bytes);
  }

  /// Adds bytes of the tar.
  void hash(std::span<const std::byte> bytes) {
    unpacked_bytes += bytes.size();
    if (!wants_diff_id) return;
    while (!bytes.empty()) {
      if (unhashed.capacity() < k_piece_bytes) unhashed.reserve(k_piece_bytes);
      const auto piece = bytes.first(std::min(bytes.size(), k_piece_bytes - unhashed.size()));
      unhashed.insert(unhashed.end(), piece.begin(), piece.end());
      bytes = bytes.subspan(piece.size());
      if (unhashed.size() == k_piece_bytes) pass_on_unhashed();
    }
  }
  void pass_on_unhashed() {
    const auto size = unhashed.size();
    hashing->give(size, [this, bytes = std::move(unhashed)]() -> Result<void> {
      diff.update(bytes);
      return {};
    });
    unhashed = {};
  }

  /// Adds bytes of the blob.
  void write(std::string_view bytes) {
    unwritten += bytes;
    if (unwritten.size() >= k_piece_bytes) pass_on_unwritten();
  }
  /// The same for bytes that stay where they are; small ones are copied all the same.
  void write(std::span<const std::byte> bytes, const std::function<void(std::span<const std::byte>)>& forget) {
    if (bytes.size() < k_piece_bytes / 4) {
      write(std::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size()));
      if (forget) forget(bytes);
      return;
    }
    pass_on_unwritten();
    writing.give(bytes.size(), [this, bytes, forget]() -> Result<void> {
      TK_CHECK(blob.write(bytes));
      if (forget) forget(bytes);
      return {};
    });
  }
  void pass_on_unwritten() {
    const auto size = unwritten.size();
    if (size > 0) writing.give(size, [this, bytes = std::move(unwritten)] { return blob.write(bytes); });
    unwritten = {};
  }

  sys::BlobStore::Writer blob;
  base::Sha256 diff;
  bool wants_diff_id;
  std::uint64_t unpacked_bytes = 0;
  std::string gathered;             ///< plain bytes that are no member yet
  std::vector<std::byte> unhashed;  ///< bytes of the tar
  std::string unwritten;            ///< bytes of the blob
  // Last: their threads use what is above.
  std::optional<sys::Lane> hashing;
  sys::Lane writing{k_waiting_limit_bytes};
};

LayerWriter::LayerWriter(std::unique_ptr<Parts> parts) : m_parts(std::move(parts)) {}
LayerWriter::LayerWriter(LayerWriter&&) noexcept = default;
LayerWriter::~LayerWriter() = default;

Result<LayerWriter> LayerWriter::create(const sys::BlobStore& store, DiffId diff_id) {
  TK_TRY(auto blob, store.create());
  return LayerWriter(std::make_unique<Parts>(std::move(blob), diff_id));
}

void LayerWriter::plain(std::string_view bytes) {
  m_parts->hash(std::as_bytes(std::span(bytes)));
  auto& gathered = m_parts->gathered;
  while (!bytes.empty()) {
    const auto piece = bytes.substr(0, k_member_bytes - gathered.size());
    gathered += piece;
    bytes.remove_prefix(piece.size());
    if (gathered.size() == k_member_bytes) flush();
  }
}

void LayerWriter::flush() {
  if (m_parts->gathered.empty()) return;
  m_parts->write(gzip_member(m_parts->gathered));
  m_parts->gathered.clear();
}

Result<void> LayerWriter::add_directory(std::string_view path, unsigned mode, unsigned uid, unsigned gid,
                                        std::int64_t time_s) {
  TarHeader header{std::string(path), TarType::directory, mode, uid, gid, 0, time_s, {}};
  if (!header.path.ends_with('/')) header.path += '/';
  plain(tar_header(header));
  return {};
}

Result<void> LayerWriter::add_symlink(std::string_view path, std::string_view target, std::int64_t time_s) {
  plain(tar_header({std::string(path), TarType::symlink, 0777, 0, 0, 0, time_s, std::string(target)}));
  return {};
}

Result<void> LayerWriter::add_file(const TarHeader& header, std::string_view content) {
  TK_ASSERT(header.size_bytes == content.size(), "a header states its content's size");
  plain(tar_header(header));
  plain(content);
  plain(std::string(tar_padding(content.size()), '\0'));
  return {};
}

Result<void> LayerWriter::add_deflated_file(const TarHeader& header, const DeflatedContent& content) {
  if (m_parts->writing.failed()) return m_parts->writing.drain();
  plain(tar_header(header));
  flush();
  m_parts->write(gzip_header());
  if (m_parts->wants_diff_id) {
    auto inflated = wheel::inflate(
        content.bytes, header.size_bytes, content.crc32,
        [&](std::span<const std::byte> piece) { m_parts->hash(piece); },
        [&](std::span<const std::byte> piece) { m_parts->write(piece, content.forget); });
    if (!inflated) {
      inflated.error().message = header.path + ": " + inflated.error().message;
      return base::fail(std::move(inflated).error());
    }
  } else {
    m_parts->unpacked_bytes += header.size_bytes;
    for (auto rest = content.bytes; !rest.empty();) {
      const auto piece = rest.first(std::min(rest.size(), k_member_bytes));
      m_parts->write(piece, content.forget);
      rest = rest.subspan(piece.size());
    }
  }
  m_parts->write(gzip_trailer(content.crc32, header.size_bytes));
  plain(std::string(tar_padding(header.size_bytes), '\0'));
  return {};
}

Result<void> LayerWriter::end() {
  plain(tar_end());
  flush();
  if (m_parts->wants_diff_id) {
    m_parts->pass_on_unhashed();
    TK_CHECK(m_parts->hashing->drain());
  }
  m_parts->pass_on_unwritten();
  return m_parts->writing.drain();
}

Result<LayerFacts> LayerWriter::finish() {
  TK_ASSERT(m_parts->wants_diff_id, "a layer whose diff_id is known has a digest to finish as");
  TK_CHECK(end());
  LayerFacts facts;
  facts.size_bytes = m_parts->blob.size_bytes();
  facts.unpacked_bytes = m_parts->unpacked_bytes;
  facts.diff_id = m_parts->diff.finish();
  TK_TRY(facts.digest, m_parts->blob.commit());
  return facts;
}

Result<bool> LayerWriter::finish_as(const base::Digest& expected) {
  TK_CHECK(end());
  return m_parts->blob.commit_if(expected);
}

}  // namespace torchkiln::layer
