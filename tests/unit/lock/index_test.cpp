#include "plan/lock/index.hpp"

#include "support/fake_tool.hpp"
#include "support/test_folder.hpp"
#include "unit/lock/variables.hpp"

#include <catch2/catch.hpp>

using namespace torchkiln::lock;
using torchkiln::base::ErrorCode;
using torchkiln::lock::test::Variables;
using torchkiln::test::error_of;
using torchkiln::test::FakeTool;
using torchkiln::test::must;
using torchkiln::test::TestFolder;
using Texts = std::vector<std::string>;

namespace {

/// A machine without configuration, but for /etc/pip.conf and /etc/uv, which tests must not depend on.
struct Machine {
  TestFolder home;
  Variables variables;
  Machine() {
    variables.set("HOME", home.path().string());
    for (const char* name :
         {"XDG_CONFIG_HOME", "PIP_CONFIG_FILE", "PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "UV_INDEX_URL",
          "UV_DEFAULT_INDEX", "UV_INDEX", "UV_CONFIG_FILE", "UV_EXTRA_INDEX_URL", "UV_NO_INDEX"})
      variables.set(name, std::nullopt);
  }
  /// The indexes with this content of the user's pip.conf.
  PythonIndexes with(const std::string& pip_conf) const {
    home.write(".config/pip/pip.conf", pip_conf);
    return must(python_indexes({}));
  }
};

}  // namespace

TEST_CASE("pip's configuration of the user gives the index and the further ones") {
  const Machine machine;
  const auto indexes = machine.with(
      "# comment\n[global]\nindex-url = https://index.example/simple\nextra-index-url =\n    "
      "https://one.example/simple\n"
      "    # comment between\n    https://two.example/simple\ntimeout = 60\n");
  CHECK(indexes.index == "https://index.example/simple");
  CHECK(indexes.extra == Texts{"https://one.example/simple", "https://two.example/simple"});
}

TEST_CASE("keys and values are read as pip reads them") {
  const Machine machine;
  CHECK(machine.with("[global]\nINDEX_URL: https://a.example\n").index == "https://a.example");
  CHECK(machine.with("[global]\nindex-url =\n  https://a.example\n").index == "https://a.example");
  CHECK(machine.with("[global]\r\nindex-url = https://a.example\r\n").index == "https://a.example");
  CHECK(machine.with("[global]\nindex-url = https://a.example/x=y\n").index == "https://a.example/x=y");
  CHECK(machine.with("[install]\nindex-url = https://i.example\n[global]\nindex-url = https://g.example\n").index ==
        "https://i.example");
  CHECK(
      machine.with("[download]\nindex-url = https://d.example\n[global]\nindex-url = https://g.example\n").index ==
      "https://g.example");
  CHECK(machine.with("[global]\nextra-index-url = https://a.example\thttps://b.example\n").extra ==
        Texts{"https://a.example", "https://b.example"});
}

TEST_CASE("a variable wins over every file, the new place of pip.conf over the old one") {
  Machine machine;
  machine.home.write(".pip/pip.conf",
                     "[global]\nindex-url = https://old.example\nextra-index-url = https://e.example\n");
  CHECK(must(python_indexes({})).index == "https://old.example");
  CHECK(machine.with("[global]\nindex-url = https://new.example\n").index == "https://new.example");
  CHECK(must(python_indexes({})).extra == Texts{"https://e.example"});
  machine.variables.set("PIP_INDEX_URL", "https://variable.example");
  machine.variables.set("PIP_EXTRA_INDEX_URL", "https://x.example https://y.example");
  CHECK(must(python_indexes({})).index == "https://variable.example");
  CHECK(must(python_indexes({})).extra == Texts{"https://x.example", "https://y.example"});
}

TEST_CASE("[install] of one file wins over [global] of another, as with pip") {
  const Machine machine;
  machine.home.write(".pip/pip.conf", "[install]\nindex-url = https://install.example\n");
  CHECK(machine.with("[global]\nindex-url = https://global.example\n").index == "https://install.example");
}

TEST_CASE("PIP_CONFIG_FILE takes the place of the user's files, and /dev/null that of all") {
  Machine machine;
  machine.home.write("other.conf", "[global]\nindex-url = https://other.example\n");
  machine.home.write(".config/pip/pip.conf",
                     "[global]\nindex-url = https://user.example\nextra-index-url = https://user.example/more\n");
  machine.variables.set("PIP_CONFIG_FILE", machine.home.path("other.conf").string());
  CHECK(must(python_indexes({})).index == "https://other.example");
  CHECK(must(python_indexes({})).extra != Texts{"https://user.example/more"});
  // One that is not there is as if it were not named.
  machine.variables.set("PIP_CONFIG_FILE", machine.home.path("none.conf").string());
  CHECK(must(python_indexes({})).index == "https://user.example");
  machine.variables.set("PIP_CONFIG_FILE", "/dev/null");
  CHECK(must(python_indexes({})).index.empty());
}

TEST_CASE("XDG_CONFIG_HOME is where the user's configuration lies") {
  Machine machine;
  machine.home.write("xdg/pip/pip.conf", "[global]\nindex-url = https://xdg.example\n");
  machine.variables.set("XDG_CONFIG_HOME", machine.home.path("xdg").string());
  CHECK(must(python_indexes({})).index == "https://xdg.example");
}

TEST_CASE("what the user names wins over all, and uv's own configuration over pip's") {
  Machine machine;
  machine.with("[global]\nindex-url = https://pip.example\nextra-index-url = https://pip.example/more\n");
  PythonIndexes wished;
  wished.index = "https://wished.example";
  wished.torch_index = "https://torch.example";
  CHECK(must(python_indexes(wished)).index == "https://wished.example");
  CHECK(must(python_indexes(wished)).extra.empty());
  CHECK(must(python_indexes(wished)).torch_index == "https://torch.example");
  for (const char* name : {"UV_DEFAULT_INDEX", "UV_INDEX_URL", "UV_INDEX", "UV_NO_INDEX"}) {
    machine.variables.set(name, "https://uv.example");
    CHECK(must(python_indexes({})).index.empty());
    machine.variables.set(name, std::nullopt);
  }
  machine.home.write(".config/uv/uv.toml", "[[index]]\nurl = \"https://uv.example\"\n");
  CHECK(must(python_indexes({})).index.empty());
}

TEST_CASE("a uv.toml that names no index leaves pip's in force") {
  const Machine machine;
  machine.home.write(".config/uv/uv.toml", "native-tls = true\ncache-dir = \"/x\"\n");
  CHECK(machine.with("[global]\nindex-url = https://pip.example\n").index == "https://pip.example");
}

TEST_CASE("a pip.conf that is damaged or absent is no error") {
  const Machine machine;
  const auto without = must(python_indexes({}));  // only what /etc/pip.conf says, if there is one
  CHECK(machine.with("\xff\n[global\nindex-url\n=\n  x\n").index == without.index);
  CHECK(machine.with("").extra == without.extra);
}

TEST_CASE("mirrors are addresses or whole lines") {
  const auto sources =
      must(apt_sources("bookworm", {"http://mirror.example/debian",
                                    "deb [trusted=yes] http://other.example/x bookworm main contrib"}));
  REQUIRE(sources.size() == 2);
  CHECK_THAT(sources[0].line, Catch::Matchers::StartsWith("deb ") &&
                                  Catch::Matchers::EndsWith("http://mirror.example/debian bookworm main"));
  CHECK(sources[1].line == "deb [trusted=yes] http://other.example/x bookworm main contrib");
}

TEST_CASE("a mirror that is neither, or more than one line, is refused") {
  for (const std::string mirror : {"mirror.example/debian", "deb-src http://x.example y main", "",
                                   "http://mirror.example/debian\ndeb http://evil.example x main"}) {
    const auto error = error_of(apt_sources("bookworm", {mirror}));
    CHECK(error.code == ErrorCode::usage);
    CHECK(error.message == "--mirror '" + mirror + "' is neither an address nor a 'deb …' line");
  }
}

TEST_CASE("a mirror's password is not repeated") {
  CHECK(error_of(apt_sources("bookworm", {"x http://user:secret@mirror.example y"})).message ==
        "--mirror 'x http://mirror.example y' is neither an address nor a 'deb …' line");
}

TEST_CASE("without a mirror this machine's apt is asked for the suite, its updates and security") {
  const FakeTool apt("apt-get",
                     "cat <<'END'\n"
                     "http://mirror.example/debian bookworm main\n"
                     "http://mirror.example/debian bookworm main\n"
                     "http://mirror.example/debian bookworm contrib\n"
                     "http://mirror.example/debian bookworm-updates main\n"
                     "http://security.example/debian-security bookworm-security main\n"
                     "http://mirror.example/debian trixie main\n"
                     "http://mirror.example/flat ./\n"
                     "END");
  const auto sources = must(apt_sources("bookworm", {}));
  REQUIRE(sources.size() == 3);
  CHECK_THAT(sources[0].line, Catch::Matchers::EndsWith("http://mirror.example/debian bookworm main"));
  CHECK_THAT(sources[1].line, Catch::Matchers::EndsWith("http://mirror.example/debian bookworm-updates main"));
  CHECK_THAT(sources[2].line,
             Catch::Matchers::EndsWith("http://security.example/debian-security bookworm-security main"));
  CHECK(apt.calls().at(0).at(0) == "indextargets");
}

TEST_CASE("an apt that has no source for the suite, or fails, is an error with a way out") {
  {
    const FakeTool apt("apt-get", "echo http://mirror.example/debian trixie main");
    const auto error = error_of(apt_sources("bookworm", {}));
    CHECK(error.code == ErrorCode::network_failed);
    CHECK(error.message == "this machine's apt has no source for bookworm");
    CHECK(error.hints == Texts{"name one: --mirror http://mirror.example/debian"});
  }
  const FakeTool apt("apt-get", "echo 'E: broken' >&2; exit 100");
  const auto error = error_of(apt_sources("bookworm", {}));
  CHECK(error.code == ErrorCode::tool_failed);
  CHECK(error.notes == Texts{"E: broken"});
}

TEST_CASE(
    "the address of PyTorch's own index comes from the option, then the environment, without its last slash") {
  Machine machine;
  machine.variables.set(k_torch_index_variable, std::nullopt);
  CHECK(torch_index("").empty());
  machine.variables.set(k_torch_index_variable, "https://mirror.example/whl/");
  CHECK(torch_index("") == "https://mirror.example/whl");
  CHECK(torch_index("https://index.example/whl//") == "https://index.example/whl");
}
