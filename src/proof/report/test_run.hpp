#pragma once
// One run of an image's tests: what was run, where, and what came out. Written and read as torchkiln.report/1; a
// stamp signs it as an in-toto statement.

#include "foundation/base/digest.hpp"
#include "foundation/base/error.hpp"
#include "foundation/document/json.hpp"

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace torchkiln::report {

/// The levels of docs/architecture.md, in rising order.
enum class Level { none, static_, boot, cpu, gpu, multi_gpu };
/// Those that tests have, lowest first.
inline constexpr std::array k_levels{Level::static_, Level::boot, Level::cpu, Level::gpu, Level::multi_gpu};
/// "static", "multi-gpu".
std::string_view name(Level level);
std::optional<Level> parse_level(std::string_view text);

enum class TestVerdict { pass, warn, fail, skip };
/// "pass", "warn", "fail", "skip".
std::string_view name(TestVerdict verdict);
std::optional<TestVerdict> parse_verdict(std::string_view text);

/// in-toto's test-result v0.1, "result".
enum class RunResult { passed, warned, failed };

struct TestOutcome {
  std::string id;
  Level level = Level::none;
  TestVerdict verdict = TestVerdict::fail;
  std::string reason;             ///< why it failed, warned or was skipped
  document::ParsedJson measured;  ///< a number, a text or null
  document::ParsedJson limit;     ///< likewise
  std::string measures;           ///< what is measured, as a phrase; may be empty, as the next three
  std::string compare;            ///< how the measured value stands to the limit: "at most"
  std::string unit;
  std::string fault;             ///< whose a failure is: "image" or "host"
  document::ParsedJson details;  ///< an object of numbers, texts and curves (arrays of numbers), or null
  double duration_s = 0;
};

struct GpuFacts {
  std::string name;                ///< "NVIDIA H200"
  std::string uuid_sha256;         ///< hex; tells two boards apart without naming them
  std::string compute_capability;  ///< "9.0"
};

struct HostFacts {
  std::string kernel;
  std::string architecture;
  std::string cpu;
  std::string driver;  ///< empty without a GPU
  std::string runtime;
  std::vector<GpuFacts> gpus;
};

/// "NVIDIA H200 (9.0), NVIDIA A100 (8.0)"; empty without a GPU.
std::string gpus_in_words(const HostFacts& host);

struct TestRun {
  base::Digest image;
  std::string image_name;
  std::optional<base::Digest> lock;
  base::Digest suite;
  std::string nonce;
  HostFacts host;
  std::map<std::string, std::string> versions;  ///< "torch" and the like
  Level asked = Level::none;
  Level reached = Level::none;
  std::int64_t started_s = 0;   ///< since 1970
  std::int64_t finished_s = 0;  ///< since 1970
  std::vector<TestOutcome> tests;
  base::Digest report;  ///< of the report's bytes
};

/// The most tests of one run.
inline constexpr std::size_t k_test_limit = 10'000;

/// passed only if the asked level was reached and no test failed; warned when one of them warns.
RunResult result_of(const TestRun& run);
/// Reached the level gpu or a higher one, and nothing failed: only such a run may be called verified.
bool is_verified(const TestRun& run);
/// "PASSED", "WARNED", "FAILED".
std::string_view name(RunResult result);

/// The highest level that the outcomes bear out: each level from static up to it has tests, all of them pass or
/// warn. A skipped test is never a pass.
Level level_borne_out(const std::vector<TestOutcome>& tests);

/// Reads torchkiln.report/1. An Error for a report that contradicts itself: a level that its tests do not bear
/// out, a test twice, an end before the start. `file` is for messages.
base::Result<TestRun> parse_report(std::string_view bytes, const std::string& file);

/// The bytes of torchkiln.report/1; parse_report() reads them back to the same run.
base::Result<std::string> to_report(const TestRun& run);

}  // namespace torchkiln::report
