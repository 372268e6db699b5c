// The plan: every test of the verifier in one table, with what it measures and the limit that the measurement must
// keep. Tests only measure; the supervisor alone compares with the limit and so gives the verdict. To add a test:
// one row here, one function of the same id in the program named by the row.
#pragma once

#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace torchkiln::verifier {

/// A level is reached only when every test of it and of all levels before it passed.
enum class Level { boot, cpu, gpu, multi_gpu };

/// Who runs a test: the supervisor's own program again (no torch in it), the LibTorch program, or the image's
/// Python. Each runs as a child process, so a crash, a hang or a library that does not load costs a verdict, not
/// the report.
enum class Program { boot, libtorch, python };

enum class Compare { at_most, at_least, equals };

/// What a test measures: a number or, for names such as that of PID 1, a text.
using Value = std::variant<double, std::string>;

struct Test {
  std::string id;
  Level level = Level::boot;
  Program program = Program::boot;
  /// What the measured value is, as a phrase that a reader understands without the source.
  std::string measures;
  Compare compare = Compare::at_most;
  Value limit;
  std::string unit;
  double timeout_s = 0;
  /// Ids of tests without whose pass this one cannot run; it is then skipped, which is never a pass.
  std::vector<std::string> needs;
};

/// The opt-in test that keeps the devices busy, at the level cpu or gpu.
struct Soak {
  Level level = Level::gpu;
  double seconds = 0;  ///< 0: there is none
};

/// All tests, level by level, in the order in which they run. Ids are unique and begin with their level's name.
std::vector<Test> plan(const Soak& soak = {});

/// Whether a measured number, which is finite, keeps the limit of a test whose limit is a number.
bool keeps_limit(const Test& test, double measured);

std::string_view name_of(Level level);
std::string_view name_of(Program program);
std::string_view name_of(Compare compare);

}  // namespace torchkiln::verifier
