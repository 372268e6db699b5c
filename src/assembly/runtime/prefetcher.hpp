#pragma once
// Reads a source ahead on a thread of its own, so that inflating a layer runs beside hashing and writing it.

#include "assembly/runtime/byte_source.hpp"

#include <array>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

namespace torchkiln::runtime {

class Prefetcher {
 public:
  /// The source must outlive this.
  explicit Prefetcher(ByteSource& source);
  ~Prefetcher();
  Prefetcher(const Prefetcher&) = delete;
  Prefetcher& operator=(const Prefetcher&) = delete;

  /// The next piece, valid until the next call; empty at the end.
  base::Result<std::span<const std::byte>> next();
  /// How many bytes of the file went into what next() gave so far.
  std::uint64_t consumed_bytes() const { return m_consumed_bytes; }

 private:
  struct Block {
    std::vector<std::byte> bytes;
    std::size_t size = 0;
    std::uint64_t consumed_bytes = 0;
  };
  /// Small enough for the second-level cache, many enough to bridge a slow write.
  static constexpr std::size_t k_block_bytes = 256U << 10;
  static constexpr std::size_t k_blocks = 8;

  void work();

  ByteSource& m_source;
  std::array<Block, k_blocks> m_blocks;
  std::uint64_t m_consumed_bytes = 0;
  std::mutex m_mutex;
  std::condition_variable m_changed;
  std::size_t m_filled = 0;   ///< blocks filled since the start
  std::size_t m_emptied = 0;  ///< blocks given back since the start
  bool m_holding = false;     ///< the reader has a block that it will give back
  bool m_ended = false;
  bool m_stop = false;
  std::optional<base::Error> m_error;
  std::thread m_thread;
};

}  // namespace torchkiln::runtime
