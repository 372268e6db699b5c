#pragma once
// Names that somebody else chose, written so that no format takes them for anything else. Internal to console.

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace torchkiln::console {

/// `text` with every byte that is not part of valid UTF-8 (RFC 3629) as U+FFFD.
std::string valid_utf8(std::string_view text);

/// On one line, for people: valid_utf8, white space as single spaces; other control codes, and what changes the
/// direction of writing (Unicode UAX #9), as U+FFFD.
std::string one_line(std::string_view text);

/// How many columns of a terminal valid text takes: a column for each code point, two for those of East Asia.
std::size_t columns_of(std::string_view text);

/// The words of `text` on lines of at most `columns`; a longer word is cut. At least one line.
std::vector<std::string> wrapped(std::string_view text, std::size_t columns);

/// For the text and the attributes of HTML and XML: & < > " ' escaped, valid_utf8, and what XML 1.0 allows in no
/// form (section 2.2: control codes but tab and line ends, U+FFFE, U+FFFF) as U+FFFD.
std::string markup_escaped(std::string_view text);

/// What a content security policy names a style sheet or script in the page by (CSP level 3, "hash-source").
std::string hash_source(std::string_view text);

/// A JSON string with its quotes, valid_utf8.
std::string json_string(std::string_view text);

/// A file and a line that a source names, "manifests/cuda.toml:12" or "kiln.lock"; `file` is empty where it names
/// something else ("NVML", "--pytorch").
struct SourcePlace {
  std::string file;
  int line = 0;
};
SourcePlace place_of(std::string_view source);

/// A path as a URI reference (RFC 3986).
std::string uri_of(const std::string& path);

}  // namespace torchkiln::console
