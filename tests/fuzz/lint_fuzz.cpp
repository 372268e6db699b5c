// Dockerfiles come from anywhere.

#include "decision/lint/lint.hpp"

#include <algorithm>

using namespace torchkiln;

namespace {

/// A matrix with one release, so that the rules about builds have something to ask.
matrix::Matrix small_matrix() {
  matrix::Matrix matrix;
  const auto pytorch = version::Version::of({2, 8, 0});
  matrix.releases.push_back({pytorch, "2025-08-06", {}});
  matrix::Build build;
  build.pytorch = pytorch;
  build.variant = "cu128";
  build.index = "default";
  build.cuda = version::CudaVersion{12, 8, 0};
  matrix.builds.push_back(build);
  matrix::Companion companion;
  companion.package = "torchvision";
  companion.release = version::Version::of({0, 23, 0});
  companion.pytorch = {pytorch};
  matrix.companions.push_back(companion);
  matrix.tombstones.push_back({"nvidia/cuda", "10.*", "2023-07", "a newer one", {}});
  return matrix;
}

bool is_one_line(const std::string& text) {
  return !text.empty() && text.find('\n') == std::string::npos;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const auto k_matrix = small_matrix();
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto findings = lint::lint(text, "Dockerfile", k_matrix);
  if (!findings) return 0;
  const auto lines = static_cast<int>(std::count(text.begin(), text.end(), '\n')) + 1;
  int before = 1;
  for (const auto& finding : *findings) {
    TK_ASSERT(finding.place.line >= before && finding.place.line <= lines, "findings are in the order of the file");
    TK_ASSERT(finding.place.column >= 1, "columns count from 1");
    TK_ASSERT(finding.instruction_line >= 1 && finding.instruction_line <= finding.place.line,
              "a finding is in its instruction");
    TK_ASSERT(is_one_line(finding.text) && is_one_line(finding.fix), "a finding and its fix are one line each");
    before = finding.place.line;
  }
  return 0;
}
