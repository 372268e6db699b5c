// A Dockerfile is read as BuildKit reads it.

#include "decision/lint/dockerfile.hpp"

#include "support/must.hpp"

#include <catch2/catch.hpp>

using namespace torchkiln;
using namespace torchkiln::lint;
using test::must;

namespace {

Dockerfile read(const std::string& text) {
  return must(read_dockerfile(text, "Dockerfile"));
}

/// "RUN|a b" for each instruction.
std::vector<std::string> told(const std::string& text) {
  std::vector<std::string> all;
  for (const auto& one : read(text).instructions) all.push_back(one.keyword + "|" + one.text.bytes());
  return all;
}

using Strings = std::vector<std::string>;

}  // namespace

TEST_CASE("lines continue behind an escape, over comments and empty lines") {
  CHECK(told("run a \\\n  b \\\n# c\n\n  # d\n  e\nUSER x") == Strings{"RUN|a   b   e", "USER|x"});
  CHECK(told("RUN a \\  \t\n b\r\nRUN c \\\\\nUSER x\n") == Strings{"RUN|a  b", "RUN|c \\\\", "USER|x"});
  CHECK(told("RUN a \\") == Strings{"RUN|a "});
}

TEST_CASE("the escape directive counts before anything else only") {
  CHECK(told("# escape=`\nRUN a `\n b") == Strings{"RUN|a  b"});
  CHECK(told("#syntax=docker/dockerfile:1\n# Escape = `\nRUN a `\n b") == Strings{"RUN|a  b"});
  CHECK(told("# words\n# escape=`\nRUN a `\nUSER b") == Strings{"RUN|a `", "USER|b"});
  CHECK(told("\n# escape=`\nRUN a `\nUSER b") == Strings{"RUN|a `", "USER|b"});
}

TEST_CASE("flags are told from arguments") {
  const auto file = read("COPY --from=build --chown=1:1 a --b /c\nRUN --mount=type=secret,id=x -- --y\n");
  REQUIRE(file.instructions.size() == 2);
  CHECK(file.instructions[0].text.bytes() == "a --b /c");
  REQUIRE(file.instructions[0].flag("from"));
  CHECK(file.instructions[0].flag("from")->value == "build");
  CHECK(file.instructions[0].flag("from")->position == Position{1, 6});
  CHECK(file.instructions[1].text.bytes() == "--y");
  CHECK(told("CMD --a b") == Strings{"CMD|--a b"});
}

TEST_CASE("here-documents belong to their instruction") {
  const auto file =
      read("RUN <<EOF cat && <<-\"B\" x\n# no comment\nUSER a\nEOF\n\ty\n\tB\nCOPY <<E /f\nRUN z\nE\nUSER b");
  REQUIRE(file.instructions.size() == 3);
  CHECK(file.comments.empty());
  REQUIRE(file.instructions[0].heredocs.size() == 2);
  CHECK(file.instructions[0].heredocs[0].body.bytes() == "# no comment\nUSER a\n");
  CHECK(file.instructions[0].heredocs[0].body.position(0) == Position{2, 1});
  CHECK(file.instructions[0].heredocs[1].body.bytes() == "y\n");
  CHECK(file.instructions[0].heredocs[1].body.position(0) == Position{5, 2});
  CHECK(file.instructions[0].last_line == 6);
  CHECK(file.instructions[2].keyword == "USER");
  CHECK(read("RUN cat <<<EOF\nUSER a").instructions.size() == 2);
  CHECK(read("USER <<EOF\nUSER a").instructions.size() == 2);
}

TEST_CASE("the JSON form is only one when it is an array of texts") {
  CHECK(read(R"(CMD ["a", "b c"])").instructions[0].json == Strings{"a", "b c"});
  CHECK_FALSE(read("CMD ['a']").instructions[0].json);
  CHECK_FALSE(read("CMD [1]").instructions[0].json);
  CHECK_FALSE(read(R"(RUN [ "$x" = "y" ] && true)").instructions[0].json);
  CHECK(read(R"(HEALTHCHECK --timeout=3s CMD ["a"])").instructions[0].json == Strings{"a"});
  CHECK(read("COPY [\"a b\", \\\n \"/c\"]").instructions[0].json == Strings{"a b", "/c"});
}

TEST_CASE("ONBUILD leaves its instruction, and when it counts") {
  const auto file = read("ONBUILD COPY --from=a b /c\n");
  REQUIRE(file.instructions.size() == 1);
  CHECK(file.instructions[0].keyword == "COPY");
  CHECK(file.instructions[0].when == When::on_build);
  CHECK(file.instructions[0].flag("from")->value == "a");
}

TEST_CASE("what BuildKit refuses is a problem with its place, and the rest is read") {
  const auto file = read("FROM a\n  FRM b\nRUN <<EOF\nx\n");
  REQUIRE(file.problems.size() == 2);
  CHECK(file.problems[0].text == "there is no instruction FRM");
  CHECK(file.problems[0].position == Position{2, 3});
  CHECK(file.problems[1].text == "the here-document EOF has no end");
  CHECK(read("USER\n").problems.at(0).text == "USER needs an argument");
  CHECK(read("ONBUILD ONBUILD RUN a\n").problems.at(0).text == "ONBUILD ONBUILD is not allowed");
}

TEST_CASE("words lose their quotes and keep their places") {
  const auto words = words_of(R"(a "b c"'d' e\ f $G "\$h" 'i\j')", '\\');
  REQUIRE(words.size() == 6);
  CHECK(words[1].text == "b cd");
  CHECK(words[1].offset == 2);
  CHECK(words[2].text == "e f");
  CHECK(words[4].text == "\\$h");
  CHECK(words[5].text == "i\\j");
}
