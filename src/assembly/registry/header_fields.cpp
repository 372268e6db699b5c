#include "assembly/registry/header_fields.hpp"

#include "foundation/base/text.hpp"
#include "foundation/document/json.hpp"

#include <algorithm>

namespace torchkiln::registry {

namespace {

constexpr std::size_t k_challenge_limit = 16;
constexpr std::size_t k_reason_limit_bytes = 300;

/// A token of RFC 9110, 5.6.2, or of token68, which has / and = besides.
bool is_token_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
}

/// Reads a header's value from left to right.
class Scanner {
 public:
  explicit Scanner(std::string_view text) : m_text(text) {}

  void skip_spaces() {
    while (!m_text.empty() && (m_text.front() == ' ' || m_text.front() == '\t')) m_text.remove_prefix(1);
  }
  void skip_commas() {
    for (skip_spaces(); take(','); skip_spaces()) {
    }
  }
  bool take(char c) {
    if (m_text.empty() || m_text.front() != c) return false;
    m_text.remove_prefix(1);
    return true;
  }
  std::string token() {
    const auto end = std::find_if_not(m_text.begin(), m_text.end(), is_token_character);
    std::string found(m_text.begin(), end);
    m_text.remove_prefix(found.size());
    return found;
  }
  /// A token or a quoted string; nothing when it is neither.
  std::optional<std::string> value() {
    if (!take('"')) {
      auto found = token();
      return found.empty() ? std::nullopt : std::optional(found);
    }
    std::string found;
    while (!m_text.empty()) {
      char c = m_text.front();
      m_text.remove_prefix(1);
      if (c == '"') return found;
      if (c == '\\') {
        if (m_text.empty()) return std::nullopt;
        c = m_text.front();
        m_text.remove_prefix(1);
      }
      found += c;
    }
    return std::nullopt;
  }
  std::string_view rest() const { return m_text; }
  void back_to(std::string_view rest) { m_text = rest; }

 private:
  std::string_view m_text;
};

/// The parameters behind a scheme; stops before the next scheme.
bool read_parameters(Scanner& scanner, Challenge& challenge) {
  for (;;) {
    scanner.skip_commas();
    const auto before = scanner.rest();
    const auto name = scanner.token();
    if (name.empty()) return scanner.rest().empty();
    scanner.skip_spaces();
    if (!scanner.take('=')) {
      scanner.back_to(before);  // the next scheme
      return true;
    }
    scanner.skip_spaces();
    auto value = scanner.value();
    if (!value) return false;
    challenge.parameters.emplace(base::lower(name), std::move(*value));
  }
}

std::string printable(std::string_view text) {
  std::string shown;
  for (const char c : text.substr(0, k_reason_limit_bytes)) {
    const auto byte = static_cast<unsigned char>(c);
    shown += byte < 0x20 || byte >= 0x7f ? ' ' : c;
  }
  return shown;
}

std::optional<std::uint64_t> number(std::string_view text) {
  const auto value = base::parse_integer(text);
  return value && *value >= 0 ? std::optional(static_cast<std::uint64_t>(*value)) : std::nullopt;
}

}  // namespace

std::string Challenge::parameter(const std::string& name) const {
  const auto found = parameters.find(name);
  return found == parameters.end() ? std::string() : found->second;
}

std::vector<Challenge> parse_challenges(std::string_view www_authenticate) {
  std::vector<Challenge> challenges;
  Scanner scanner(www_authenticate);
  while (challenges.size() < k_challenge_limit) {
    scanner.skip_commas();
    Challenge challenge{base::lower(scanner.token()), {}};
    if (challenge.scheme.empty()) return challenges;
    if (!read_parameters(scanner, challenge)) return challenges;
    challenges.push_back(std::move(challenge));
  }
  return challenges;
}

std::optional<std::string> next_page(std::string_view link) {
  while (!link.empty()) {
    const auto begin = link.find('<'), end = link.find('>', begin);
    if (begin == std::string_view::npos || end == std::string_view::npos) return std::nullopt;
    const auto target = link.substr(begin + 1, end - begin - 1);
    link.remove_prefix(end + 1);
    const auto next = std::min(link.size(), link.find('<'));
    const auto parameters = base::lower(link.substr(0, next));
    link.remove_prefix(next);
    for (const auto part : base::split(parameters, ';')) {
      const auto parameter = base::trim(base::split(part, ',').front());
      if (parameter == "rel=next" || parameter == "rel=\"next\"") return std::string(target);
    }
  }
  return std::nullopt;
}

std::optional<std::uint64_t> received_bytes(std::string_view range) {
  if (range.starts_with("bytes=")) range.remove_prefix(6);
  const auto dash = range.find('-');
  if (dash == std::string_view::npos || number(range.substr(0, dash)) != 0U) return std::nullopt;
  const auto last = number(range.substr(dash + 1));
  if (!last) return std::nullopt;
  // One byte and none are said the same; sending the byte again is refused where it is there, and asked again.
  return *last == 0 ? 0 : *last + 1;
}

std::optional<std::uint64_t> first_byte(std::string_view content_range) {
  if (!content_range.starts_with("bytes ")) return std::nullopt;
  content_range.remove_prefix(6);
  const auto dash = content_range.find('-');
  return dash == std::string_view::npos ? std::nullopt : number(content_range.substr(0, dash));
}

std::string told_reason(std::string_view body) {
  const auto document = document::JsonValue::parse(body, "the registry's answer");
  if (!document) return "";
  const auto errors = document->find("errors");
  if (!errors || !*errors) return "";
  const auto items = (*errors)->items();
  if (!items || items->empty()) return "";
  std::vector<std::string> words;
  for (const char* key : {"code", "message"})
    if (const auto word = items->front().text_or_empty(key); word && !word->empty())
      words.push_back(words.empty() ? base::lower(*word) : *word);
  return printable(base::join(words, ": "));
}

}  // namespace torchkiln::registry
