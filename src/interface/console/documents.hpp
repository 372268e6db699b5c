#pragma once
// Results as text for people and as JSON for programs (docs/interface.md). Pure: they return what is to be printed.

#include "assembly/oci/layout.hpp"
#include "decision/solver/solver.hpp"
#include "foundation/base/error.hpp"
#include "interface/console/progress.hpp"
#include "interface/console/terminal.hpp"
#include "plan/lock/lock.hpp"
#include "proof/verify/verify.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace torchkiln::console {

/// "kiln.toml:7:3: error: …", notes and hints below.
std::string error_text(const base::Error& error, const Paint& paint);
/// torchkiln.error/1.
std::string error_json(const base::Error& error);

/// How old the matrix is: the newest date of any row, and how long ago that was. Every answer tells it.
struct DataAge {
  std::string date;
  std::int64_t days = 0;

  static DataAge of(const std::string& date, std::int64_t now_s);
  /// "2026-11-21 (12 days old)".
  std::string to_string() const;
};

/// How much of a conflict is told: at most 15 lines, or everything.
enum class Explain { brief, full };

std::string resolution_text(const solver::Resolution& resolution, const DataAge& age, const Paint& paint);
std::string conflict_text(const solver::Conflict& conflict, const DataAge& age, Explain explain,
                          const Paint& paint);
/// torchkiln.resolve/1, for either outcome.
std::string outcome_json(const solver::Outcome& outcome, const DataAge& age);

/// One image that was built.
struct BuiltImage {
  oci::Image image;
  std::uint64_t size_bytes = 0;      ///< of all layers, compressed
  std::uint64_t unpacked_bytes = 0;  ///< 0: not known
  std::size_t layers = 0;
  std::vector<std::string> pushed = {};  ///< "HOST/REPO:TAG", where it went
};

/// What `bake` tells at the end about one image.
struct BakedImage {
  BuiltImage built;
  report::TestRun run;  ///< of this bake, or of an earlier one that still holds
  bool verified_before = false;
  std::string report_file, statements_file;
};

struct BakeSummary {
  std::string program = "torchkiln";  ///< as it was called
  lock::LockedResolution resolution;
  std::vector<BakedImage> images;
  std::string spec_file, lock_file, layout, public_key;
  std::vector<StepTime> times;
  double seconds = 0;
};
std::string bake_text(const BakeSummary& summary, const Paint& paint);
/// torchkiln.bake/1.
std::string bake_json(const BakeSummary& summary);

std::string build_text(const std::vector<BuiltImage>& images, const std::string& layout, const Paint& paint);
/// torchkiln.build/1.
std::string build_json(const std::vector<BuiltImage>& images, const std::string& layout);

/// What a level means in one sentence: only gpu and above may be called verified.
std::string level_sentence(const report::TestRun& run);
std::string verification_text(const verify::Verification& verification, const Paint& paint);

}  // namespace torchkiln::console
