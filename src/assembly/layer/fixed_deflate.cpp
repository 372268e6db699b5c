#include "assembly/layer/fixed_deflate.hpp"

#include "knowledge/wheel/inflate.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <vector>

namespace torchkiln::layer {

namespace {

constexpr std::size_t k_window = 32768, k_shortest_match = 3, k_longest_match = 258, k_stored_limit = 65535;
constexpr std::size_t k_block_bytes = 65535;  // of input; what one stored block can hold
constexpr std::uint32_t k_hash_bits = 13;

/// Collects bits, least significant first (RFC 1951, 3.1.1).
class BitWriter {
 public:
  void put(std::uint32_t value, unsigned count) {
    m_bits |= static_cast<std::uint64_t>(value) << m_count;
    m_count += count;
    for (; m_count >= 8; m_count -= 8, m_bits >>= 8) m_bytes += static_cast<char>(m_bits & 255);
  }
  /// Huffman codes go most significant bit first.
  void put_code(std::uint32_t code, unsigned length) {
    std::uint32_t reversed = 0;
    for (unsigned i = 0; i < length; ++i) reversed |= (code >> i & 1) << (length - 1 - i);
    put(reversed, length);
  }
  void align() {
    if (m_count > 0) put(0, 8 - m_count);
  }
  void append(std::string_view bytes) { m_bytes += bytes; }
  std::size_t bits() const { return m_bytes.size() * 8 + m_count; }
  std::string take() { return std::move(m_bytes); }

 private:
  std::string m_bytes;
  std::uint64_t m_bits = 0;
  unsigned m_count = 0;
};

/// The fixed literal and length code (3.2.6).
void put_symbol(BitWriter& out, unsigned symbol) {
  if (symbol < 144)
    out.put_code(0x30 + symbol, 8);
  else if (symbol < 256)
    out.put_code(0x190 + symbol - 144, 9);
  else if (symbol < 280)
    out.put_code(symbol - 256, 7);
  else
    out.put_code(0xc0 + symbol - 280, 8);
}
unsigned symbol_bits(unsigned symbol) {
  return symbol < 144 ? 8 : symbol < 256 ? 9 : symbol < 280 ? 7 : 8;
}

struct Bucket {
  unsigned symbol, extra_bits, extra;
};
/// Length 3…258 to symbol and extra bits (3.2.5).
Bucket length_bucket(std::size_t length) {
  if (length == 258) return {285, 0, 0};
  const auto n = static_cast<unsigned>(length - 3);
  if (n < 8) return {257 + n, 0, 0};
  unsigned bits = 1;
  while (n >> (bits + 3)) ++bits;
  return {257 + 4 * bits + (n >> bits), bits, n & ((1U << bits) - 1)};
}
/// Distance 1…32768 to symbol and extra bits (3.2.5).
Bucket distance_bucket(std::size_t distance) {
  const auto n = static_cast<unsigned>(distance - 1);
  if (n < 4) return {n, 0, 0};
  unsigned bits = 1;
  while (n >> (bits + 2)) ++bits;
  return {2 * bits + (n >> bits), bits, n & ((1U << bits) - 1)};
}

struct Token {
  std::uint32_t length;    ///< 0: a literal
  std::uint32_t distance;  ///< or the literal byte
};

std::uint32_t hash_at(std::string_view bytes, std::size_t at) {
  const auto b = [&](std::size_t i) {
    return static_cast<std::uint32_t>(static_cast<unsigned char>(bytes[at + i]));
  };
  return ((b(0) << 16 | b(1) << 8 | b(2)) * 2654435761U) >> (32 - k_hash_bits);
}

/// Greedy LZ77 over bytes [begin, end); earlier bytes of the stream serve as window.
std::vector<Token> tokenize(std::string_view bytes, std::size_t begin, std::size_t end,
                            std::vector<std::uint32_t>& last_seen) {
  std::vector<Token> tokens;
  std::size_t at = begin;
  auto remember = [&](std::size_t position) {
    if (position + k_shortest_match <= bytes.size())
      last_seen[hash_at(bytes, position)] = static_cast<std::uint32_t>(position + 1);
  };
  while (at < end) {
    std::size_t length = 0, distance = 0;
    if (at + k_shortest_match <= end) {
      const std::size_t candidate = last_seen[hash_at(bytes, at)];
      if (candidate > 0 && at - (candidate - 1) <= k_window) {
        const std::size_t from = candidate - 1, limit = std::min(k_longest_match, end - at);
        while (length < limit && bytes[from + length] == bytes[at + length]) ++length;
        distance = at - from;
      }
    }
    if (length < k_shortest_match) {
      tokens.push_back({0, static_cast<unsigned char>(bytes[at])});
      remember(at++);
    } else {
      tokens.push_back({static_cast<std::uint32_t>(length), static_cast<std::uint32_t>(distance)});
      for (const auto next = at + length; at < next; ++at) remember(at);
    }
  }
  return tokens;
}

std::size_t fixed_bits(const std::vector<Token>& tokens) {
  std::size_t bits = 3 + symbol_bits(256);
  for (const auto& token : tokens) {
    if (token.length == 0) {
      bits += symbol_bits(token.distance);
    } else {
      const auto length = length_bucket(token.length);
      bits += symbol_bits(length.symbol) + length.extra_bits + 5 + distance_bucket(token.distance).extra_bits;
    }
  }
  return bits;
}

}  // namespace

std::string fixed_deflate(std::string_view bytes) {
  static_assert(k_block_bytes <= k_stored_limit);
  BitWriter out;
  std::vector<std::uint32_t> last_seen(1U << k_hash_bits, 0);
  std::size_t begin = 0;
  do {
    const std::size_t end = std::min(bytes.size(), begin + k_block_bytes);
    const unsigned final_block = end == bytes.size() ? 1 : 0;
    const auto tokens = tokenize(bytes, begin, end, last_seen);
    const std::size_t stored_bits = 3 + 7 + 32 + (end - begin) * 8;
    if (fixed_bits(tokens) <= stored_bits) {
      out.put(final_block, 1);
      out.put(1, 2);
      for (const auto& token : tokens) {
        if (token.length == 0) {
          put_symbol(out, token.distance);
          continue;
        }
        const auto length = length_bucket(token.length), distance = distance_bucket(token.distance);
        put_symbol(out, length.symbol);
        out.put(length.extra, length.extra_bits);
        out.put_code(distance.symbol, 5);
        out.put(distance.extra, distance.extra_bits);
      }
      put_symbol(out, 256);
    } else {
      out.put(final_block, 1);
      out.put(0, 2);
      out.align();
      const auto size = static_cast<std::uint32_t>(end - begin);
      out.put(size, 16);
      out.put(~size & 0xffff, 16);
      out.append(bytes.substr(begin, end - begin));
    }
    begin = end;
  } while (begin < bytes.size());
  out.align();
  return out.take();
}

std::string gzip_header() {
  return std::string("\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff", 10);
}

std::string gzip_trailer(std::uint32_t crc32, std::uint64_t size_bytes) {
  std::string trailer;
  for (unsigned i = 0; i < 4; ++i) trailer += static_cast<char>(crc32 >> (8 * i) & 255);
  for (unsigned i = 0; i < 4; ++i) trailer += static_cast<char>(size_bytes >> (8 * i) & 255);
  return trailer;
}

std::string gzip_member(std::string_view bytes) {
  return gzip_header() + fixed_deflate(bytes) +
         gzip_trailer(wheel::crc32_of(std::as_bytes(std::span(bytes))), bytes.size());
}

}  // namespace torchkiln::layer
