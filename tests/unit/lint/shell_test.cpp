// The commands of a shell script, whatever stands around them.

#include "decision/lint/shell.hpp"

#include <catch2/catch.hpp>

using namespace torchkiln::lint;

namespace {

/// "a b; c" for the commands `a b` and `c`; "|" behind one that is piped, "<" before one that another runs.
std::string told(std::string_view script) {
  std::string all;
  for (const auto& command : commands_of(script)) {
    all += all.empty() ? "" : "; ";
    if (command.origin == Origin::wrapped) all += "<";
    for (const auto& word : command.assignments) all += word.text + " ";
    for (std::size_t i = 0; i < command.words.size(); ++i) all += (i ? " " : "") + command.words[i].text;
    if (command.piped == Piped::into_next) all += "|";
  }
  return all;
}

}  // namespace

TEST_CASE("operators end a command") {
  CHECK(told("a b && c || d; e & f | g |& h\ni") == "a b; c; d; e; f|; g|; h; i");
  CHECK(told("a 'b && c' \"d | e\" f\\;g") == "a b && c d | e f;g");
  CHECK(told("a # b && c\nd") == "a; d");
  CHECK(told("a#b") == "a#b");
}

TEST_CASE("assignments and redirections are no words") {
  CHECK(told("A=1 B='x y' c D=2 > out 2>&1 < in &> all e") == "A=1 B=x y c D=2 e");
  CHECK(told("A=1") == "A=1 ");
  CHECK(told("cat <<EOF && a\nb && c\nEOF\nd") == "cat; a; d");
  CHECK(told("cat <<-'E'\n\tb\n\tE\nd") == "cat; d");
  CHECK(told("cat <<< b; c") == "cat; c");
}

TEST_CASE("control structures are walked through") {
  CHECK(told("if a; then b; elif ! c; then d; else e; fi") == "a; b; c; d; e");
  CHECK(told("while a; do (b; c); done") == "a; b; c");
  CHECK(told("{ a; b; } && time c") == "a; b; c");
  CHECK(told("case $x in y) a;; z) b;; esac") == "$x in y; a; z; b");
}

TEST_CASE("commands inside others are commands") {
  CHECK(told("a $(b; c $(d)) \"$(e | f)\"") == "a  ; b; c ; d; e|; f");
  CHECK(told("a `b c`") == "a ; b c");
  CHECK(told("sudo -u root A=1 a b") == "sudo -u root A=1 a b; <A=1 a b");
  CHECK(told("env -u X A=1 nice -n 5 a") == "env -u X A=1 nice -n 5 a; <A=1 nice -n 5 a; <a");
  CHECK(told("bash -euxo pipefail -c 'a && b | c'") == "bash -euxo pipefail -c a && b | c; <a; <b|; <c");
  CHECK(told("ls | xargs -n 1 rm -f") == "ls|; xargs -n 1 rm -f; <rm -f");
  CHECK(told("conda run -n x pip install y") == "conda run -n x pip install y; <pip install y");
  CHECK(told("timeout 5 a b") == "timeout 5 a b; <a b");
}

TEST_CASE("a word with a command in it has a value that only the build knows; quotes keep a dollar") {
  const auto commands = commands_of("a $(b) '$c' \"\\$d\" $e");
  REQUIRE(commands.size() == 2);
  CHECK_FALSE(commands[0].words[1].is_known);
  CHECK(commands[0].words[2].text == "\\$c");
  CHECK(commands[0].words[3].text == "\\$d");
  CHECK(commands[0].words[4].text == "$e");
}

TEST_CASE("what is not ended ends with the text, however deep") {
  for (const auto* script :
       {"a $(", "a `", "a \"b", "a 'b", "a ${b", "a <<", "a >", "((((((((((((a", "a\\", ")a", "(", "&>"})
    CHECK(commands_of(script).size() <= 2);
  std::string deep;
  for (int i = 0; i < 1000; ++i) deep += "$(a ";
  CHECK(commands_of(deep).size() >= k_shell_depth);
  CHECK(commands_of("a\nb").at(1).words.at(0).offset == 2);
  CHECK(commands_of("/usr/bin/apt-get x").at(0).program() == "apt-get");
}
