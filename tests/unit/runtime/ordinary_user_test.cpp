// Everything once more as an ordinary user, when the tests run as root.

#include "foundation/base/text.hpp"
#include "foundation/sys/environment.hpp"
#include "foundation/sys/files.hpp"
#include "foundation/sys/process.hpp"

#include <catch2/catch.hpp>
#include <optional>
#include <pwd.h>

using namespace torchkiln;

namespace {

constexpr const char* k_made_user = "torchkiln-test";

/// The first user with subordinate ids; one is made when there is none.
std::optional<std::string> ordinary_user() {
  const auto text = sys::read_file("/etc/subuid").value_or(std::string());
  for (const auto line : base::lines(text)) {
    const std::string user(base::split(line, ':').front());
    const passwd* const entry = ::getpwnam(user.c_str());
    if (entry && entry->pw_uid != 0) return user;
  }
  sys::Command command;
  command.arguments = {"useradd", "--create-home", k_made_user};
  if (sys::run_checked(command)) return k_made_user;
  return std::nullopt;
}

}  // namespace

TEST_CASE("everything holds for an ordinary user too", "[as-root]") {
  if (!sys::is_root()) return;  // the other tests have just shown it
  const auto user = ordinary_user();
  if (!user) FAIL("there is no ordinary user with subordinate ids, and useradd cannot make one");
  sys::Command command;
  command.arguments = {"setpriv",     "--reuid=" + *user,     "--regid=" + *user, "--init-groups",
                       "--reset-env", sys::executable_path(), "~[as-root]~[.]"};
  command.directory = "/";
  command.timeout_s = 240;
  const auto outcome = sys::run(command);
  REQUIRE(outcome);
  INFO("as " << *user << ": " << outcome->output << outcome->errors);
  CHECK(outcome->exit_status == 0);
}
