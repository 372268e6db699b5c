#include "foundation/base/text.hpp"

#include <catch2/catch.hpp>
#include <limits>

using namespace torchkiln::base;
using Texts = std::vector<std::string>;

namespace {
Texts copies(const std::vector<std::string_view>& views) {
  return {views.begin(), views.end()};
}
}  // namespace

TEST_CASE("splitting keeps empty pieces, and joining undoes it") {
  CHECK(copies(split("a,,b,", ',')) == Texts{"a", "", "b", ""});
  CHECK(copies(split("", ',')) == Texts{""});
  CHECK(join(copies(split("a,,b,", ',')), ",") == "a,,b,");
  CHECK(join({}, ",").empty());
}

TEST_CASE("lines lose their ends, of either kind, and no empty last line is invented") {
  CHECK(lines("").empty());
  CHECK(copies(lines("\n")) == Texts{""});
  CHECK(copies(lines("a\nb")) == Texts{"a", "b"});
  CHECK(copies(lines("a\r\nb\r\n")) == Texts{"a", "b"});
  CHECK(copies(lines("a\n\nb\n")) == Texts{"a", "", "b"});
}

TEST_CASE("trimming, lowering and replacing touch nothing else") {
  CHECK(trim(" \t\r\n a b \v\f") == "a b");
  CHECK(trim("   ").empty());
  CHECK(lower("AbC-\xC3\x84") == "abc-\xC3\x84");
  CHECK(replace_all("aaa", "a", "aa") == "aaaaaa");
  CHECK(replace_all("abc", "", "x") == "abc");
}

TEST_CASE("base64 gives the examples of RFC 4648 and takes them back") {
  const std::vector<std::pair<std::string, std::string>> examples = {{"", ""},
                                                                     {"f", "Zg=="},
                                                                     {"fo", "Zm8="},
                                                                     {"foo", "Zm9v"},
                                                                     {"foob", "Zm9vYg=="},
                                                                     {"fooba", "Zm9vYmE="},
                                                                     {"foobar", "Zm9vYmFy"},
                                                                     {std::string("\xfb\xff\x00", 3), "+/8A"}};
  for (const auto& [bytes, text] : examples) {
    CHECK(to_base64(bytes) == text);
    CHECK(from_base64(text) == bytes);
  }
}

TEST_CASE("base64 that is not exactly one byte string's encoding is refused") {
  for (const std::string text : {"Zg", "Zg=", "Zg===", "Z===", "====", "=", "Zg==Zg==", "Zm=v", "Zm9v\n", " Zm9v",
                                 "Zm9v ", "Zm-v", "Zm_v", "Zh==", "Zm9=", "Z\n==", "Zm9v="})
    CHECK_FALSE(from_base64(text).has_value());
  CHECK_FALSE(from_base64(std::string("Zm9\0", 4)).has_value());
}

TEST_CASE("hex is lower case, two digits a byte") {
  CHECK(to_hex(std::string("\x00\x0f\xff", 3)) == "000fff");
}

TEST_CASE("an integer takes all of the text or is none") {
  CHECK(parse_integer("0") == 0);
  CHECK(parse_integer("-17") == -17);
  CHECK(parse_integer("9223372036854775807") == std::numeric_limits<std::int64_t>::max());
  for (const std::string_view text : {"", " 1", "1 ", "+1", "0x1", "1.0", "9223372036854775808", "-", "1e3"})
    CHECK_FALSE(parse_integer(text).has_value());
}

TEST_CASE("the nearest word is found when it is a slip of the finger away, and only then") {
  const Texts known = {"pytorch", "python", "cuda", "cudnn", "os"};
  CHECK(nearest("pytorhc", known) == "pytorch");
  CHECK(nearest("PyTorch", known) == "pytorch");
  CHECK(nearest("cdnn", known) == "cudnn");
  CHECK(nearest("oss", known) == "os");
  CHECK(nearest("so", known) == "os");  // two neighbours swapped are one slip
  CHECK(nearest("cdua", known) == "cuda");
  CHECK_FALSE(nearest("tensorflow", known).has_value());
  CHECK_FALSE(nearest("zz", known).has_value());
  CHECK_FALSE(nearest("pytorch", {}).has_value());
}

TEST_CASE("of two candidates equally near the first is named") {
  CHECK(nearest("cud", Texts{"cuda", "cudb"}) == "cuda");
}

TEST_CASE("an empty word is no slip of the finger") {
  CHECK_FALSE(nearest("", Texts{"a", "os"}).has_value());
}

TEST_CASE("sizes are written in decimal units with two or three digits") {
  const std::vector<std::pair<std::uint64_t, std::string>> examples = {
      {0, "0 B"},
      {7, "7 B"},
      {999, "999 B"},
      {1000, "1.0 kB"},
      {1500, "1.5 kB"},
      {99'949, "99.9 kB"},
      {99'950, "100 kB"},
      {999'499, "999 kB"},
      {999'500, "1.0 MB"},
      {887'912'345, "888 MB"},
      {3'900'000'000, "3.9 GB"},
      {5'000'000'000'000, "5.0 TB"},
      {18'446'744'073'709'551'615U, "18446744 TB"}};
  for (const auto& [size, text] : examples) CHECK(format_bytes(size) == text);
}

TEST_CASE("an address loses its user and password and nothing else") {
  const std::vector<std::pair<std::string, std::string>> examples = {
      {"https://user:secret@index.example/simple", "https://index.example/simple"},
      {"https://token@index.example", "https://index.example"},
      {"https://user:se@cret@index.example/a", "https://index.example/a"},
      {"https://index.example/a@b", "https://index.example/a@b"},
      {"https://index.example/?q=a@b", "https://index.example/?q=a@b"},
      {"https://index.example#a@b", "https://index.example#a@b"},
      {"file:///a@b", "file:///a@b"},
      {"no address at all", "no address at all"}};
  for (const auto& [url, expected] : examples) CHECK(without_credentials(url) == expected);
}

TEST_CASE("every address in a line of another program's words loses its password") {
  CHECK(without_credentials("error: `https://u:secret@a.example/x` and then 'http://v:secret@b.example' failed") ==
        "error: `https://a.example/x` and then 'http://b.example' failed");
  CHECK(without_credentials("fetch https://u:secret@a.example, write to me@b.example") ==
        "fetch https://a.example, write to me@b.example");
}

TEST_CASE("times are written as RFC 3339 in UTC and read back") {
  const std::vector<std::pair<std::int64_t, std::string>> examples = {{0, "1970-01-01T00:00:00Z"},
                                                                      {1'754'491'980, "2025-08-06T14:53:00Z"},
                                                                      {951'782'399, "2000-02-28T23:59:59Z"},
                                                                      {951'782'400, "2000-02-29T00:00:00Z"},
                                                                      {4'102'444'800, "2100-01-01T00:00:00Z"},
                                                                      {-1, "1969-12-31T23:59:59Z"}};
  for (const auto& [seconds, text] : examples) {
    CHECK(format_time(seconds) == text);
    CHECK(parse_time(text) == seconds);
  }
}

TEST_CASE("a time may have a fraction and either spelling of UTC") {
  CHECK(parse_time("2025-08-06T14:53:00.123456Z") == 1'754'491'980);
  CHECK(parse_time("2025-08-06T14:53:00+00:00") == 1'754'491'980);
  CHECK(parse_time("2025-08-06t14:53:00z") == 1'754'491'980);
  CHECK(parse_time("2025-08-06 14:53:00Z") == 1'754'491'980);  // RFC 3339, 5.6: a space may stand for the T
}

TEST_CASE("what is no time in UTC is refused") {
  for (const std::string_view text :
       {"", "2025-08-06", "2025-08-06T14:53:00", "2025-08-06T14:53:00+02:00", "2025-02-29T00:00:00Z",
        "2025-13-01T00:00:00Z", "2025-08-06T24:00:00Z", "2025-08-06T14:60:00Z", "2025-08-06T14:53:61Z",
        "2025-08-06T14:-3:00Z", "2025-08-06T-1:53:00Z", "2025-08-06T14:53:-0Z", "-025-08-06T14:53:00Z",
        "2025-08-06X14:53:00Z", "2025-08-06T14:53:00.Z", "2025-08-06T14:53:00Zz", "2025/08/06T14:53:00Z",
        "2025-08-06T14:53:00.5"})
    CHECK_FALSE(parse_time(text).has_value());
}
