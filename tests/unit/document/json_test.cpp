#include "foundation/document/json.hpp"

#include "support/must.hpp"

using namespace torchkiln;
using namespace torchkiln::document;
using torchkiln::test::must;

namespace {

std::string complaint(std::string_view text, JsonLimits limits = {}) {
  const auto parsed = JsonValue::parse(text, "a.json", limits);
  REQUIRE_FALSE(parsed);
  const auto& error = parsed.error();
  return (error.where ? error.where->to_string() + ": " : "") + error.message;
}

std::string nested(unsigned depth) {
  return std::string(depth, '[') + std::string(depth, ']');
}

}  // namespace

TEST_CASE("a syntax error has its line and column") {
  CHECK(complaint("{\n  \"a\": tru\n}").starts_with("a.json:2:"));
  CHECK_THAT(complaint("{\n  \"a\": tru\n}"), Catch::Contains("is no valid JSON"));
  CHECK_THAT(complaint(""), Catch::Contains("is no valid JSON"));
  CHECK_THAT(complaint("{} {}"), Catch::Contains("is no valid JSON"));
  CHECK_THAT(complaint("{\"size\": 1e999}"), Catch::Contains("is no valid JSON"));
  CHECK_THAT(complaint("\"\xff\""), Catch::Contains("is no valid JSON"));
  CHECK_THAT(complaint("// c\n{}"), Catch::Contains("is no valid JSON"));
}

TEST_CASE("a key given twice is refused wherever it is") {
  CHECK(complaint(R"({"a": 1, "a": 2})") == "a.json has the key \"a\" twice");
  CHECK(complaint(R"({"b": [{"a": 1, "a": 1}]})") == "a.json has the key \"a\" twice");
  CHECK(JsonValue::parse(R"({"a": {"a": 1}, "b": [{"a": 1}, {"a": 2}]})", "a.json"));
}

TEST_CASE("depth and size have limits, and the limit itself is allowed") {
  CHECK(JsonValue::parse(nested(32), "a.json"));
  CHECK(complaint(nested(33)) == "a.json nests deeper than 32 levels");
  CHECK_THAT(complaint(nested(1'000'000), {.size_bytes = 4U << 20, .depth = 32}), Catch::Contains("nests deeper"));
  CHECK(JsonValue::parse("[12]", "a.json", {.size_bytes = 4, .depth = 1}));
  CHECK_THAT(complaint("[123]", {.size_bytes = 4, .depth = 1}), Catch::Contains("larger than the limit of 4 B"));
}

TEST_CASE("a document of a hundred thousand members is read at once") {
  std::string text = "{";
  for (int i = 0; i < 100'000; ++i) text += (i ? ",\"k" : "\"k") + std::to_string(i) + "\":0";
  const auto document = must(JsonValue::parse(text + "}", "a.json"));
  CHECK(must(document.members()).size() == 100'000);
}

TEST_CASE("a byte order mark is refused") {
  CHECK_THAT(complaint("\xEF\xBB\xBF{}"), Catch::Contains("byte order mark"));
}

TEST_CASE("complaints name the field and its type") {
  const auto document = must(JsonValue::parse(R"({"a": {"b": [1, "x", null]}, "n": null})", "a.json"));
  const auto list = must(must(document.member("a")).member("b"));
  const auto items = must(list.items());
  CHECK(items[1].integer().error().message == "a.b[1] is a string, not an integer");
  CHECK(items[0].text().error().message == "a.b[0] is a number, not a string");
  CHECK(list.text_map().error().message == "a.b is an array, not an object");
  CHECK(document.member("n").error().message == "the document lacks \"n\"");
  CHECK(document.has_only({"a"}).error().message == "the document has an unknown key \"n\"");
  CHECK(document.member("a")->texts().error().where->file == "a.json");
  CHECK(must(JsonValue::parse("18446744073709551615", "a.json")).integer().error().message ==
        "the document is too large");
}

TEST_CASE("what a document says cannot command the terminal") {
  const auto document = must(JsonValue::parse("{\"\\u001b[2J\": 1}", "a.json"));
  CHECK(document.has_only({}).error().message == "the document has an unknown key \"?[2J\"");
}

TEST_CASE("a digest must say sha256 and be lower-case hex") {
  const std::string hex(64, 'a');
  const auto digest = [](const std::string& text) {
    return must(JsonValue::parse(Json(text).dump(), "a.json")).digest();
  };
  CHECK(must(digest("sha256:" + hex)).hex() == hex);
  CHECK_FALSE(digest(hex));
  CHECK_FALSE(digest("sha512:" + hex));
  CHECK_FALSE(digest("sha256:" + std::string(64, 'A')));
  CHECK_FALSE(digest("sha256:../../../etc/passwd"));
}

TEST_CASE("a text that is not UTF-8 does not become a document") {
  CHECK_FALSE(to_bytes(Json{{"a", "\xff"}}));
}
