// Ten thousand hosts against a thousand images: the limit that the audit promises, and how it grows. Prints what it
// measured; exits 1 over the limit. Usage: audit_bench MANIFESTS [FACTOR]; the factor stretches
// the limit for machines that are slow or busy.

#include "decision/audit/audit.hpp"
#include "knowledge/host/machine.hpp"
#include "knowledge/matrix/load.hpp"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <random>
#include <string>
#include <vector>

using namespace torchkiln;

namespace {

constexpr std::size_t k_hosts = 10'000, k_images = 1'000;
constexpr double k_limit_s = 2.0;
/// Words of this many pairs are put together, evenly spread over all.
constexpr std::size_t k_pairs_told = 2'000;

/// Processor time, which does not depend on who else is busy.
double now_s() {
  return static_cast<double>(std::clock()) / CLOCKS_PER_SEC;
}

/// Hosts with drivers and GPUs of the matrix; `distinct_sources` makes each a kind of its own, as an inventory that
/// names lines does.
std::vector<host::Machine> hosts(const matrix::Matrix& matrix, bool distinct_sources) {
  std::mt19937 random(20261121);
  std::vector<host::Machine> result;
  for (std::size_t i = 0; i < k_hosts; ++i) {
    host::Machine machine;
    machine.name = "node" + std::to_string(i);
    const std::string source = distinct_sources ? "nodes.csv:" + std::to_string(i) : "nodes.csv";
    machine.driver = {matrix.toolkits[random() % matrix.toolkits.size()].driver, source};
    host::MachineGpus gpus;
    gpus.model = matrix.gpus[random() % matrix.gpus.size()].model;
    gpus.count = 8;
    gpus.source = source;
    machine.gpus.push_back(gpus);
    result.push_back(std::move(machine));
  }
  return result;
}

/// Every build of x86_64 with different Pythons, packages and requirements: a thousand kinds.
std::vector<audit::Image> images(const matrix::Matrix& matrix) {
  std::vector<audit::Image> result;
  for (std::size_t round = 0; result.size() < k_images; ++round)
    for (const auto& build : matrix.builds) {
      if (result.size() == k_images || build.architecture != matrix::Architecture::x86_64) continue;
      audit::Image image;
      image.name = "image" + std::to_string(result.size());
      image.pytorch = build.pytorch;
      image.build = build.variant;
      image.python = build.python[round % build.python.size()];
      image.packages.push_back({"torchvision", matrix.companions[round % matrix.companions.size()].release});
      image.requirements.emplace_back("NVIDIA_REQUIRE_CUDA", "cuda>=12." + std::to_string(round % 9));
      image.source = "bench";
      result.push_back(std::move(image));
    }
  return result;
}

double measure(const matrix::Matrix& matrix, const char* what, bool distinct_sources) {
  auto machines = hosts(matrix, distinct_sources);
  auto asked = images(matrix);
  const double begin = now_s();
  const auto report = audit::audit(std::move(machines), std::move(asked), matrix);
  const double seconds = now_s() - begin;
  std::size_t kinds = 0;
  for (std::size_t h = 0; h < k_hosts; ++h) kinds = std::max<std::size_t>(kinds, report.kind_of_host(h) + 1);
  const double told_from = now_s();
  std::size_t reasons = 0;
  for (std::size_t i = 0; i < k_pairs_told; ++i)
    reasons += report.at(i * k_hosts / k_pairs_told, i * 7 % k_images).reasons.size();
  const double told_s = now_s() - told_from;
  std::printf("%-34s %5zu kinds of hosts: %.3f s, %.0f ns a pair of kinds; words %.1f us a pair (%zu reasons)\n",
              what, kinds, seconds, seconds * 1e9 / static_cast<double>(kinds * k_images),
              told_s * 1e6 / k_pairs_told, reasons);
  return seconds;
}

}  // namespace

int main(int argc, char** argv) {
  const auto matrix = matrix::load(argc > 1 ? argv[1] : "manifests");
  const double limit_s = k_limit_s * (argc > 2 ? std::atof(argv[2]) : 1.0);
  if (!matrix) return std::fprintf(stderr, "%s\n", matrix.error().message.c_str()), 2;
  const double shared = measure(*matrix, "hosts of shared sources", false);
  const double distinct = measure(*matrix, "hosts that are each of their own kind", true);
  std::printf("10,000 hosts x 1,000 images: %.3f s and %.3f s, limit %.1f s\n", shared, distinct, limit_s);
  return std::max(shared, distinct) < limit_s ? 0 : 1;
}
