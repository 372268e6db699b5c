// What a log's line is made of besides its words, and what its words say.

#include "decision/diagnosis/known_errors.hpp"
#include "foundation/base/text.hpp"

#include <optional>

#include <fmt/format.h>

namespace torchkiln::diagnosis {

namespace {

constexpr std::size_t k_value_bytes = 80;  ///< of a value read out of an error

/// The length of the ANSI escape sequence (ECMA-48) at the beginning of `text`, which begins with ESC.
std::size_t escape_bytes(std::string_view text) {
  if (text.size() < 2) return 1;
  if (text[1] == '[') {  // up to a final byte
    std::size_t end = 2;
    while (end < text.size() && (text[end] < 0x40 || text[end] > 0x7e)) {
      if (static_cast<unsigned char>(text[end]) < 0x20 || static_cast<unsigned char>(text[end]) > 0x7e) return end;
      ++end;
    }
    return std::min(end + 1, text.size());
  }
  if (text[1] == ']') {  // an operating system command, up to BEL or ESC
    const auto end = text.find_first_of("\a\x1b", 2);
    if (end == std::string_view::npos) return 2;
    return text.substr(end).starts_with("\x1b\\") ? end + 2 : text[end] == '\a' ? end + 1 : end;
  }
  return 2;
}

/// Calls `write(byte)` for what is no part of an escape sequence.
template <class Write>
void each_plain_byte(std::string_view line, Write write) {
  for (std::size_t at = 0; at < line.size();) {
    if (line[at] == '\x1b') {
      at += escape_bytes(line.substr(at));
      continue;
    }
    write(line[at++]);
  }
}

/// What stands in `text` behind `before`, which is in small letters, up to one of the bytes of `ends`; empty when
/// it is not there.
std::string between(std::string_view text, std::string_view before, std::string_view ends) {
  const auto at = base::lower(text).find(before);
  if (at == std::string_view::npos) return "";
  text.remove_prefix(at + before.size());
  return std::string(base::trim(text.substr(0, std::min(text.find_first_of(ends), k_value_bytes))));
}

/// "sm_50 sm_60 compute_90" at the beginning of `text`.
std::string architectures_at(std::string_view text) {
  std::string found;
  for (const auto word : base::split(base::trim(text), ' ')) {
    auto name = word;
    while (name.ends_with('.') || name.ends_with(',')) name.remove_suffix(1);
    if (!name.starts_with("sm_") && !name.starts_with("compute_")) break;
    if (found.size() > k_value_bytes * 4) break;
    found += (found.empty() ? "" : " ") + std::string(name);
  }
  return found;
}

class Reader {
 public:
  Reader(std::string_view line, std::span<const std::string> following) : m_line(line), m_following(following) {}

  std::vector<Detail> details;

  void add(std::string_view name, const std::string& value, const std::string& text) {
    if (!value.empty()) details.push_back({std::string(name), value, text});
  }
  std::string value(std::string_view before, std::string_view ends) const { return between(m_line, before, ends); }
  std::span<const std::string> following() const { return m_following; }

 private:
  std::string_view m_line;
  std::span<const std::string> m_following;
};

void read_kernels(Reader& reader) {
  const auto device = reader.value("cuda capability ", " .,;");
  reader.add("gpu", device, "the GPU is " + device);
  constexpr std::string_view k_list = "supports cuda capabilities ";
  for (const auto& line : reader.following())
    if (const auto at = base::lower(line).find(k_list); at != std::string::npos) {
      const auto list = architectures_at(std::string_view(line).substr(at + k_list.size()));
      reader.add("build", list, "the build has kernels for " + list);
      return;
    }
}

/// 11000 is CUDA 11.0: 1000 · major + 10 · minor (cuDriverGetVersion).
void read_driver_cuda(Reader& reader) {
  const auto number = reader.value("found version ", ").");
  const auto version = base::parse_integer(number);
  if (!version || *version < 1000 || *version > 1'000'000) return;
  const auto cuda = fmt::format("{}.{}", *version / 1000, *version % 1000 / 10);
  reader.add("driver_cuda", cuda, fmt::format("version {} is CUDA {}: the driver's own", number, cuda));
}

}  // namespace

std::string without_colors(std::string_view line) {
  std::string text;
  each_plain_byte(line, [&](char byte) { text += byte; });
  return text;
}

std::string normalized(std::string_view line) {
  std::string text;
  text.reserve(line.size());
  each_plain_byte(line, [&](char byte) {
    const auto code = static_cast<unsigned char>(byte);
    if (code <= ' ' || code == 0x7f) {
      if (!text.empty() && text.back() != ' ') text += ' ';
    } else {
      text += byte;
    }
  });
  return text;
}

std::vector<Detail> details_of(std::string_view id, std::string_view line, std::span<const std::string> following) {
  Reader reader(line, following);
  if (id == "E02") read_kernels(reader);
  if (id == "E21") read_driver_cuda(reader);
  if (id == "E06") {
    const auto condition = reader.value("unsatisfied condition: ", ",\"\\ ");
    reader.add("condition", condition, "the condition is " + condition);
  }
  if (id == "E08") {
    for (const auto& next : following)
      if (const auto version = between(next, "nvml library version: ", " ,"); !version.empty()) {
        reader.add("library", version, "the libraries are of driver " + version);
        break;
      }
  }
  if (id == "E13") {
    const auto gpu = reader.value("value '", "'");
    reader.add("gpu", gpu, "the GPU is " + gpu);
  }
  if (id == "E14" || id == "E15") {
    const auto symbol = reader.value("symbol", ",;) ");
    const auto after_colon = reader.value("symbol: ", ",;) ");
    const auto& name = after_colon.empty() ? symbol : after_colon;
    reader.add("symbol", name, "the symbol is " + name);
  }
  if (id == "E16") {
    const auto built = reader.value("compiled against (", ")"),
               found = reader.value("found runtime version (", ")");
    reader.add("built_with", built, "torch was built with cuDNN " + built);
    reader.add("found", found, "cuDNN " + found + " was found");
  }
  if (id == "E22") {
    const auto number = reader.value("libcudart.so.", ": ");
    reader.add("library", "libcudart.so." + number, "the library is that of CUDA " + number);
  }
  return std::move(reader.details);
}

}  // namespace torchkiln::diagnosis
