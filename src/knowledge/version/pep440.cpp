#include "knowledge/version/pep440.hpp"

#include "foundation/base/text.hpp"

#include <algorithm>
#include <array>
#include <charconv>

#include <fmt/format.h>

namespace torchkiln::version {

namespace {

using base::ErrorCode;

/// The longest version text that is read; real ones are below 40.
constexpr std::size_t k_version_text_max = 200;

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool is_letter(char c) {
  return c >= 'a' && c <= 'z';
}

/// A cursor over lower-case text.
struct Scanner {
  std::string_view rest;

  bool take(char c) {
    if (rest.empty() || rest.front() != c) return false;
    rest.remove_prefix(1);
    return true;
  }
  bool take(std::string_view word) {
    if (!rest.starts_with(word)) return false;
    rest.remove_prefix(word.size());
    return true;
  }
  bool take_separator() { return take('.') || take('-') || take('_'); }
  std::optional<std::uint64_t> take_number() {
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), value);
    if (error != std::errc()) return std::nullopt;
    rest.remove_prefix(static_cast<std::size_t>(end - rest.data()));
    return value;
  }
};

base::Unexpected not_a_version(std::string_view text) {
  return base::fail(ErrorCode::input_invalid, fmt::format("\"{}\" is not a version", text),
                    {"versions are written as PEP 440 says, for example 2.8.0"});
}

/// The number after a word such as "rc": "rc1", "rc.1", "rc-1", "rc" (meaning 0).
std::uint64_t number_after_word(Scanner& scanner) {
  const Scanner before = scanner;
  scanner.take_separator();
  if (const auto number = scanner.take_number()) return *number;
  scanner = before;
  return 0;
}

/// The kind that a pre-release word stands for (PEP 440, "Pre-release spelling").
std::optional<int> take_pre_word(Scanner& scanner) {
  constexpr std::array<std::pair<std::string_view, int>, 8> k_words{
      {{"alpha", 0}, {"beta", 1}, {"preview", 2}, {"pre", 2}, {"rc", 2}, {"a", 0}, {"b", 1}, {"c", 2}}};
  for (const auto& word : k_words)
    if (scanner.take(word.first)) return word.second;
  return std::nullopt;
}

bool is_number(std::string_view segment) {
  return !segment.empty() && std::all_of(segment.begin(), segment.end(), is_digit);
}

/// Local segments: numbers by value and after words, words by bytes (PEP 440, "Local version identifiers").
std::strong_ordering compare_segment(const std::string& a, const std::string& b) {
  const bool a_number = is_number(a);
  const bool b_number = is_number(b);
  if (a_number != b_number) return a_number <=> b_number;
  if (a_number && a.size() != b.size()) return a.size() <=> b.size();
  return a.compare(b) <=> 0;
}

}  // namespace

Version Version::of(std::vector<std::uint64_t> release) {
  Version version;
  version.m_release = std::move(release);
  return version;
}

base::Result<Version> Version::parse(std::string_view text) {
  const std::string lowered = base::lower(base::trim(text));
  if (lowered.empty() || lowered.size() > k_version_text_max) return not_a_version(text);
  Scanner scanner{lowered};
  Version version;
  version.m_release.clear();
  scanner.take('v');
  auto number = scanner.take_number();
  if (!number) return not_a_version(text);
  if (scanner.take('!')) {
    version.m_epoch = *number;
    number = scanner.take_number();
    if (!number) return not_a_version(text);
  }
  version.m_release.push_back(*number);
  for (Scanner ahead = scanner; ahead.take('.'); scanner = ahead) {
    const auto next = ahead.take_number();
    if (!next) break;
    version.m_release.push_back(*next);
  }
  Scanner ahead = scanner;
  ahead.take_separator();
  if (const auto kind = take_pre_word(ahead)) {
    version.m_pre = Pre{*kind, number_after_word(ahead)};
    scanner = ahead;
  }
  ahead = scanner;
  if (ahead.take('-')) {
    if (const auto implicit = ahead.take_number()) {  // "1.0-1" is a post release
      version.m_post = *implicit;
      scanner = ahead;
    }
  }
  if (!version.m_post) {
    ahead = scanner;
    ahead.take_separator();
    if (ahead.take("post") || ahead.take("rev") || ahead.take("r")) {
      version.m_post = number_after_word(ahead);
      scanner = ahead;
    }
  }
  ahead = scanner;
  ahead.take_separator();
  if (ahead.take("dev")) {
    version.m_dev = number_after_word(ahead);
    scanner = ahead;
  }
  if (scanner.take('+')) {
    std::string segment;
    for (const char c : std::string(scanner.rest) + ".") {
      if (is_digit(c) || is_letter(c)) {
        segment += c;
        continue;
      }
      if ((c != '.' && c != '-' && c != '_') || segment.empty()) return not_a_version(text);
      if (is_number(segment)) segment.erase(0, std::min(segment.find_first_not_of('0'), segment.size() - 1));
      version.m_local.push_back(std::move(segment));
      segment.clear();
    }
    scanner.rest = {};
  }
  if (!scanner.rest.empty()) return not_a_version(text);
  return version;
}

std::string Version::local() const {
  return base::join(m_local, ".");
}

std::string Version::to_string() const {
  std::string text;
  if (m_epoch) text += fmt::format("{}!", m_epoch);
  text += fmt::format("{}", fmt::join(m_release, "."));
  constexpr std::array<const char*, 3> k_pre{"a", "b", "rc"};
  if (m_pre) text += fmt::format("{}{}", k_pre[static_cast<std::size_t>(m_pre->kind)], m_pre->number);
  if (m_post) text += fmt::format(".post{}", *m_post);
  if (m_dev) text += fmt::format(".dev{}", *m_dev);
  if (!m_local.empty()) text += "+" + local();
  return text;
}

Version Version::without_local() const {
  Version version = *this;
  version.m_local.clear();
  return version;
}

bool Version::starts_with(const Version& prefix) const {
  if (m_epoch != prefix.m_epoch) return false;
  for (std::size_t i = 0; i < prefix.m_release.size(); ++i)
    if (part(i) != prefix.m_release[i]) return false;
  return true;
}

std::strong_ordering Version::operator<=>(const Version& other) const {
  if (const auto order = m_epoch <=> other.m_epoch; order != 0) return order;
  for (std::size_t i = 0; i < std::max(m_release.size(), other.m_release.size()); ++i)
    if (const auto order = part(i) <=> other.part(i); order != 0) return order;
  // A development release of the final version comes before its pre-releases, the final version after them.
  const auto pre_rank = [](const Version& v) {
    if (v.m_pre) return std::pair<int, std::uint64_t>(v.m_pre->kind, v.m_pre->number);
    return std::pair<int, std::uint64_t>(!v.m_post && v.m_dev ? -1 : 3, 0);
  };
  if (const auto order = pre_rank(*this) <=> pre_rank(other); order != 0) return order;
  if (const auto order = m_post <=> other.m_post; order != 0) return order;  // none before .post0
  if (m_dev.has_value() != other.m_dev.has_value()) return other.m_dev.has_value() <=> m_dev.has_value();
  if (m_dev && *m_dev != *other.m_dev) return *m_dev <=> *other.m_dev;
  for (std::size_t i = 0; i < std::min(m_local.size(), other.m_local.size()); ++i)
    if (const auto order = compare_segment(m_local[i], other.m_local[i]); order != 0) return order;
  return m_local.size() <=> other.m_local.size();
}

}  // namespace torchkiln::version
