#include "assembly/layer/convert_layer.hpp"

#include "assembly/layer/estargz.hpp"
#include "assembly/layer/gzip_members.hpp"
#include "assembly/layer/single_member.hpp"
#include "assembly/layer/zstd_writer.hpp"
#include "foundation/sys/files.hpp"

namespace torchkiln::layer {

using base::Result;
using Bytes = std::span<const std::byte>;

namespace {

Result<base::Digest> write_raw(Bytes file, sys::BlobStore::Writer& out, const std::function<void(Bytes)>& forget) {
  base::Sha256 diff;
  TK_CHECK(read_members(
      file,
      [&](Bytes piece) {
        diff.update(piece);
        return out.write(piece);
      },
      {}, forget));
  return diff.finish();
}

Result<base::Digest> write_zstd(Bytes file, std::uint64_t unpacked_bytes, unsigned threads,
                                sys::BlobStore::Writer& out, const std::function<void(Bytes)>& forget) {
  base::Sha256 diff;
  TK_TRY(auto zstd,
         ZstdWriter::create(unpacked_bytes, threads, [&out](std::string_view bytes) { return out.write(bytes); }));
  std::uint64_t written = 0;
  const auto on_tar = [&](Bytes piece) -> Result<void> {
    written += piece.size();
    if (written > unpacked_bytes) return damaged_layer("its tar is larger than it was");
    diff.update(piece);
    return zstd.write(piece);
  };
  TK_CHECK(read_members(file, on_tar, {}, forget));
  if (written < unpacked_bytes) return damaged_layer("its tar is smaller than it was");
  TK_CHECK(zstd.finish());
  return diff.finish();
}

}  // namespace

Result<ConvertedLayer> convert_layer(const LayerFacts& gzip_layer, LayerFormat format, const sys::BlobStore& store,
                                     unsigned threads) {
  if (format == LayerFormat::gzip) return ConvertedLayer{gzip_layer, {}};
  TK_TRY(const auto mapped, sys::MappedFile::open(store.path(gzip_layer.digest)));
  const auto file = mapped.bytes();
  const auto forget = [&](Bytes piece) {
    mapped.forget(static_cast<std::size_t>(piece.data() - file.data()), piece.size());
  };
  TK_TRY(auto out, store.create());
  ConvertedLayer converted{gzip_layer, {}};
  base::Digest source;
  switch (format) {
    case LayerFormat::gzip_single_member: {
      TK_TRY(source, write_single_member(file, out, forget));
      break;
    }
    case LayerFormat::zstd: {
      TK_TRY(source, write_zstd(file, gzip_layer.unpacked_bytes, threads, out, forget));
      break;
    }
    case LayerFormat::estargz: {
      TK_TRY(const auto made, write_estargz(file, out, forget));
      source = made.source_diff_id;
      converted.facts.diff_id = made.diff_id;
      converted.facts.unpacked_bytes = made.unpacked_bytes;
      converted.table_digest = made.table_digest;
      break;
    }
    default: {
      TK_TRY(source, write_raw(file, out, forget));
      break;
    }
  }
  if (source != gzip_layer.diff_id) return damaged_layer("its tar has another digest than its diff_id");
  converted.facts.size_bytes = out.size_bytes();
  TK_TRY(converted.facts.digest, out.commit());
  return converted;
}

}  // namespace torchkiln::layer
