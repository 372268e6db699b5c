// Error texts as they stand in logs: tests/unit/diagnosis/corpus has one for each error that is known.

#include "decision/diagnosis/diagnosis.hpp"

#include "decision/diagnosis/known_errors.hpp"
#include "foundation/base/text.hpp"
#include "foundation/sys/files.hpp"
#include "support/must.hpp"

#include <catch2/catch.hpp>
#include <ctime>
#include <set>

#include <fmt/format.h>

using namespace torchkiln;
using namespace torchkiln::diagnosis;
using test::must;

namespace {

std::string corpus(const std::string& name) {
  return must(sys::read_file(std::filesystem::path(TK_TEST_DATA) / "unit/diagnosis/corpus" / (name + ".txt")));
}
std::vector<std::string> ids_of(const std::vector<Finding>& findings) {
  std::vector<std::string> ids;
  for (const auto& finding : findings) ids.push_back(finding.id);
  return ids;
}
std::string detail(const Finding& finding, std::string_view name) {
  for (const auto& one : finding.details)
    if (one.name == name) return one.value;
  return "";
}

}  // namespace

TEST_CASE("every known error is recognised in a log, alone, and has a cause, a fix and a thread") {
  CHECK(known_errors().size() == 22);
  for (const auto& error : known_errors()) {
    INFO(error.id);
    const auto findings = diagnose(corpus(std::string(error.id)));
    REQUIRE(ids_of(findings) == std::vector<std::string>{std::string(error.id)});
    CHECK_FALSE(findings[0].cause.empty());
    CHECK_FALSE(findings[0].remedies.empty());
    CHECK_FALSE(findings[0].threads.empty());
    CHECK(findings[0].line > 0);
    CHECK(corpus(std::string(error.id)).find(findings[0].quote.substr(0, 60)) != std::string::npos);
  }
}

TEST_CASE("F6: missing kernels, an old driver and no driver are three errors with three causes") {
  const auto only = [](std::string_view log) {
    const auto findings = diagnose(log);
    REQUIRE(findings.size() == 1);
    return findings.front();
  };
  const auto kernels = only("RuntimeError: CUDA error: no kernel image is available for execution on the device");
  const auto old = only("RuntimeError: The NVIDIA driver on your system is too old (found version 11000).");
  const auto none = only("RuntimeError: Found no NVIDIA driver on your system.");
  CHECK(std::set<std::string>{kernels.id, old.id, none.id} == std::set<std::string>{"E02", "E21", "E04"});
  CHECK(std::set<std::string>{kernels.cause, old.cause, none.cause}.size() == 3);
}

TEST_CASE("every pattern of every error is one that finds it, and is written in small letters") {
  for (const auto& error : known_errors())
    for (const auto& pattern : error.patterns) {
      std::string text;
      for (const auto& piece : pattern.pieces) text += std::string(piece);
      CHECK(text == base::lower(text));
      CHECK(pattern.pieces[0].size() >= 4);
      CHECK(ids_of(diagnose(text)) == std::vector<std::string>{std::string(error.id)});
    }
}

TEST_CASE("what only resembles an error is none") {
  for (const auto line : base::lines(corpus("near_misses"))) {
    INFO(line);
    CHECK(ids_of(diagnose(line)).empty());
  }
  CHECK(diagnose("").empty());
  CHECK(diagnose("all is well\n").empty());
}

TEST_CASE("colours, white space, case and what stands before an error do not hide it") {
  CHECK(
      ids_of(diagnose("\x1b[31mRuntimeError:\x1b[0m Found no \x1b[1mNVIDIA\x1b[0m driver\ton  your system\r\n")) ==
      std::vector<std::string>{"E04"});
  CHECK(ids_of(diagnose("\x1b]0;title\aFOUND NO NVIDIA DRIVER ON YOUR SYSTEM")) == std::vector<std::string>{"E04"});
  const auto findings = diagnose("\x1b[2m[rank0]:\x1b[0m  RuntimeError: Found no NVIDIA driver on your system.  ");
  CHECK(findings[0].quote == "[rank0]:  RuntimeError: Found no NVIDIA driver on your system.");
  // As docker keeps logs.
  CHECK(ids_of(diagnose(R"({"log":"could not select device driver \"\" with capabilities: [[gpu]]\n"})")) ==
        std::vector<std::string>{"E07"});
}

TEST_CASE("several errors are told once each, causes before symptoms, each with its line") {
  const auto log = corpus("E18") + "x\n" + corpus("E04") + corpus("E18") + corpus("E12");
  const auto findings = diagnose(log);
  CHECK(ids_of(findings) == std::vector<std::string>{"E04", "E12", "E18"});
  CHECK(findings[0].line == 5);
  CHECK(findings[2].line == 2);
  CHECK(findings[2].times == 2);
}

TEST_CASE("of two errors that would claim the same words the longer match counts") {
  // 802 alone is E11's; as part of E11's longer text it is still one finding.
  CHECK(ids_of(diagnose("Error 802: system not yet initialized")) == std::vector<std::string>{"E11"});
  // Both are told when they stand beside each other.
  CHECK(ids_of(diagnose("libcuda.so.1: cannot open shared object file; libcudart.so.12: cannot open shared object "
                        "file"))
            .size() == 2);
}

TEST_CASE("what the error itself says is read") {
  CHECK(detail(diagnose(corpus("E21"))[0], "driver_cuda") == "11.0");
  const auto cuda_of = [](const std::string& number) {
    return detail(diagnose("The NVIDIA driver on your system is too old (found version " + number + ").")[0],
                  "driver_cuda");
  };
  CHECK(cuda_of("12040") == "12.4");
  CHECK(cuda_of("9010") == "9.1");
  CHECK(cuda_of("13020") == "13.2");
  for (const auto* number : {"", "x", "999", "-11000", "99999999999999999999", "1000001"})
    CHECK(cuda_of(number).empty());

  const auto kernels = diagnose(corpus("E02"))[0];
  CHECK(detail(kernels, "gpu") == "sm_120");
  CHECK(detail(kernels, "build") == "sm_50 sm_60 sm_70 sm_75 sm_80 sm_86 sm_90");
  CHECK(detail(diagnose(corpus("E08"))[0], "library") == "550.144");
  CHECK(detail(diagnose(corpus("E13"))[0], "gpu") == "sm_121a");
  CHECK(detail(diagnose(corpus("E14"))[0], "symbol") == "ncclCommRegister");
  CHECK(detail(diagnose(corpus("E15"))[0], "symbol") == "__nvJitLinkComplete_12_4");
  CHECK(detail(diagnose(corpus("E16"))[0], "built_with") == "8, 3, 2");
  CHECK(detail(diagnose(corpus("E16"))[0], "found") == "8, 0, 3");
  CHECK(detail(diagnose(corpus("E22"))[0], "library") == "libcudart.so.12");
}

TEST_CASE("an unmet requirement is in the command to run, unless a shell could read something into it") {
  const auto require = [](const std::string& condition) {
    return diagnose("nvidia-container-cli: requirement error: unsatisfied condition: " + condition + ", please")[0];
  };
  CHECK(detail(require("cuda>=12.8"), "condition") == "cuda>=12.8");
  CHECK(require("cuda>=12.8").remedies[0].command == "torchkiln audit --require 'cuda>=12.8'");
  CHECK(require("cuda>=1';rm").remedies[0].command == "torchkiln audit --require 'CONDITION'");
}

TEST_CASE("quotes are cut between characters") {
  const auto findings = diagnose("Found no NVIDIA driver on your system " + std::string(401, 'x') + "üü");
  CHECK(findings[0].quote.size() <= 404);
  for (std::size_t fill = 340; fill < 370; ++fill) {
    std::string text = "Found no NVIDIA driver on your system " + std::string(fill, 'x');
    for (int i = 0; i < 40; ++i) text += "ü";
    const auto quote = diagnose(text)[0].quote;
    CHECK((quote.ends_with("ü…") || quote.ends_with("x…")));
  }
}

TEST_CASE("time grows with the log, whatever is in it") {
  const auto seconds = [](const std::string& log) {
    const auto begin = std::clock();
    diagnose(log);
    return static_cast<double>(std::clock() - begin) / CLOCKS_PER_SEC;
  };
  // First pieces without the second ones, on one line: what a backtracking matcher is slow with.
  std::string hostile, prose;
  while (hostile.size() < (4U << 20))
    hostile += "nccl nccl cuda capability sm_ libcudart.so. ptxas fatal \x1b[\x1b]";
  while (prose.size() < (4U << 20)) prose += "step 100: loss 2.345, 12 samples a second\n";
  CHECK(seconds(hostile) < 20);
  CHECK(seconds(prose) < 20);
}

TEST_CASE("of a log that is too long the end counts") {
  std::string log = "Found no NVIDIA driver on your system\n";
  log.append(k_log_bytes, '\n');
  CHECK(diagnose(log).empty());
  log += "Found no NVIDIA driver on your system\n";
  CHECK(ids_of(diagnose(log)) == std::vector<std::string>{"E04"});
}
