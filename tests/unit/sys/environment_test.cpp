#include "foundation/sys/environment.hpp"

#include "support/test_folder.hpp"

#include <catch2/catch.hpp>
#include <cstdlib>
#include <sys/stat.h>

using namespace torchkiln::sys;
using torchkiln::base::ErrorCode;
using torchkiln::test::error_of;
using torchkiln::test::must;
using torchkiln::test::TestFolder;

namespace {
/// An environment variable for the length of a test.
struct Variable {
  std::string name;
  std::optional<std::string> before;
  Variable(std::string variable, const char* value) : name(std::move(variable)) {
    if (const char* old = std::getenv(name.c_str())) before = old;
    if (value)
      ::setenv(name.c_str(), value, 1);
    else
      ::unsetenv(name.c_str());
  }
  ~Variable() {
    if (before)
      ::setenv(name.c_str(), before->c_str(), 1);
    else
      ::unsetenv(name.c_str());
  }
};
}  // namespace

TEST_CASE("an empty variable counts as unset") {
  const Variable variable("TK_TEST_VARIABLE", "");
  CHECK_FALSE(environment("TK_TEST_VARIABLE").has_value());
  ::setenv("TK_TEST_VARIABLE", "x", 1);
  CHECK(environment("TK_TEST_VARIABLE") == "x");
}

TEST_CASE("SOURCE_DATE_EPOCH is a number of seconds, absent, or an error") {
  {
    const Variable variable("SOURCE_DATE_EPOCH", nullptr);
    CHECK_FALSE(must(source_date_epoch()).has_value());
  }
  for (const auto& [text, seconds] : {std::pair("0", 0LL), std::pair("1754491980", 1754491980LL)}) {
    const Variable variable("SOURCE_DATE_EPOCH", text);
    CHECK(must(source_date_epoch()) == seconds);
  }
  for (const char* text : {"-1", "now", "1.5", " 1", "99999999999999999999"}) {
    const Variable variable("SOURCE_DATE_EPOCH", text);
    const auto error = error_of(source_date_epoch());
    CHECK(error.code == ErrorCode::usage);
    CHECK(error.message == "SOURCE_DATE_EPOCH is '" + std::string(text) + "', not a number of seconds");
  }
}

TEST_CASE("a program is the first executable file of its name on the path") {
  TestFolder folder;
  must(write_file(folder.path("a/tool"), "", 0644));  // not executable
  must(make_directories(folder.path("b/tool")));      // no file
  must(write_file(folder.path("c/tool"), "", 0755));
  must(write_file(folder.path("d/tool"), "", 0755));
  const auto at = [&](const char* name) { return folder.path(name).string(); };
  const Variable path("PATH", (at("a") + ":" + at("b") + ":" + at("c") + ":" + at("d")).c_str());
  CHECK(find_program("tool") == folder.path("c/tool"));
  CHECK_FALSE(find_program("no-such-tool").has_value());
}

TEST_CASE("the programs of /usr/sbin are found without being on the path") {
  const Variable path("PATH", "/nowhere");
  CHECK(find_program("ldconfig").has_value());
}

TEST_CASE("home is $HOME, or what the password database says") {
  {
    const Variable home("HOME", "/somewhere");
    CHECK(home_directory() == "/somewhere");
  }
  const Variable home("HOME", nullptr);
  CHECK(home_directory().is_absolute());
}

TEST_CASE("our own program is a file that is there") {
  CHECK(executable_path().filename() == "test_sys");
  CHECK(processor_count() >= 1);
  CHECK(now_s() > 1'700'000'000);
  CHECK(is_root() == (::geteuid() == 0));
}
