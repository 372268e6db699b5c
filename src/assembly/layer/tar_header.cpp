#include "assembly/layer/tar_header.hpp"

#include "foundation/base/error.hpp"

#include <optional>
#include <utility>

#include <fmt/format.h>

namespace torchkiln::layer {

namespace {

constexpr std::size_t k_block = 512, k_name_bytes = 100, k_prefix_bytes = 155, k_link_bytes = 100;
constexpr std::uint64_t k_octal_size_limit = 1ULL << 33;  // eleven octal digits
constexpr unsigned k_octal_id_limit = 1U << 21;           // seven

/// ustar's prefix and name for a path, if it can be split that way.
std::optional<std::pair<std::string_view, std::string_view>> ustar_name(std::string_view path) {
  if (path.size() <= k_name_bytes) return std::pair<std::string_view, std::string_view>("", path);
  if (path.size() > k_prefix_bytes + 1 + k_name_bytes) return std::nullopt;
  // The longest prefix that fits leaves the shortest name.
  const auto slash = path.rfind('/', k_prefix_bytes);
  if (slash == std::string_view::npos || slash == 0) return std::nullopt;
  const auto name = path.substr(slash + 1);
  if (name.empty() || name.size() > k_name_bytes) return std::nullopt;
  return std::pair(path.substr(0, slash), name);
}

void put(std::string& block, std::size_t at, std::string_view text) {
  block.replace(at, text.size(), text);
}

std::string block_for(const TarHeader& header, std::string_view prefix, std::string_view name, char type,
                      std::uint64_t size_bytes, std::string_view link_target) {
  std::string block(k_block, '\0');
  put(block, 0, name);
  put(block, 100, fmt::format("{:07o}", header.mode));
  put(block, 108, fmt::format("{:07o}", header.uid < k_octal_id_limit ? header.uid : 0));
  put(block, 116, fmt::format("{:07o}", header.gid < k_octal_id_limit ? header.gid : 0));
  put(block, 124, fmt::format("{:011o}", size_bytes));
  put(block, 136, fmt::format("{:011o}", header.time_s));
  block[156] = type;
  put(block, 157, link_target);
  put(block, 257,
      std::string_view("ustar\0"
                       "00",
                       8));
  put(block, 345, prefix);
  put(block, 148, "        ");
  unsigned sum = 0;
  for (const char c : block) sum += static_cast<unsigned char>(c);
  put(block, 148, fmt::format("{:06o}", sum));
  block[154] = '\0';
  block[155] = ' ';
  return block;
}

/// "length key=value\n", where length counts itself (POSIX.1-2001, pax).
std::string pax_record(std::string_view key, std::string_view value) {
  const std::size_t rest = key.size() + value.size() + 3;
  std::size_t length = rest + 1;
  while (length != rest + std::to_string(length).size()) length = rest + std::to_string(length).size();
  return fmt::format("{} {}={}\n", length, key, value);
}

}  // namespace

std::string tar_header(const TarHeader& header) {
  TK_ASSERT(!header.path.empty() && header.path.front() != '/', "paths in a layer are relative");
  TK_ASSERT(header.time_s >= 0, "times in a layer are after 1970");
  const auto split = ustar_name(header.path);
  std::string records;
  if (!split) records += pax_record("path", header.path);
  if (header.link_target.size() > k_link_bytes) records += pax_record("linkpath", header.link_target);
  if (header.uid >= k_octal_id_limit) records += pax_record("uid", std::to_string(header.uid));
  if (header.gid >= k_octal_id_limit) records += pax_record("gid", std::to_string(header.gid));
  if (header.size_bytes >= k_octal_size_limit) records += pax_record("size", std::to_string(header.size_bytes));

  std::string blocks;
  if (!records.empty()) {
    TarHeader extended;
    extended.time_s = header.time_s;
    blocks += block_for(extended, "", "pax", 'x', records.size(), "");
    blocks += records;
    blocks.append(tar_padding(records.size()), '\0');
  }
  const auto prefix = split ? split->first : std::string_view();
  const auto name = split ? split->second : std::string_view(header.path).substr(0, k_name_bytes);
  const auto size = header.size_bytes >= k_octal_size_limit ? 0 : header.size_bytes;
  blocks += block_for(header, prefix, name, static_cast<char>(header.type), size,
                      std::string_view(header.link_target).substr(0, k_link_bytes));
  return blocks;
}

std::size_t tar_padding(std::uint64_t size_bytes) {
  return static_cast<std::size_t>((k_block - size_bytes % k_block) % k_block);
}

std::string tar_end() {
  return std::string(2 * k_block, '\0');
}

}  // namespace torchkiln::layer
