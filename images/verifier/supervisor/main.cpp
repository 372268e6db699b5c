// torchkiln-verify: tests the image that it runs in. This program links neither torch nor CUDA, so that it can say
// what is wrong with an image in which those do not even load.
#include "boot/boot_tests.hpp"
#include "supervisor/options.hpp"
#include "supervisor/report.hpp"
#include "supervisor/supervise.hpp"

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <thread>
#include <unistd.h>

namespace torchkiln::verifier {
namespace {

namespace fs = std::filesystem;

volatile std::sig_atomic_t g_interrupted = 0;

void interrupt(int) {
  g_interrupted = 1;
}

/// An empty folder in the first place that takes one; empty text when none does.
std::string make_scratch() {
  for (const char* name : {"TMPDIR", "", "HOME"}) {
    const char* folder = *name == '\0' ? "/tmp" : std::getenv(name);
    if (folder == nullptr || *folder == '\0') continue;
    std::string path = std::string(folder) + "/torchkiln-verify-XXXXXX";
    if (mkdtemp(path.data()) != nullptr) return path;
  }
  return {};
}

/// OpenMP reads these when a program starts. A container given two of a hundred processors still counts a hundred;
/// and threads that spin while they wait for one that has no processor made a training of 1 s take 29 s (measured
/// on two busy processors).
void limit_threads() {
  constexpr unsigned k_threads = 4;
  const auto threads = std::clamp(std::thread::hardware_concurrency(), 1U, k_threads);
  setenv("OMP_NUM_THREADS", std::to_string(threads).c_str(), 1);
  setenv("OMP_WAIT_POLICY", "PASSIVE", 1);
}

bool write_report(const std::string& path, const std::string& text) {
  if (path == "-") return static_cast<bool>(std::cout << text << std::flush);
  const std::string temporary = path + ".part";
  {
    std::ofstream file(temporary, std::ios::binary | std::ios::trunc);
    if (!(file << text << std::flush)) return false;
  }
  std::error_code error;
  fs::rename(temporary, path, error);
  return !error;
}

std::vector<Test> asked_for(const Options& options) {
  auto tests = plan(options.soak());
  tests.erase(
      std::remove_if(tests.begin(), tests.end(), [&](const Test& test) { return test.level > options.level; }),
      tests.end());
  return tests;
}

std::vector<Test> chosen(const std::vector<Test>& tests, const std::vector<std::string>& only) {
  if (only.empty()) return tests;
  std::vector<Test> some;
  for (const auto& test : tests) {
    if (std::find(only.begin(), only.end(), test.id) != only.end()) some.push_back(test);
  }
  return some;
}

Assignment assignment(const Options& options) {
  // …/bin/torchkiln-verify → … ; everything else lies at fixed places under it.
  const fs::path self = fs::read_symlink("/proc/self/exe");
  const fs::path prefix = self.parent_path().parent_path();
  Assignment assignment;
  assignment.tests = chosen(asked_for(options), options.only);
  assignment.commands = {{Program::boot, {self, "--run-boot-tests"}},
                         {Program::libtorch, {prefix / "libexec/torchkiln/verify-libtorch"}},
                         {Program::python, {prefix / "bin/python3", prefix / "share/torchkiln/verify_python.py"}}};
  assignment.seed = options.seed;
  assignment.soak_s = options.soak_s;
  assignment.scratch = make_scratch();
  assignment.prefix = prefix;
  assignment.site_packages = (prefix / KILN_SITE_PACKAGES_BELOW_PREFIX).lexically_normal();
  return assignment;
}

int verify(const Options& options) {
  std::signal(SIGINT, interrupt);
  std::signal(SIGTERM, interrupt);
  std::signal(SIGPIPE, SIG_IGN);
  using Clock = std::chrono::steady_clock;
  const auto begin = Clock::now();
  limit_threads();
  const auto work = assignment(options);
  auto findings = supervise(
      work, [](const Result& result) { std::cerr << result_line(result); }, g_interrupted);
  if (!work.scratch.empty()) {
    std::error_code ignored;
    fs::remove_all(work.scratch, ignored);
  }

  Report report;
  report.nonce = options.nonce;
  report.seed = options.seed;
  report.asked = options.level;
  report.planned = asked_for(options).size();
  report.reached = level_reached(plan(options.soak()), findings.results);
  report.facts = std::move(findings.facts);
  report.results = std::move(findings.results);
  report.seconds = std::chrono::duration<double>(Clock::now() - begin).count();
  const auto passed = std::count_if(report.results.begin(), report.results.end(), [](const Result& result) {
    return result.verdict == Verdict::pass || result.verdict == Verdict::warn;
  });
  std::cerr << passed << " of " << report.planned
            << " planned tests passed, level reached: " << (report.reached ? name_of(*report.reached) : "none")
            << "\n";

  if (!options.json.empty() && !write_report(options.json, text_of(report_document(report)))) {
    std::cerr << "torchkiln-verify: the report cannot be written to " << options.json << "\n";
    return 3;
  }
  if (g_interrupted != 0) return 130;
  return report.reached && *report.reached >= options.level ? 0 : 1;
}

int run(const std::vector<std::string>& arguments) {
  const auto parsed = parse_options(arguments);
  if (const auto* wrong = std::get_if<std::string>(&parsed)) {
    std::cerr << "torchkiln-verify: " << *wrong << "\n";
    return 2;
  }
  const auto& options = std::get<Options>(parsed);
  switch (options.task) {
    case Options::Task::help:
      std::cout << k_usage;
      return 0;
    case Options::Task::list:
      std::cout << text_of(plan_document(plan(options.soak())));
      return 0;
    case Options::Task::run_boot_tests:
      return run_boot_tests();
    case Options::Task::verify:
      return verify(options);
  }
  return 70;
}

}  // namespace
}  // namespace torchkiln::verifier

int main(int argc, char** argv) {
  try {
    return torchkiln::verifier::run(std::vector<std::string>(argv + 1, argv + argc));
  } catch (const std::exception& error) {  // such as a /proc that is not mounted
    std::cerr << "torchkiln-verify: " << error.what() << "\n";
    return 70;
  }
}
