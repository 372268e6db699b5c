#include "assembly/layer/zstd_writer.hpp"

#include <algorithm>
#include <array>
#include <utility>
#include <zstd.h>

#include <fmt/format.h>

namespace torchkiln::layer {

using base::Result;

namespace {

constexpr int k_zstd_level = 3;
/// 8 MiB: the largest window that every decoder has to take (RFC 8878, 3.1.1.1.2).
constexpr int k_window_log = 23;
constexpr int k_job_bytes = 8 << 20, k_overlap_log = 6;

base::Unexpected refused(std::size_t code) {
  return base::fail(base::ErrorCode::tool_failed,
                    std::string("libzstd cannot compress a layer: ") + ZSTD_getErrorName(code),
                    {"--layers gzip needs nothing of it"});
}

}  // namespace

std::string zstd_recipe() {
  return fmt::format("zstd-{}/level={},window={},job={}M,overlap={}", ZSTD_versionString(), k_zstd_level,
                     k_window_log, k_job_bytes >> 20, k_overlap_log);
}

void ZstdWriter::FreeContext::operator()(void* context) const {
  ZSTD_freeCCtx(static_cast<ZSTD_CCtx*>(context));
}

ZstdWriter::ZstdWriter(std::unique_ptr<void, FreeContext> context, Out out)
    : m_context(std::move(context)), m_out(std::move(out)), m_buffer(ZSTD_CStreamOutSize()) {}

Result<ZstdWriter> ZstdWriter::create(std::uint64_t size_bytes, unsigned threads, Out out) {
  auto* context = ZSTD_createCCtx();
  TK_ASSERT(context != nullptr, "there is memory for a zstd context");
  ZstdWriter writer(std::unique_ptr<void, FreeContext>(context), std::move(out));
  const std::array<std::pair<ZSTD_cParameter, int>, 7> parameters = {
      {{ZSTD_c_compressionLevel, k_zstd_level},
       {ZSTD_c_windowLog, k_window_log},
       {ZSTD_c_nbWorkers, static_cast<int>(std::max(1U, threads))},
       {ZSTD_c_jobSize, k_job_bytes},
       {ZSTD_c_overlapLog, k_overlap_log},
       {ZSTD_c_checksumFlag, 0},
       {ZSTD_c_contentSizeFlag, 1}}};
  for (const auto& [parameter, value] : parameters)
    if (const auto code = ZSTD_CCtx_setParameter(context, parameter, value); ZSTD_isError(code))
      return refused(code);
  if (const auto code = ZSTD_CCtx_setPledgedSrcSize(context, size_bytes); ZSTD_isError(code)) return refused(code);
  return writer;
}

Result<void> ZstdWriter::compress(std::span<const std::byte> bytes, int directive) {
  auto* context = static_cast<ZSTD_CCtx*>(m_context.get());
  ZSTD_inBuffer input{bytes.data(), bytes.size(), 0};
  for (;;) {
    ZSTD_outBuffer output{m_buffer.data(), m_buffer.size(), 0};
    const auto left = ZSTD_compressStream2(context, &output, &input, static_cast<ZSTD_EndDirective>(directive));
    if (ZSTD_isError(left)) return refused(left);
    if (output.pos > 0) TK_CHECK(m_out(std::string_view(m_buffer.data(), output.pos)));
    if (directive == ZSTD_e_end ? left == 0 : input.pos == input.size) return {};
  }
}

Result<void> ZstdWriter::write(std::span<const std::byte> bytes) {
  return compress(bytes, ZSTD_e_continue);
}

Result<void> ZstdWriter::finish() {
  return compress({}, ZSTD_e_end);
}

}  // namespace torchkiln::layer
