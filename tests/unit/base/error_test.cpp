#include "foundation/base/error.hpp"

#include "support/must.hpp"

#include <catch2/catch.hpp>
#include <map>
#include <set>
#include <sys/wait.h>
#include <unistd.h>

using namespace torchkiln::base;

namespace {
const std::map<ErrorCode, std::pair<std::string, int>> k_codes = {
    {ErrorCode::usage, {"usage", 2}},
    {ErrorCode::spec_invalid, {"spec-invalid", 2}},
    {ErrorCode::matrix_invalid, {"matrix-invalid", 2}},
    {ErrorCode::lock_invalid, {"lock-invalid", 2}},
    {ErrorCode::template_invalid, {"template-invalid", 2}},
    {ErrorCode::input_invalid, {"input-invalid", 2}},
    {ErrorCode::package_conflict, {"package-conflict", 1}},
    {ErrorCode::network_failed, {"network-failed", 3}},
    {ErrorCode::integrity_failed, {"integrity-failed", 3}},
    {ErrorCode::tool_missing, {"tool-missing", 3}},
    {ErrorCode::tool_failed, {"tool-failed", 3}},
    {ErrorCode::file_failed, {"file-failed", 3}},
    {ErrorCode::disk_full, {"disk-full", 3}},
    {ErrorCode::interrupted, {"interrupted", 130}},
    {ErrorCode::internal, {"internal", 70}},
};
}  // namespace

TEST_CASE("every error code has its stable name and its exit status") {
  // The enumeration ends with `internal`: a code added before it must be added here.
  CHECK(k_codes.size() == static_cast<std::size_t>(ErrorCode::internal) + 1);
  std::set<std::string> names;
  for (const auto& [code, expected] : k_codes) {
    CHECK(name(code) == expected.first);
    CHECK(exit_status(code) == expected.second);
    names.insert(expected.first);
  }
  CHECK(names.size() == k_codes.size());
}

TEST_CASE("a place is written without the parts that are unknown") {
  CHECK(Place{"kiln.toml", 7, 3}.to_string() == "kiln.toml:7:3");
  CHECK(Place{"kiln.toml", 7, 0}.to_string() == "kiln.toml:7");
  CHECK(Place{"kiln.toml", 0, 3}.to_string() == "kiln.toml");
  CHECK(Place{"kiln.toml"}.to_string() == "kiln.toml");
}

namespace {
Result<int> half(int number) {
  if (number % 2) return fail(ErrorCode::usage, "odd", {"take an even one"});
  return number / 2;
}
Result<void> only_even(int number) {
  TK_CHECK(half(number));
  return {};
}
Result<std::string> quarter(int number) {
  TK_TRY(const int once, half(number));
  TK_TRY(const int twice, half(once));
  return std::to_string(twice);
}
}  // namespace

TEST_CASE("a failure passes through with all that is known of it") {
  CHECK(torchkiln::test::must(quarter(8)) == "2");
  for (const auto& error : {torchkiln::test::error_of(quarter(6)), torchkiln::test::error_of(only_even(3))}) {
    CHECK(error.code == ErrorCode::usage);
    CHECK(error.message == "odd");
    CHECK(error.hints == std::vector<std::string>{"take an even one"});
    CHECK_FALSE(error.where);
  }
}

TEST_CASE("a broken invariant ends the program with status 70 and says what was broken") {
  int ends[2];
  REQUIRE(::pipe(ends) == 0);
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    ::dup2(ends[1], 2);
    TK_ASSERT(1 + 1 == 3, "arithmetic holds");
    ::_exit(0);
  }
  ::close(ends[1]);
  std::string said;
  char buffer[256];
  for (ssize_t got; (got = ::read(ends[0], buffer, sizeof buffer)) > 0;)
    said.append(buffer, static_cast<std::size_t>(got));
  ::close(ends[0]);
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  REQUIRE(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 70);
  CHECK_THAT(said, Catch::Matchers::StartsWith("torchkiln: internal error: arithmetic holds (1 + 1 == 3) at "));
}
