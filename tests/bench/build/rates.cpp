// How fast this machine hashes and inflates, by the same libraries as torchkiln: what limits.py divides by.
//
//     rates FILE THREADS    FILE holds beginnings of raw DEFLATE streams, each after its size (8 bytes,
//     little-endian);
//                           every thread does it all, at the same time
//
// Prints {"sha256": BYTES_PER_SECOND, "inflate": BYTES_PER_SECOND} of one thread, median of the threads' runs.

#include "foundation/base/digest.hpp"
#include "foundation/sys/files.hpp"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include <isa-l/igzip_lib.h>

namespace {

constexpr std::uint64_t k_file_limit_bytes = 1ULL << 30;
constexpr std::size_t k_block_bytes = 256U << 10;  // what a pipeline hands on at a time
constexpr int k_runs = 3;

/// The streams' beginnings; ends the program where the file is no such list.
std::vector<std::string> read_streams(const std::string& file) {
  std::vector<std::string> streams;
  for (std::size_t at = 0; at < file.size();) {
    std::uint64_t size = 0;
    if (file.size() - at < sizeof size) std::abort();
    std::memcpy(&size, file.data() + at, sizeof size);
    at += sizeof size;
    if (file.size() - at < size) std::abort();
    streams.push_back(file.substr(at, size));
    at += size;
  }
  return streams;
}

/// Inflates what there is of a stream, block by block, and gives the number of bytes it makes.
std::uint64_t inflate(std::string& deflated, std::vector<std::byte>& block) {
  const auto state = std::make_unique<inflate_state>();
  ::isal_inflate_init(state.get());
  state->next_in = reinterpret_cast<std::uint8_t*>(deflated.data());
  state->avail_in = static_cast<std::uint32_t>(deflated.size());
  std::uint64_t made_bytes = 0;
  for (;;) {
    state->next_out = reinterpret_cast<std::uint8_t*>(block.data());
    state->avail_out = static_cast<std::uint32_t>(block.size());
    if (::isal_inflate(state.get()) < ISAL_DECOMP_OK) std::abort();
    made_bytes += block.size() - state->avail_out;
    if (state->block_state == ISAL_BLOCK_FINISH || state->avail_out > 0) return made_bytes;
  }
}

/// Bytes a second of one thread while `threads` of them do the same.
double rate_of(unsigned threads, const std::function<std::uint64_t()>& work) {
  std::vector<double> rates;
  std::mutex mutex;
  for (int run = 0; run < k_runs; ++run) {
    std::vector<std::thread> running;
    for (unsigned i = 0; i < threads; ++i)
      running.emplace_back([&] {
        const auto start = std::chrono::steady_clock::now();
        const auto bytes = static_cast<double>(work());
        const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - start;
        const std::lock_guard guard(mutex);
        rates.push_back(bytes / elapsed.count());
      });
    for (auto& thread : running) thread.join();
  }
  std::nth_element(rates.begin(), rates.begin() + static_cast<std::ptrdiff_t>(rates.size() / 2), rates.end());
  return rates[rates.size() / 2];
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  auto read = torchkiln::sys::read_file(argv[1], k_file_limit_bytes);
  if (!read) return 3;
  auto streams = read_streams(*read);
  const auto threads = static_cast<unsigned>(std::max(1, std::atoi(argv[2])));
  const double inflating = rate_of(threads, [&] {
    std::vector<std::byte> block(k_block_bytes);
    std::uint64_t made_bytes = 0;
    for (auto& stream : streams) made_bytes += inflate(stream, block);
    return made_bytes;
  });
  const double hashing = rate_of(threads, [&] {
    torchkiln::base::Sha256 hasher;
    hasher.update(*read);
    hasher.finish();
    return static_cast<std::uint64_t>(read->size());
  });
  std::printf("{\"sha256\": %.0f, \"inflate\": %.0f}\n", hashing, inflating);
  return 0;
}
