// Many hosts and images at once.

#include "unit/audit/audit_fixture.hpp"

#include <random>

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

TEST_CASE("on random hosts and images the verdicts of a report are those that its words are about") {
  std::mt19937 random(20261121);
  const auto& matrix = real_matrix();
  const auto pick = [&](const auto& rows) -> const auto& {
    return rows[random() % rows.size()];
  };
  const auto often = [&](unsigned per_cent) { return random() % 100 < per_cent; };
  std::vector<host::Machine> hosts;
  for (int i = 0; i < 60; ++i) {
    host::Machine host;
    if (often(90)) host.driver = {pick(matrix.toolkits).driver, "test"};
    if (often(5)) host.userland = {pick(matrix.toolkits).driver, "test"};
    for (unsigned gpus = random() % 3; gpus > 0; --gpus) host.gpus.emplace_back().model = pick(matrix.gpus).model;
    if (host.gpus.empty() && often(50)) host.without_gpu = "test";
    if (often(20)) host.glibc = {pick(matrix.systems).glibc, "test"};
    if (often(30))
      host.architecture = {often(50) ? matrix::Architecture::aarch64 : matrix::Architecture::x86_64, ""};
    if (often(20)) host.compat_package = {pick(matrix.forward_compat).cuda, "test"};
    if (often(40)) host.injection = {often(50) ? host::Injection::legacy : host::Injection::cdi, "test"};
    hosts.push_back(std::move(host));
  }
  std::vector<audit::Image> images;
  for (int i = 0; i < 150; ++i) {
    audit::Image image;
    const auto& build = pick(matrix.builds);
    if (often(90)) image.pytorch = build.pytorch;
    if (often(90)) image.build = often(95) ? build.variant : "cu999";
    if (often(30)) image.architecture = build.architecture;
    if (often(40)) image.python = pick(build.python);
    if (often(20)) image.glibc = pick(matrix.systems).glibc;
    const auto& companion = pick(matrix.companions);
    if (often(30)) image.packages.push_back({companion.package, companion.release});
    if (often(30)) image.requirements.emplace_back("NVIDIA_REQUIRE_CUDA", requirement_of_cuda_12_8());
    if (often(10)) image.requirements.emplace_back("NVIDIA_REQUIRE_ARCH", "arch>=8.0");
    if (often(5)) image.requirements.emplace_back("NVIDIA_REQUIRE_MORE", "cuda=>1");
    images.push_back(std::move(image));
  }
  const auto report = audit::audit(hosts, images, matrix);
  for (std::size_t h = 0; h < hosts.size(); ++h)
    for (std::size_t i = 0; i < images.size(); ++i) {
      const auto judgement = report.at(h, i);
      INFO("host " << h << ", image " << i);
      REQUIRE(judgement.verdict == report.verdict(h, i));
      REQUIRE_FALSE(judgement.reasons.empty());
      for (const auto& reason : judgement.reasons) {
        REQUIRE_FALSE(reason.rule.empty());
        REQUIRE_FALSE(reason.text.empty());
      }
      if (runs(judgement.verdict)) REQUIRE(judgement.fixes.empty());
    }
  for (const auto verdict : {audit::Verdict::direct, audit::Verdict::minor_version, audit::Verdict::no_kernels,
                             audit::Verdict::requirement_refused, audit::Verdict::unknown})
    CHECK(report.counts()[static_cast<std::size_t>(verdict)] > 0);
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
