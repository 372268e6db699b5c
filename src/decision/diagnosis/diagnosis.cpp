#include "decision/diagnosis/diagnosis.hpp"

#include "decision/diagnosis/known_errors.hpp"
#include "foundation/base/text.hpp"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <optional>

namespace torchkiln::diagnosis {

namespace {

constexpr std::size_t k_quote_bytes = 400;
constexpr std::size_t k_following_lines = 8;  ///< behind an error's first line, of which details are read

/// Where in a line an error's text stands.
struct Match {
  std::size_t error = 0;  ///< number in known_errors()
  std::size_t begin = 0, end = 0;
};

/// Finds all patterns in one pass: the first four bytes of a pattern lead to it.
class Matcher {
 public:
  Matcher() {
    const auto errors = known_errors();
    for (std::size_t error = 0; error < errors.size(); ++error)
      for (const auto& pattern : errors[error].patterns)
        m_buckets[bucket_of(pattern.pieces[0].data())].push_back({error, &pattern});
  }

  /// In a normalized line in small letters. Of matches that overlap the longest stays.
  std::vector<Match> find(std::string_view line) const {
    std::vector<Match> found;
    for (std::size_t at = 0; at + k_key_bytes <= line.size(); ++at)
      for (const auto& entry : m_buckets[bucket_of(line.data() + at)])
        if (const auto end = end_of(*entry.pattern, line, at)) found.push_back({entry.error, at, *end});
    std::stable_sort(found.begin(), found.end(),
                     [](const Match& a, const Match& b) { return a.end - a.begin > b.end - b.begin; });
    std::vector<Match> kept;
    std::uint64_t is_kept = 0;
    for (const auto& match : found) {
      const auto bit = std::uint64_t{1} << match.error;
      const bool overlaps = std::any_of(kept.begin(), kept.end(), [&](const Match& other) {
        return match.begin < other.end && other.begin < match.end;
      });
      if (overlaps || (is_kept & bit)) continue;
      kept.push_back(match);
      is_kept |= bit;
    }
    return kept;
  }

 private:
  static constexpr std::size_t k_key_bytes = 4;
  static constexpr std::size_t k_bucket_bits = 12;
  struct Entry {
    std::size_t error;
    const Pattern* pattern;
  };

  static std::size_t bucket_of(const char* bytes) {
    std::uint32_t key = 0;
    std::memcpy(&key, bytes, k_key_bytes);
    return (key * 2654435761U) >> (32 - k_bucket_bits);  // Knuth's multiplicative hash
  }

  static std::optional<std::size_t> end_of(const Pattern& pattern, std::string_view line, std::size_t begin) {
    if (!line.substr(begin).starts_with(pattern.pieces[0])) return std::nullopt;
    auto end = begin + pattern.pieces[0].size();
    for (std::size_t i = 1; i < pattern.pieces.size() && !pattern.pieces[i].empty(); ++i) {
      const auto& piece = pattern.pieces[i];
      const auto at = line.substr(end, pattern.gap_bytes + piece.size()).find(piece);
      if (at == std::string_view::npos) return std::nullopt;
      end += at + piece.size();
    }
    return end;
  }

  std::array<std::vector<Entry>, std::size_t{1} << k_bucket_bits> m_buckets;
};

Finding finding_of(const KnownError& error) {
  Finding finding;
  finding.id = error.id;
  finding.title = error.title;
  finding.cause = error.cause;
  finding.weight = error.weight;
  for (const auto& one : error.remedies)
    finding.remedies.push_back({std::string(one.text), std::string(one.command)});
  for (const auto& thread : error.threads) finding.threads.emplace_back(thread);
  return finding;
}

/// "torchkiln audit --require 'CONDITION'" with the condition that the error names, when it has nothing in it that
/// a shell would read.
void fill_in(Finding& finding) {
  for (const auto& detail : finding.details) {
    const bool is_plain =
        detail.value.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.<>=!_-") ==
        std::string::npos;
    if (detail.name == "condition" && is_plain)
      for (auto& remedy : finding.remedies)
        remedy.command = base::replace_all(remedy.command, "CONDITION", detail.value);
  }
}

std::string quote_of(std::string_view line) {
  const auto text = without_colors(line);
  auto quote = base::trim(text);
  if (quote.size() <= k_quote_bytes) return std::string(quote);
  auto size = k_quote_bytes;
  while (size > 0 && (static_cast<unsigned char>(quote[size]) & 0xc0) == 0x80) --size;  // no half character
  return std::string(quote.substr(0, size)) + "…";
}

}  // namespace

std::vector<Finding> diagnose(std::string_view log) {
  if (log.size() > k_log_bytes) log.remove_prefix(log.size() - k_log_bytes);
  static const Matcher k_matcher;
  const auto errors = known_errors();
  const auto lines = base::lines(log);
  std::vector<Finding> found;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    const auto line = normalized(lines[i]);
    for (const auto& match : k_matcher.find(base::lower(line))) {
      const auto& error = errors[match.error];
      const auto known =
          std::find_if(found.begin(), found.end(), [&](const Finding& f) { return f.id == error.id; });
      if (known != found.end()) {
        ++known->times;
        continue;
      }
      std::vector<std::string> following;
      for (std::size_t j = i + 1; j < std::min(lines.size(), i + 1 + k_following_lines); ++j)
        following.push_back(normalized(lines[j]));
      auto finding = finding_of(error);
      finding.details = details_of(error.id, std::string_view(line).substr(match.begin), following);
      fill_in(finding);
      finding.line = i + 1;
      finding.times = 1;
      finding.quote = quote_of(lines[i]);
      found.push_back(std::move(finding));
    }
  }
  std::stable_sort(found.begin(), found.end(),
                   [](const Finding& a, const Finding& b) { return a.weight < b.weight; });
  return found;
}

}  // namespace torchkiln::diagnosis
