#include "foundation/document/document.hpp"

#include <catch2/catch.hpp>

using torchkiln::base::Error;
using torchkiln::base::ErrorCode;
using torchkiln::base::Place;
using torchkiln::document::Document;

namespace {

Document parse(std::string_view text) {
  auto document = Document::parse(text, "a.toml", ErrorCode::spec_invalid);
  REQUIRE(document);
  return std::move(*document);
}

Error error_of(const Document& document) {
  const auto result = document.check();
  REQUIRE_FALSE(result);
  return result.error();
}

}  // namespace

TEST_CASE("every value comes with its place") {
  auto document = parse("name = 'x'\n[a]\nlist = ['p',\n  'q']\nday = 2026-11-21\nyes = true\nn = -3\n");
  auto root = document.root();
  CHECK(root.text("name")->value == "x");
  CHECK(root.text("name")->place == Place{"a.toml", 1, 8});
  auto table = root.table("a");
  REQUIRE(table);
  CHECK(table->place().line == 2);
  CHECK(table->texts("list")->value.at(1).value == "q");
  CHECK(table->texts("list")->value.at(1).place == Place{"a.toml", 4, 3});
  CHECK(table->date("day")->value == "2026-11-21");
  CHECK(table->boolean("yes")->value);
  CHECK(table->integer("n")->value == -3);
  table->finish();
  root.finish();
  CHECK(document.check());
}

TEST_CASE("a key that nobody asked for is an error with the nearest known key") {
  auto document = parse("[require]\npytorhc = '2.8'\n");
  auto root = document.root();
  auto table = root.table("require");
  table->text("pytorch");
  table->text("python");
  table->finish();
  const Error error = error_of(document);
  CHECK(error.message == "unknown key \"pytorhc\" in [require]");
  CHECK(error.where == Place{"a.toml", 2, 1});
  CHECK(error.hints == std::vector<std::string>{"did you mean \"pytorch\"?"});
  CHECK(error.code == ErrorCode::spec_invalid);
}

TEST_CASE("a key far from every known one lists the known ones") {
  auto document = parse("zzzzzz = 1\n");
  auto root = document.root();
  root.text("image");
  root.text("user");
  root.finish();
  CHECK(error_of(document).hints == std::vector<std::string>{"known keys are image, user"});
}

TEST_CASE("a wrong type says what it must be and what it is") {
  const auto message = [](std::string_view text, auto ask) {
    auto document = parse(text);
    auto root = document.root();
    ask(root);
    return error_of(document).message;
  };
  CHECK(message("k = 2.8", [](auto& t) { t.text("k"); }) == "\"k\" must be a string, not a float");
  CHECK(message("k = '1'", [](auto& t) { t.integer("k"); }) == "\"k\" must be an integer, not a string");
  CHECK(message("k = 1", [](auto& t) { t.boolean("k"); }) == "\"k\" must be true or false, not an integer");
  CHECK(message("k = 'x'", [](auto& t) { t.texts("k"); }) == "\"k\" must be an array of strings, not a string");
  CHECK(message("k = ['x', 2]", [](auto& t) { t.texts("k"); }) ==
        "\"k\" must be an array of strings, not an integer");
  CHECK(message("k = []", [](auto& t) { t.table("k"); }) == "\"k\" must be a table, not an array");
  CHECK(message("k = [1]", [](auto& t) { t.tables("k"); }) == "\"k\" must be an array of tables, not an integer");
  CHECK(message("k = '2026-11-21'", [](auto& t) { t.date("k"); }) ==
        "\"k\" must be a date (2026-11-21, without quotes), not a string");
}

TEST_CASE("a missing key names its table") {
  auto document = parse("[image]\n");
  auto table = document.root().table("image");
  CHECK(table->required_text("name").value.empty());
  CHECK(error_of(document).message == "\"name\" is missing in [image]");
  CHECK(error_of(document).where == Place{"a.toml", 1, 1});
}

TEST_CASE("the first thing wrong is the one that is told") {
  auto document = parse("a = 1\nb = 2\n");
  auto root = document.root();
  root.text("b");
  root.text("a");
  CHECK(error_of(document).message == "\"b\" must be a string, not an integer");
}

TEST_CASE("what is no TOML is refused with its place") {
  const auto document = Document::parse("a = 1\nb = \n", "a.toml", ErrorCode::matrix_invalid);
  REQUIRE_FALSE(document);
  CHECK(document.error().code == ErrorCode::matrix_invalid);
  CHECK(document.error().where->line == 2);
  CHECK(document.error().message.starts_with("not valid TOML: "));
}

TEST_CASE("a key written twice is refused") {
  const auto document = Document::parse("a = 1\na = 2\n", "a.toml", ErrorCode::spec_invalid);
  REQUIRE_FALSE(document);
  CHECK(document.error().where->line == 2);
}

TEST_CASE("a value given to a parser carries the parser's error and its own place") {
  auto document = parse("x = 'bad'\n");
  auto root = document.root();
  const auto value = root.parsed("x", [](std::string_view text) -> torchkiln::base::Result<int> {
    return torchkiln::base::fail(ErrorCode::input_invalid, std::string(text) + " is bad", {"try good"});
  });
  CHECK_FALSE(value);
  const Error error = error_of(document);
  CHECK(error.message == "bad is bad");
  CHECK(error.hints == std::vector<std::string>{"try good"});
  CHECK(error.code == ErrorCode::spec_invalid);
  CHECK(error.where == Place{"a.toml", 1, 5});
}
