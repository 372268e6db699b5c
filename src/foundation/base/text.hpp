#pragma once
// Text that every room needs the same way: splitting, joining, encodings, "did you mean".

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace torchkiln::base {

/// The pieces of `text` between separators, empty ones included; one piece for a text without a separator.
std::vector<std::string_view> split(std::string_view text, char separator);
/// The lines of `text` without their "\n" or "\r\n"; no last empty line.
std::vector<std::string_view> lines(std::string_view text);
/// `text` without ASCII white space at both ends.
std::string_view trim(std::string_view text);
std::string join(std::span<const std::string> parts, std::string_view separator);
std::string replace_all(std::string text, std::string_view from, std::string_view to);
/// ASCII lower case.
std::string lower(std::string_view text);

/// Lower-case hex of every byte.
std::string to_hex(std::string_view bytes);
/// RFC 4648 base64 with padding.
std::string to_base64(std::string_view bytes);
/// Strict RFC 4648 base64 with padding; nothing for anything else.
std::optional<std::string> from_base64(std::string_view text);

/// A decimal number that takes all of `text`; nothing when it is not one or does not fit.
std::optional<std::int64_t> parse_integer(std::string_view text);

/// The candidate nearest to `word` by edit distance, if it is near enough to be a slip of the finger.
std::optional<std::string> nearest(std::string_view word, std::span<const std::string> candidates);

/// "1.5 GB", "12 kB", "7 B": decimal units, as registries and package indexes count.
std::string format_bytes(std::uint64_t size_bytes);

/// `text`, an address or a line with addresses in it, without their user names and passwords, fit for messages:
/// "https://user:secret@host/x" becomes "https://host/x".
std::string without_credentials(std::string_view text);

/// Seconds since 1970 as RFC 3339 in UTC, "2025-08-06T14:53:00Z".
std::string format_time(std::int64_t unix_time_s);
/// The reverse; fractions of a second are dropped, only "Z" and "+00:00" are accepted as zone.
std::optional<std::int64_t> parse_time(std::string_view text);

}  // namespace torchkiln::base
