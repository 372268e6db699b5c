// Many hosts and images at once.

#include "unit/audit/audit_fixture.hpp"

using namespace torchkiln;

TEST_CASE("hosts that are alike but for their name are of one kind, and every verdict is counted") {
  std::vector<host::Machine> hosts;
  for (int i = 0; i < 6; ++i) {
    hosts.push_back(machine(i % 3 == 0 ? "driver=535.104.05,gpu=V100" : "driver=580.65.06,gpu=V100"));
    hosts.back().name = "node" + std::to_string(i);
  }
  const auto report = audit::audit(hosts, {release("2.15.0"), release("2.8.0"), release("2.15.0")}, real_matrix());
  CHECK(report.hosts()[5].name == "node5");
  CHECK(report.kind_of_host(0) == report.kind_of_host(3));
  CHECK(report.kind_of_host(0) != report.kind_of_host(1));
  CHECK(report.kind_of_image(0) == report.kind_of_image(2));
  const auto count = [&](audit::Verdict verdict) { return report.counts()[static_cast<std::size_t>(verdict)]; };
  CHECK(count(audit::Verdict::driver_too_old) == 4);
  CHECK(count(audit::Verdict::no_kernels) == 8);
  CHECK(count(audit::Verdict::minor_version) == 2);
  CHECK(count(audit::Verdict::direct) == 4);
  CHECK_FALSE(report.all_run());
  CHECK(report.matrix_date() == real_matrix().date);
  for (std::size_t h = 0; h < 6; ++h)
    for (std::size_t i = 0; i < 3; ++i) CHECK(report.at(h, i).verdict == report.verdict(h, i));
}

TEST_CASE("a host's source is in its reasons, so another source is another kind") {
  auto a = machine("driver=535.104.05,gpu=V100");
  auto b = a;
  b.driver->source = "nodes.json:12";
  const auto report = audit::audit({a, b}, {release("2.8.0")}, real_matrix());
  CHECK(report.kind_of_host(0) != report.kind_of_host(1));
  CHECK(report.at(1, 0).reasons[0].source.find("nodes.json:12") != std::string::npos);
}

TEST_CASE("no hosts, or no images, is an empty report that runs") {
  CHECK(audit::audit({}, {release("2.8.0")}, real_matrix()).all_run());
  CHECK(audit::audit({machine("gpu=A100")}, {}, real_matrix()).all_run());
}

TEST_CASE("every verdict has a name of its own") {
  std::vector<std::string> names;
  for (std::size_t i = 0; i < audit::k_verdicts; ++i) names.emplace_back(name(static_cast<audit::Verdict>(i)));
  std::sort(names.begin(), names.end());
  CHECK(std::adjacent_find(names.begin(), names.end()) == names.end());
  CHECK(std::count(names.begin(), names.end(), "") == 0);
}
