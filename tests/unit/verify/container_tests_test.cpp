// What turns the tests of a container's start, end and health red. The container is made up: what it would say is given.

#include "proof/verify/container_tests.hpp"

#include "support/must.hpp"

#include <catch2/catch.hpp>
#include <map>

using namespace torchkiln;
using namespace torchkiln::verify;
using report::TestVerdict;
using torchkiln::test::must;

namespace {

/// What the image answers to each of the three requests.
struct Container {
  runtime::RunOutcome touched, asked_to_stop, healthy;
  std::vector<runtime::RunRequest> requests = {};

  static Container sound() {
    Container container;
    container.asked_to_stop.exit_status = 143;
    container.asked_to_stop.seconds = 0.1;
    return container;
  }

  std::map<std::string, report::TestOutcome> tests(spec::Variant variant = {}, bool has_check = true) {
    oci::ImageConfig config;
    config.execution.user = "1000:1000";
    config.execution.entrypoint = {"/usr/bin/tini", "--"};
    if (has_check) config.execution.healthcheck = oci::Healthcheck{{"CMD", "healthy"}, 30, 5, 0, 3};
    const RunInImage run = [this](const runtime::RunRequest& request) -> base::Result<runtime::RunOutcome> {
      requests.push_back(request);
      const auto text = request.arguments.back();
      return text.find("touch") != std::string::npos  ? touched
             : text.find("kill") != std::string::npos ? asked_to_stop
                                                      : healthy;
    };
    base::SilentProgress progress;
    base::Step step(progress, "Verifying", "");
    std::map<std::string, report::TestOutcome> tests;
    for (auto& test : must(run_container_tests(run, config, variant, step))) tests[test.id] = test;
    return tests;
  }
};

std::vector<std::string> red(const std::map<std::string, report::TestOutcome>& tests) {
  std::vector<std::string> ids;
  for (const auto& [id, test] : tests)
    if (test.verdict != TestVerdict::pass) ids.push_back(id);
  return ids;
}

using Ids = std::vector<std::string>;

}  // namespace

TEST_CASE("a sound container passes, as its own user on a read-only root without network") {
  auto container = Container::sound();
  const auto tests = container.tests();
  CHECK(tests.size() == 3);
  CHECK(red(tests).empty());
  REQUIRE(container.requests.size() == 3);
  for (const auto& request : container.requests) {
    CHECK(request.arguments.front() == "/usr/bin/tini");
    CHECK(request.uid == 1000);
    CHECK(request.root == runtime::RootAccess::read_only);
    CHECK(request.network == runtime::Network::none);
    CHECK(request.timeout_s > 0);
  }
  CHECK(container.requests.back().arguments.back() == "healthy");
}

TEST_CASE("a root that takes a file is a fault") {
  auto container = Container::sound();
  container.touched.exit_status = 1;
  const auto tests = container.tests();
  CHECK(red(tests) == Ids{"boot.read_only"});
  CHECK_THAT(tests.at("boot.read_only").reason, Catch::Contains("a file can be made"));
}

TEST_CASE("a container that a stop request does not end, or not in time, is a fault") {
  auto deaf = Container::sound();
  deaf.asked_to_stop.timed_out = true;
  CHECK(red(deaf.tests()) == Ids{"boot.signals"});
  auto slow = Container::sound();
  slow.asked_to_stop.seconds = 10.5;
  CHECK(red(slow.tests()) == Ids{"boot.signals"});
  auto unmoved = Container::sound();
  unmoved.asked_to_stop.exit_status = 0;  // it went on to its end as if nothing had been asked
  CHECK(red(unmoved.tests()) == Ids{"boot.signals"});
}

TEST_CASE("a health check that fails, hangs or is not there is a fault") {
  auto sick = Container::sound();
  sick.healthy.exit_status = 1;
  sick.healthy.errors = "torch does not import";
  const auto tests = sick.tests();
  CHECK(red(tests) == Ids{"boot.health"});
  CHECK_THAT(tests.at("boot.health").reason, Catch::Contains("torch does not import"));
  auto hanging = Container::sound();
  hanging.healthy.timed_out = true;
  CHECK(red(hanging.tests()) == Ids{"boot.health"});
  CHECK(red(Container::sound().tests({}, false)) == Ids{"boot.health"});
}

TEST_CASE("a service's own check is the service tests' to run") {
  for (const auto* variant : {"ssh", "jupyter", "devel+jupyter+ssh"})
    CHECK(Container::sound().tests(must(spec::parse_variant(variant))).count("boot.health") == 0);
  CHECK(Container::sound().tests(must(spec::parse_variant("devel"))).count("boot.health") == 1);
}
