#include "layers.hpp"

#include <catch2/catch.hpp>

using namespace torchkiln;
using runtime::RunRequest;
using runtime::RuntimeKind;
using test::shell;
using test::TarText;
using test::Workshop;

namespace {

runtime::RunOutcome run(Workshop& here, const RunRequest& request,
                        const std::vector<std::filesystem::path>& lower = {}) {
  const auto kind = here.runner.choose();
  if (!kind) {
    std::string why = kind.error().message;
    for (const auto& note : kind.error().notes) why += "\n" + note;
    FAIL(why);
  }
  auto outcome = here.runner.run(*kind, lower, request);
  if (!outcome) {
    std::string why = outcome.error().message;
    for (const auto& note : outcome.error().notes) why += "\n" + note;
    FAIL(why);
  }
  return *outcome;
}

}  // namespace

TEST_CASE("a command runs and its output, errors and exit status come back") {
  Workshop here;
  const auto outcome = run(here, shell("echo out; echo err >&2; exit 42"));
  CHECK(outcome.output == "out\n");
  CHECK(outcome.errors == "err\n");
  CHECK(outcome.exit_status == 42);
  CHECK_FALSE(outcome.timed_out);
  CHECK(here.leftovers().empty());
}
