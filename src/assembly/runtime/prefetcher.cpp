#include "assembly/runtime/prefetcher.hpp"

namespace torchkiln::runtime {

using base::Result;

Prefetcher::Prefetcher(ByteSource& source) : m_source(source) {
  for (auto& block : m_blocks) block.bytes.resize(k_block_bytes);
  m_thread = std::thread([this] { work(); });
}

Prefetcher::~Prefetcher() {
  {
    const std::lock_guard lock(m_mutex);
    m_stop = true;
  }
  m_changed.notify_all();
  m_thread.join();
}

void Prefetcher::work() {
  for (;;) {
    {
      std::unique_lock lock(m_mutex);
      m_changed.wait(lock, [this] { return m_stop || m_filled - m_emptied < k_blocks; });
      if (m_stop) return;
    }
    auto& block = m_blocks[m_filled % k_blocks];
    auto got = m_source.read(block.bytes);
    const bool more = got && *got > 0;
    {
      const std::lock_guard lock(m_mutex);
      if (more) {
        block.size = *got;
        block.consumed_bytes = m_source.consumed_bytes();
        ++m_filled;
      } else {
        if (!got) m_error = std::move(got).error();
        m_ended = true;
      }
    }
    m_changed.notify_all();
    if (!more) return;
  }
}

Result<std::span<const std::byte>> Prefetcher::next() {
  std::unique_lock lock(m_mutex);
  if (m_holding) {
    m_holding = false;
    ++m_emptied;
    m_changed.notify_all();
  }
  m_changed.wait(lock, [this] { return m_ended || m_filled > m_emptied; });
  if (m_filled > m_emptied) {
    const auto& block = m_blocks[m_emptied % k_blocks];
    m_holding = true;
    m_consumed_bytes = block.consumed_bytes;
    return std::span<const std::byte>(block.bytes.data(), block.size);
  }
  if (m_error) return base::fail(*m_error);
  return std::span<const std::byte>();
}

}  // namespace torchkiln::runtime
