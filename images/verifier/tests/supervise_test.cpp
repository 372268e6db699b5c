#include "supervisor/supervise.hpp"

#include "supervisor/report.hpp"

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <unistd.h>

using namespace torchkiln::verifier;

namespace {

volatile std::sig_atomic_t g_interrupted = 0;

Test test(const std::string& id, double timeout_s = 20, Program program = Program::libtorch) {
  return {id, Level::cpu, program, "badness", Compare::at_most, 0.0, "", timeout_s, {}};
}

/// The libtorch program works; the python program is started in the mode given.
Assignment assignment(std::vector<Test> tests, const std::string& python_mode = "works") {
  const std::string fake = std::string(VERIFIER_SOURCE) + "/tests/fake_program.py";
  Assignment assignment;
  assignment.tests = std::move(tests);
  assignment.commands = {{Program::libtorch, {PYTHON, fake, "works"}},
                         {Program::python, {PYTHON, fake, python_mode}}};
  assignment.seed = 7;
  return assignment;
}

std::vector<Result> run(const Assignment& assignment) {
  g_interrupted = 0;
  return supervise(
             assignment, [](const Result&) {}, g_interrupted)
      .results;
}

}  // namespace

TEST_CASE("every test gets one result, in the plan's order, and facts are merged") {
  std::vector<std::string> announced;
  g_interrupted = 0;
  const auto findings = supervise(
      assignment({test("cpu.good"), test("cpu.bad"), test("cpu.python.good", 20, Program::python)}),
      [&](const Result& result) { announced.push_back(result.test.id); }, g_interrupted);
  REQUIRE(findings.results.size() == 3);
  CHECK(findings.results[0].verdict == Verdict::pass);
  CHECK(findings.results[1].verdict == Verdict::fail);
  CHECK(findings.results[2].verdict == Verdict::pass);
  CHECK(announced == std::vector<std::string>{"cpu.good", "cpu.bad", "cpu.python.good"});
  CHECK(findings.facts["versions"]["torch"] == "2.8.0");
  CHECK(findings.facts["host"]["seed"] == 7);
}

TEST_CASE("a test that hangs is judged after its time-out and the next one still runs") {
  const auto results = run(assignment({test("cpu.hang", 0.5), test("cpu.good")}));
  CHECK(results[0].verdict == Verdict::fail);
  CHECK(results[0].reason == "timeout: no result within 0.5 s");
  CHECK(results[0].seconds >= 0.5);
  CHECK(results[0].seconds < 5);
  CHECK(results[1].verdict == Verdict::pass);
}

TEST_CASE("a program that crashes or exits in a test says how, and the next test still runs") {
  const auto results = run(assignment({test("cpu.crash"), test("cpu.exit"), test("cpu.good")}));
  CHECK(results[0].reason == "the program ended in this test: signal 11 (Segmentation fault)");
  CHECK(results[1].reason == "the program ended in this test: exit status 4: the last word");
  CHECK(results[1].details["stderr"] == "the last word\n");
  CHECK(results[2].verdict == Verdict::pass);
}

TEST_CASE("a program whose children hold its pipes is missed all the same") {
  const auto results = run(assignment({test("cpu.orphan"), test("cpu.good")}));
  CHECK(results[0].reason == "the program ended in this test: exit status 5");
  CHECK(results[0].seconds < 5);
  CHECK(results[1].verdict == Verdict::pass);
}

TEST_CASE("an answer that is not one about the test fails it") {
  const auto results =
      run(assignment({test("cpu.garbage"), test("cpu.other"), test("cpu.flood"), test("cpu.good")}));
  CHECK(results[0].reason.rfind("the program's answer is not one about this test", 0) == 0);
  CHECK(results[1].reason.rfind("the program's answer is not one about this test", 0) == 0);
  CHECK(results[2].reason.rfind("the program's answer is a line without end", 0) == 0);
  CHECK(results[3].verdict == Verdict::pass);
}

TEST_CASE("a program that does not start fails all its tests and is started once") {
  const auto counter = std::filesystem::temp_directory_path() / ("starts-" + std::to_string(getpid()));
  auto work = assignment(
      {test("cpu.python.a", 20, Program::python), test("cpu.good"), test("cpu.python.b", 20, Program::python)},
      "does not start");
  work.commands[Program::python].push_back(counter);
  const auto results = run(work);
  const std::string reason =
      "the python program did not start: exit status 1: libcudnn.so.9: cannot open shared object file";
  CHECK(results[0].reason == reason);
  CHECK(results[1].verdict == Verdict::pass);
  CHECK(results[2].reason == reason);
  CHECK(results[2].test.id == "cpu.python.b");
  CHECK(std::filesystem::file_size(counter) == 1);
  std::filesystem::remove(counter);
}

TEST_CASE("a program that is not there, hangs at its start or greets wrongly fails its tests") {
  auto work = assignment({test("cpu.python.a", 20, Program::python)}, "hangs at start");
  work.start_timeout_s = 0.5;
  CHECK(run(work)[0].reason == "timeout: the python program did not start within 0.5 s");
  work = assignment({test("cpu.python.a", 20, Program::python)}, "no facts");
  CHECK(run(work)[0].reason.rfind("the python program did not start", 0) == 0);
  work.commands[Program::python] = {"/nonexistent"};
  CHECK(run(work)[0].reason ==
        "the python program did not start: exit status 127: /nonexistent: No such file or directory");
}

TEST_CASE("a test whose need did not pass is skipped, and so is one that needs the skipped one") {
  auto second = test("cpu.good.second");
  second.needs = {"cpu.bad"};
  auto third = test("cpu.good.third");
  third.needs = {"cpu.good.second"};
  auto fourth = test("cpu.good.fourth");
  fourth.needs = {"cpu.good"};
  const auto results = run(assignment({test("cpu.good"), test("cpu.bad"), second, third, fourth}));
  CHECK(results[2].verdict == Verdict::skip);
  CHECK(results[2].reason == "needs cpu.bad, which did not pass");
  CHECK(results[3].verdict == Verdict::skip);
  CHECK(results[4].verdict == Verdict::pass);
}

TEST_CASE("an interrupt skips what is left at once, and the report is still complete") {
  std::signal(SIGUSR1, [](int) { g_interrupted = 1; });
  const auto results = run(assignment({test("cpu.good"), test("cpu.stops"), test("cpu.good.too")}));
  REQUIRE(results.size() == 3);
  CHECK(results[0].verdict == Verdict::pass);
  CHECK(results[1].verdict == Verdict::skip);
  CHECK(results[1].reason == "interrupted before this test was done");
  CHECK(results[2].verdict == Verdict::skip);
}

TEST_CASE("last words that are not UTF-8 do not spoil the report") {
  Report report;
  report.results = run(assignment({test("cpu.bytes")}));
  const auto text = text_of(report_document(report));
  CHECK_FALSE(Json::parse(text, nullptr, false).is_discarded());
  CHECK(text.find("not UTF-8") != std::string::npos);
}
