#include "proof/verify/baseline.hpp"

#include "support/test_folder.hpp"

#include <catch2/catch.hpp>

using namespace torchkiln::verify;
using torchkiln::report::GpuFacts;
using torchkiln::report::TestOutcome;
using torchkiln::report::TestVerdict;
using torchkiln::test::must;

namespace {

const std::vector<Baseline> k_baselines = {{"NVIDIA H100", "gpu.speed.matmul.fp16", 700, "a report"}};

TestOutcome speed(double measured) {
  TestOutcome test;
  test.id = "gpu.speed.matmul.fp16";
  test.verdict = TestVerdict::pass;
  test.measured = measured;
  test.unit = "TFLOP/s";
  return test;
}

TestOutcome judged(double measured, const std::string& gpu, TestVerdict verdict = TestVerdict::pass) {
  std::vector<TestOutcome> tests = {speed(measured)};
  tests[0].verdict = verdict;
  warn_if_slow(tests, {GpuFacts{gpu, "", "9.0"}}, k_baselines);
  return tests[0];
}

}  // namespace

TEST_CASE("a GPU below 70 % of what its model does elsewhere gets a warning, one at 70 % does not") {
  CHECK(judged(490, "NVIDIA H100").verdict == TestVerdict::pass);
  const auto slow = judged(489, "NVIDIA H100");
  CHECK(slow.verdict == TestVerdict::warn);
  CHECK(slow.reason == "489 TFLOP/s is 70 % of what an NVIDIA H100 does elsewhere (700, a report)");
}

TEST_CASE("another model is not compared, and a failure stays a failure") {
  CHECK(judged(1, "NVIDIA L4").verdict == TestVerdict::pass);
  CHECK(judged(1, "NVIDIA H100", TestVerdict::fail).verdict == TestVerdict::fail);
  std::vector<TestOutcome> without_gpu = {speed(1)};
  warn_if_slow(without_gpu, {}, k_baselines);
  CHECK(without_gpu[0].verdict == TestVerdict::pass);
}

TEST_CASE("our own baselines can be read; a row without a source or a value cannot") {
  must(read_baselines(TK_SOURCE_DIR "/manifests/baselines/gpu.toml"));
  const torchkiln::test::TestFolder folder;
  const auto read = [&](const std::string& row) {
    return read_baselines(folder.write("gpu.toml", "schema = \"torchkiln.baselines/1\"\n[[baseline]]\n" + row));
  };
  const std::string names = "gpu = \"NVIDIA H100\"\ntest = \"gpu.speed.amp\"\n";
  CHECK(must(read(names + "value = \"2.5\"\nsource = \"s\"\n")).at(0).value == 2.5);
  CHECK_FALSE(read(names + "value = \"2.5\"\n").has_value());
  CHECK_FALSE(read(names + "source = \"s\"\n").has_value());
  CHECK_FALSE(read(names + "value = \"fast\"\nsource = \"s\"\n").has_value());
  CHECK(must(read_baselines(folder.path("nothing.toml"))).empty());
}
