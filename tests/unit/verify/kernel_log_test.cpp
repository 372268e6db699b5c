#include "proof/verify/kernel_log.hpp"

#include "support/test_folder.hpp"

#include <catch2/catch.hpp>

using namespace torchkiln::verify;
using torchkiln::report::Level;
using torchkiln::report::TestOutcome;
using torchkiln::report::TestVerdict;

namespace {

/// As /dev/kmsg gives them: priority, number, microseconds, flags; a message; lines of a dictionary.
const std::string k_lost =
    "4,1201,99123456,-;NVRM: Xid (PCI:0000:07:00): 79, pid='<unknown>', name=<unknown>, GPU has fallen off the "
    "bus.\n"
    " SUBSYSTEM=pci\n";
const std::string k_fault =
    "4,1202,99123457,-;NVRM: Xid (PCI:0000:07:00): 31, pid=77, name=python, MMU Fault: ENGINE CE2\n";
const std::string k_others =
    "6,1200,99123455,-;usb 1-1: new device\n4,1203,1,-;NVRM: Xid (\n4,1204,1,-;NVRM: Xid (PCI:0000:07:00): many\n";

TestOutcome outcome(const std::string& id, Level level, TestVerdict verdict) {
  TestOutcome test;
  test.id = id;
  test.level = level;
  test.verdict = verdict;
  test.reason = verdict == TestVerdict::fail ? "it is wrong" : "";
  test.fault = verdict == TestVerdict::fail ? "image" : "";
  return test;
}

std::vector<TestOutcome> judged(const std::string& records) {
  std::vector<TestOutcome> tests = {outcome("cpu.a", Level::cpu, TestVerdict::fail),
                                    outcome("gpu.a", Level::gpu, TestVerdict::pass),
                                    outcome("gpu.b", Level::gpu, TestVerdict::fail)};
  judge_xids(tests, xids_in(records));
  return tests;
}

}  // namespace

TEST_CASE("Xids are found among the records of a kernel log") {
  const auto xids = xids_in(k_others + k_lost + k_fault);
  REQUIRE(xids.size() == 2);
  CHECK(xids[0].number == 79);
  CHECK(xids[0].line == "Xid (PCI:0000:07:00): 79, pid='<unknown>', name=<unknown>, GPU has fallen off the bus.");
  CHECK(xids[1].number == 31);
  CHECK(xids_in("").empty());
}

TEST_CASE("an error of the hardware fails a test of its own and lays what failed on a GPU on the host") {
  const auto tests = judged(k_lost + k_fault + k_lost);
  REQUIRE(tests.size() == 4);
  CHECK(tests[0].fault == "image");
  CHECK(tests[1].verdict == TestVerdict::pass);
  CHECK(tests[2].fault == "host");
  CHECK(
      tests[2].reason ==
      "it is wrong; the host's kernel log says Xid (PCI:0000:07:00): 79, pid='<unknown>', name=<unknown>, GPU has "
      "fallen off the bus.");
  CHECK(tests[3].id == "gpu.kernel_log");
  CHECK(tests[3].verdict == TestVerdict::fail);
  CHECK(tests[3].fault == "host");
  CHECK(tests[3].measured.get<int>() == 2);
}

TEST_CASE("an error that a program can bring about is told beside what failed, which stays the image's") {
  const auto tests = judged(k_fault);
  CHECK(tests[2].fault == "image");
  CHECK(tests[2].reason ==
        "it is wrong; the host's kernel log says Xid (PCI:0000:07:00): 31, pid=77, name=python, MMU "
        "Fault: ENGINE CE2");
  CHECK(tests[3].verdict == TestVerdict::pass);
  CHECK(tests[3].measured.get<int>() == 0);
}

TEST_CASE("a quiet log changes nothing") {
  const auto tests = judged(k_others);
  CHECK(tests[2].reason == "it is wrong");
  CHECK(tests[3].verdict == TestVerdict::pass);
}

TEST_CASE("where the log cannot be read there is none") {
  const torchkiln::test::TestFolder folder;
  CHECK_FALSE(KernelLog::open(folder.path() / "none"));
}
