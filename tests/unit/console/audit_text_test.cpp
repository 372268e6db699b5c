// Names that somebody else chose, in every form that they are written.

#include "interface/console/audit_text.hpp"

#include "interface/console/audit_grid.hpp"
#include "support/audit_grids.hpp"

#include <catch2/catch.hpp>

#include <nlohmann/json.hpp>

using namespace torchkiln::console;
namespace test = torchkiln::test;

TEST_CASE("what is not UTF-8 is replaced, byte by byte, and everything else kept") {
  CHECK(valid_utf8("plain ünïcode 🙂") == "plain ünïcode 🙂");
  CHECK(valid_utf8("a\xff"
                   "b") ==
        "a\xef\xbf\xbd"
        "b");
  CHECK(valid_utf8("\xc3") == "\xef\xbf\xbd");                                  // cut off
  CHECK(valid_utf8("\xc0\x80") == "\xef\xbf\xbd\xef\xbf\xbd");                  // overlong
  CHECK(valid_utf8("\xed\xa0\x80") == "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd");  // a surrogate
  CHECK(valid_utf8("\xf4\x90\x80\x80").size() == 12);                           // past U+10FFFF
  for (const auto& name : test::hostile_names()) CHECK(nlohmann::json::accept(json_string(name)));
}

TEST_CASE("on a line for people there are no control codes, no line ends and no turns of direction") {
  CHECK(one_line("  a\r\n\tb  ") == "a b");
  CHECK(one_line("\x1b[31mred") == "\xef\xbf\xbd[31mred");
  CHECK(one_line("x\xe2\x80\xaey") == "x\xef\xbf\xbdy");
  CHECK(one_line("x\xc2\x9by") == "x\xef\xbf\xbdy");  // CSI of eight bits
  CHECK(one_line("a\xe2\x80\xa8z") == "a z");
}

TEST_CASE("text is wrapped at words, by columns rather than bytes") {
  CHECK(wrapped("", 10) == std::vector<std::string>{""});
  CHECK(wrapped("aaa bbb ccc", 7) == std::vector<std::string>{"aaa bbb", "ccc"});
  CHECK(wrapped("üüü ü", 5) == std::vector<std::string>{"üüü ü"});
  CHECK(wrapped("日本語", 4) == std::vector<std::string>{"日本", "語"});
  CHECK(wrapped("abcdefgh", 3) == std::vector<std::string>{"abc", "def", "gh"});
}

TEST_CASE("markup has no markup in it, and nothing that XML refuses") {
  CHECK(markup_escaped("<a href=\"x\">&'") == "&lt;a href=&quot;x&quot;&gt;&amp;&#39;");
  CHECK(markup_escaped(std::string("\0\x08\x1f\x7f", 4)) == "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd");
  CHECK(markup_escaped("\xef\xbf\xbf") == "\xef\xbf\xbd");
  CHECK(markup_escaped("a\tb\nc\rd") == "a\tb\nc d");
}

TEST_CASE("a source is a place when it names a file of lines") {
  CHECK(place_of("manifests/cuda.toml:12").file == "manifests/cuda.toml");
  CHECK(place_of("manifests/cuda.toml:12").line == 12);
  CHECK(place_of("kiln.toml:3:7").line == 3);
  CHECK(place_of("deploy/kiln.lock").file == "deploy/kiln.lock");
  CHECK(place_of("deploy/kiln.lock").line == 0);
  for (const auto* text : {"", "NVML", "--pytorch", "/proc/driver/nvidia/version", "manifests/cuda.toml:x",
                           "manifests/cuda.toml:0", "manifests/cuda.toml:99999999999", ".toml"})
    CHECK(place_of(text).file.empty());
}

TEST_CASE("names are written as ranges, as Slurm writes them") {
  CHECK(compressed({}).empty());
  CHECK(compressed({"a"}) == "a");
  CHECK(compressed({"node001", "node002", "node003", "node007"}) == "node[001-003,007]");
  CHECK(compressed({"node9", "node10", "node11"}) == "node[9-11]");
  CHECK(compressed({"n099", "n100"}) == "n[099-100]");
  CHECK(compressed({"n1", "n01"}) == "n1, n01");
  CHECK(compressed({"n3", "login", "n1", "n2"}) == "n[1-3], login");
  CHECK(compressed({"r1-gpu2.example", "r1-gpu3.example", "r2-gpu4.example"}) ==
        "r1-gpu[2-3].example, r2-gpu4.example");
  CHECK(compressed({"n1", "n1"}) == "n1");
  CHECK(compressed({"i-0123456789abcdef0123", "12345678901234567890"}) ==
        "i-0123456789abcdef0123, 12345678901234567890");
  CHECK(compressed({"", "\n"}) == "(no name)");
}
