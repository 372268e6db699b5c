#include "interface/console/audit_text.hpp"

#include "foundation/base/digest.hpp"
#include "foundation/base/text.hpp"

#include <cstdint>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace torchkiln::console {

namespace {

constexpr std::string_view k_replacement = "\xef\xbf\xbd";  // U+FFFD
constexpr std::uint32_t k_no_character = 0xffffffff;

struct Character {
  std::uint32_t code = k_no_character;  ///< k_no_character: not UTF-8
  std::size_t bytes = 1;
};

/// The character that begins at `at`, by RFC 3629: shortest forms only, no surrogates.
Character character_at(std::string_view text, std::size_t at) {
  const auto byte = [&](std::size_t i) {
    return at + i < text.size() ? static_cast<unsigned char>(text[at + i]) : 0U;
  };
  const std::uint32_t first = byte(0);
  if (first < 0x80) return {first, 1};
  const std::size_t bytes = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4) return {};
  std::uint32_t code = first & (0xffU >> (bytes + 1));
  for (std::size_t i = 1; i < bytes; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return {};
    code = code << 6 | (byte(i) & 0x3f);
  }
  const std::uint32_t smallest = bytes == 4 ? 0x10000 : bytes == 3 ? 0x800 : 0x80;
  if (code < smallest || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff)) return {};
  return {code, bytes};
}

/// Calls `write(character, its bytes)` for each character.
template <class Write>
void each_character(std::string_view text, Write write) {
  for (std::size_t at = 0; at < text.size();) {
    const auto character = character_at(text, at);
    write(character.code, text.substr(at, character.bytes));
    at += character.bytes;
  }
}

bool is_control(std::uint32_t code) {
  return code < 0x20 || (code >= 0x7f && code < 0xa0);
}
bool changes_direction(std::uint32_t code) {
  return code == 0x61c || code == 0x200e || code == 0x200f || (code >= 0x202a && code <= 0x202e) ||
         (code >= 0x2066 && code <= 0x2069);
}
bool is_white(std::uint32_t code) {
  return code == ' ' || (code >= '\t' && code <= '\r') || code == 0x85 || code == 0x2028 || code == 0x2029;
}
bool is_wide(std::uint32_t code) {
  return (code >= 0x1100 && code <= 0x115f) || (code >= 0x2e80 && code <= 0xa4cf) ||
         (code >= 0xac00 && code <= 0xd7a3) || (code >= 0xf900 && code <= 0xfaff) ||
         (code >= 0xfe30 && code <= 0xfe6f) || (code >= 0xff00 && code <= 0xff60) ||
         (code >= 0x1f300 && code <= 0x1faff) || (code >= 0x20000 && code <= 0x3fffd);
}

}  // namespace

std::string valid_utf8(std::string_view text) {
  std::string valid;
  each_character(text, [&](std::uint32_t code, std::string_view bytes) {
    valid += code == k_no_character ? k_replacement : bytes;
  });
  return valid;
}

std::string one_line(std::string_view text) {
  std::string line;
  bool space = false;
  each_character(text, [&](std::uint32_t code, std::string_view bytes) {
    if (is_white(code)) {
      space = !line.empty();
      return;
    }
    if (space) line += ' ';
    space = false;
    line += code == k_no_character || is_control(code) || changes_direction(code) ? k_replacement : bytes;
  });
  return line;
}

std::size_t columns_of(std::string_view text) {
  std::size_t columns = 0;
  each_character(text, [&](std::uint32_t code, std::string_view) { columns += is_wide(code) ? 2 : 1; });
  return columns;
}

std::vector<std::string> wrapped(std::string_view text, std::size_t columns) {
  std::vector<std::string> lines = {""};
  std::size_t used = 0;
  for (const auto word : base::split(text, ' ')) {
    if (used > 0 && used + 1 + columns_of(word) > columns) {
      lines.emplace_back();
      used = 0;
    }
    if (used > 0) lines.back() += ' ', ++used;
    each_character(word, [&](std::uint32_t code, std::string_view bytes) {
      const std::size_t width = is_wide(code) ? 2 : 1;
      if (used > 0 && used + width > columns) {
        lines.emplace_back();
        used = 0;
      }
      lines.back() += bytes;
      used += width;
    });
  }
  return lines;
}

std::string markup_escaped(std::string_view text) {
  std::string escaped;
  each_character(text, [&](std::uint32_t code, std::string_view bytes) {
    switch (code) {
      case '&':
        escaped += "&amp;";
        return;
      case '<':
        escaped += "&lt;";
        return;
      case '>':
        escaped += "&gt;";
        return;
      case '"':
        escaped += "&quot;";
        return;
      case '\'':
        escaped += "&#39;";
        return;
      case '\r':
        escaped += ' ';  // no reference to it is allowed in HTML, and a parser would make a line end of it
        return;
      default:
        break;
    }
    const bool refused = code == k_no_character || (is_control(code) && code != '\t' && code != '\n') ||
                         changes_direction(code) || (code & 0xfffe) == 0xfffe;
    escaped += refused ? k_replacement : bytes;
  });
  return escaped;
}

std::string hash_source(std::string_view text) {
  // SHA-256 in base64, with padding.
  auto base64 = base::Digest::of(text).base64url();
  base64 = base::replace_all(base::replace_all(base64, "-", "+"), "_", "/");
  return "'sha256-" + base64 + "='";
}

std::string json_string(std::string_view text) {
  return nlohmann::json(valid_utf8(text)).dump();
}

SourcePlace place_of(std::string_view source) {
  // The path ends before the first ":" that a digit follows, a space or a comma.
  const auto end = source.find_first_of(" ,;(");
  auto path = source.substr(0, end);
  SourcePlace place;
  if (const auto colon = path.find(':'); colon != std::string_view::npos) {
    auto number = path.substr(colon + 1);
    number = number.substr(0, number.find(':'));
    const auto line = base::parse_integer(number);
    if (!line || *line <= 0 || *line > 100'000'000) return {};
    place.line = static_cast<int>(*line);
    path = path.substr(0, colon);
  }
  // Of the files that torchkiln has lines of, all are TOML, or a lock.
  const auto is = [&](std::string_view ending) { return path.size() > ending.size() && path.ends_with(ending); };
  if (!is(".toml") && !is(".lock")) return {};
  place.file = valid_utf8(path);
  return place;
}

std::string uri_of(const std::string& path) {
  std::string uri = path.starts_with('/') ? "file://" : "";
  for (const char c : path) {
    const auto byte = static_cast<unsigned char>(c);
    const bool is_plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                          std::string_view("-._~/+@").find(c) != std::string_view::npos;
    uri += is_plain ? std::string(1, c) : fmt::format("%{:02X}", byte);
  }
  return uri;
}

}  // namespace torchkiln::console
