#include "assembly/runtime/byte_source.hpp"

#include "assembly/oci/descriptor.hpp"
#include "foundation/sys/files.hpp"

#include <array>
#include <cerrno>
#include <fcntl.h>
#include <string>
#include <unistd.h>
#include <vector>
#include <zstd.h>

#include <isa-l/igzip_lib.h>

namespace torchkiln::runtime {

using base::ErrorCode;
using base::fail;
using base::Result;

namespace {

constexpr std::size_t k_input_bytes = 256U << 10;

/// The file as it is.
class PlainSource final : public ByteSource {
 public:
  PlainSource(sys::FileDescriptor fd, std::filesystem::path path) : m_fd(std::move(fd)), m_path(std::move(path)) {}

  Result<std::size_t> read(std::span<std::byte> buffer) override {
    for (;;) {
      const auto got = ::read(m_fd.get(), buffer.data(), buffer.size());
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) return fail(sys::file_error("read", m_path, errno));
      m_consumed_bytes += static_cast<std::uint64_t>(got);
      return static_cast<std::size_t>(got);
    }
  }
  std::uint64_t consumed_bytes() const override { return m_consumed_bytes; }

  base::Unexpected malformed(std::string what) const {
    return fail(ErrorCode::input_invalid, "layer " + m_path.string() + ": " + std::move(what));
  }

 private:
  sys::FileDescriptor m_fd;
  std::filesystem::path m_path;
  std::uint64_t m_consumed_bytes = 0;
};

class GzipSource final : public ByteSource {
 public:
  explicit GzipSource(std::unique_ptr<PlainSource> file)
      : m_file(std::move(file)), m_input(k_input_bytes), m_state(std::make_unique<inflate_state>()) {
    begin_member();
  }

  Result<std::size_t> read(std::span<std::byte> buffer) override {
    m_state->next_out = reinterpret_cast<std::uint8_t*>(buffer.data());
    m_state->avail_out = static_cast<std::uint32_t>(buffer.size());
    while (m_state->avail_out == buffer.size()) {
      if (m_state->avail_in == 0) {
        TK_TRY(const std::size_t got, m_file->read(m_input));
        if (got == 0 && m_member_begun) return m_file->malformed("the gzip data ends early");
        if (got == 0) return std::size_t{0};
        m_state->next_in = reinterpret_cast<std::uint8_t*>(m_input.data());
        m_state->avail_in = static_cast<std::uint32_t>(got);
      }
      m_member_begun = true;
      const int code = ::isal_inflate(m_state.get());
      if (code != ISAL_DECOMP_OK) return m_file->malformed(describe(code));
      if (m_state->block_state == ISAL_BLOCK_FINISH) begin_member();
    }
    return buffer.size() - m_state->avail_out;
  }
  std::uint64_t consumed_bytes() const override { return m_file->consumed_bytes(); }

 private:
  /// Keeps the rest of the input, which the next member starts in.
  void begin_member() {
    auto* const next_in = m_state->next_in;
    const auto avail_in = m_state->avail_in;
    auto* const next_out = m_state->next_out;
    const auto avail_out = m_state->avail_out;
    ::isal_inflate_init(m_state.get());
    m_state->crc_flag = ISAL_GZIP;  // parse the header, check CRC-32 and size
    m_state->next_in = next_in;
    m_state->avail_in = avail_in;
    m_state->next_out = next_out;
    m_state->avail_out = avail_out;
    m_member_begun = false;
  }

  static std::string describe(int code) {
    if (code == ISAL_INCORRECT_CHECKSUM) return "a gzip member's checksum is wrong";
    if (code == ISAL_INVALID_WRAPPER) return "not gzip data where a gzip member should start";
    return "the gzip data is damaged (" + std::to_string(code) + ")";
  }

  std::unique_ptr<PlainSource> m_file;
  std::vector<std::byte> m_input;
  std::unique_ptr<inflate_state> m_state;
  bool m_member_begun = false;
};

class ZstdSource final : public ByteSource {
 public:
  explicit ZstdSource(std::unique_ptr<PlainSource> file)
      : m_file(std::move(file)), m_buffer(k_input_bytes), m_context(::ZSTD_createDCtx(), ::ZSTD_freeDCtx) {
    TK_ASSERT(m_context, "zstd gives a context");
  }

  Result<std::size_t> read(std::span<std::byte> buffer) override {
    ZSTD_outBuffer output = {buffer.data(), buffer.size(), 0};
    while (output.pos == 0) {
      if (m_input.pos == m_input.size && !m_more_output) {
        TK_TRY(const std::size_t got, m_file->read(m_buffer));
        if (got == 0 && m_frame_begun) return m_file->malformed("the zstd data ends early");
        if (got == 0) return std::size_t{0};
        m_input = {m_buffer.data(), got, 0};
      }
      const std::size_t code = ::ZSTD_decompressStream(m_context.get(), &output, &m_input);
      if (::ZSTD_isError(code)) return m_file->malformed(std::string("zstd: ") + ::ZSTD_getErrorName(code));
      m_frame_begun = code != 0;
      m_more_output = output.pos == output.size && m_frame_begun;
    }
    return output.pos;
  }
  std::uint64_t consumed_bytes() const override { return m_file->consumed_bytes(); }

 private:
  std::unique_ptr<PlainSource> m_file;
  std::vector<std::byte> m_buffer;
  std::unique_ptr<ZSTD_DCtx, std::size_t (*)(ZSTD_DCtx*)> m_context;
  ZSTD_inBuffer m_input = {nullptr, 0, 0};
  bool m_frame_begun = false;
  bool m_more_output = false;  ///< the decoder may hold bytes that did not fit
};

}  // namespace

std::optional<Compression> compression_of(std::string_view media_type) {
  struct Known {
    std::string_view media_type;
    Compression compression;
  };
  // Docker's image manifest v2, schema 2, names the same formats differently.
  constexpr std::array<Known, 5> k_known = {{
      {oci::k_layer_tar_type, Compression::none},
      {oci::k_layer_gzip_type, Compression::gzip},
      {oci::k_layer_zstd_type, Compression::zstd},
      {"application/vnd.docker.image.rootfs.diff.tar", Compression::none},
      {"application/vnd.docker.image.rootfs.diff.tar.gzip", Compression::gzip},
  }};
  for (const auto& known : k_known)
    if (known.media_type == media_type) return known.compression;
  return std::nullopt;
}

Result<std::unique_ptr<ByteSource>> open_source(const std::filesystem::path& file, Compression compression) {
  TK_TRY(auto fd, sys::open_file(file, O_RDONLY));
  ::posix_fadvise(fd.get(), 0, 0, POSIX_FADV_SEQUENTIAL);
  auto plain = std::make_unique<PlainSource>(std::move(fd), file);
  std::unique_ptr<ByteSource> source;
  switch (compression) {
    case Compression::none:
      source = std::move(plain);
      break;
    case Compression::gzip:
      source = std::make_unique<GzipSource>(std::move(plain));
      break;
    case Compression::zstd:
      source = std::make_unique<ZstdSource>(std::move(plain));
      break;
  }
  return source;
}

}  // namespace torchkiln::runtime
