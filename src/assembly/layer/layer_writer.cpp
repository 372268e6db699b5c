#include "assembly/layer/layer_writer.hpp"

#include "assembly/layer/fixed_deflate.hpp"
#include "knowledge/wheel/inflate.hpp"

#include <algorithm>

namespace torchkiln::layer {

using base::Result;

namespace {
/// Plain bytes are gathered up to here before they become a member. Part of the layer format: never change it.
constexpr std::size_t k_member_bytes = 1U << 20;
}  // namespace

Result<LayerWriter> LayerWriter::create(const sys::BlobStore& store) {
  TK_TRY(auto blob, store.create());
  return LayerWriter(std::move(blob));
}

Result<void> LayerWriter::plain(std::string_view bytes) {
  m_diff.update(bytes);
  m_unpacked_bytes += bytes.size();
  while (!bytes.empty()) {
    const auto piece = bytes.substr(0, k_member_bytes - m_pending.size());
    m_pending += piece;
    bytes.remove_prefix(piece.size());
    if (m_pending.size() == k_member_bytes) TK_CHECK(flush());
  }
  return {};
}

Result<void> LayerWriter::flush() {
  if (m_pending.empty()) return {};
  TK_CHECK(m_blob.write(gzip_member(m_pending)));
  m_pending.clear();
  return {};
}

Result<void> LayerWriter::add_directory(std::string_view path, unsigned mode, unsigned uid, unsigned gid,
                                        std::int64_t time_s) {
  TarHeader header{std::string(path), TarType::directory, mode, uid, gid, 0, time_s, {}};
  if (!header.path.ends_with('/')) header.path += '/';
  return plain(tar_header(header));
}

Result<void> LayerWriter::add_symlink(std::string_view path, std::string_view target, std::int64_t time_s) {
  return plain(tar_header({std::string(path), TarType::symlink, 0777, 0, 0, 0, time_s, std::string(target)}));
}

Result<void> LayerWriter::add_file(const TarHeader& header, std::string_view content) {
  TK_ASSERT(header.size_bytes == content.size(), "a header states its content's size");
  TK_CHECK(plain(tar_header(header)));
  TK_CHECK(plain(content));
  return plain(std::string(tar_padding(content.size()), '\0'));
}

Result<void> LayerWriter::add_deflated_file(const TarHeader& header, std::span<const std::byte> deflated,
                                            std::uint32_t crc32,
                                            const std::function<void(std::span<const std::byte>)>& look) {
  TK_CHECK(plain(tar_header(header)));
  TK_CHECK(flush());
  if (auto inflated = wheel::inflate(deflated, header.size_bytes, crc32,
                                     [&](std::span<const std::byte> piece) {
                                       m_diff.update(piece);
                                       if (look) look(piece);
                                     });
      !inflated) {
    inflated.error().message = header.path + ": " + inflated.error().message;
    return base::fail(std::move(inflated).error());
  }
  m_unpacked_bytes += header.size_bytes;
  TK_CHECK(m_blob.write(gzip_header()));
  TK_CHECK(m_blob.write(deflated));
  TK_CHECK(m_blob.write(gzip_trailer(crc32, header.size_bytes)));
  return plain(std::string(tar_padding(header.size_bytes), '\0'));
}

Result<LayerFacts> LayerWriter::finish() {
  TK_CHECK(plain(tar_end()));
  TK_CHECK(flush());
  LayerFacts facts;
  facts.size_bytes = m_blob.size_bytes();
  facts.unpacked_bytes = m_unpacked_bytes;
  facts.diff_id = m_diff.finish();
  TK_TRY(facts.digest, m_blob.commit());
  return facts;
}

}  // namespace torchkiln::layer
