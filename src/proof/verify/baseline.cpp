#include "proof/verify/baseline.hpp"

#include "foundation/document/document.hpp"
#include "foundation/sys/files.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>

#include <fmt/format.h>

namespace torchkiln::verify {

using base::Result;

namespace {

constexpr std::string_view k_baseline_schema = "torchkiln.baselines/1";

Result<double> parse_positive(std::string_view text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(value) || value <= 0)
    return base::fail(base::ErrorCode::matrix_invalid, fmt::format("'{}' is no positive number", text));
  return value;
}

}  // namespace

Result<std::vector<Baseline>> read_baselines(const std::filesystem::path& file) {
  std::error_code error;
  if (!std::filesystem::exists(file, error)) return std::vector<Baseline>();
  TK_TRY(const auto text, sys::read_file(file));
  TK_TRY(auto document, document::Document::parse(text, file.string(), base::ErrorCode::matrix_invalid));
  auto root = document.root();
  const auto schema = root.required_text("schema");
  if (schema.value != k_baseline_schema)
    root.reject(fmt::format("schema is '{}', not '{}'", schema.value, k_baseline_schema), schema.place);
  std::vector<Baseline> baselines;
  for (auto& row : root.tables("baseline")) {
    Baseline baseline;
    baseline.gpu = row.required_text("gpu").value;
    baseline.test = row.required_text("test").value;
    if (const auto value = row.parsed("value", parse_positive))
      baseline.value = value->value;
    else
      row.missing("value");
    baseline.source = row.required_text("source").value;
    row.finish();
    baselines.push_back(std::move(baseline));
  }
  root.finish();
  TK_CHECK(document.check());
  return baselines;
}

void warn_if_slow(std::vector<report::TestOutcome>& tests, const std::vector<report::GpuFacts>& gpus,
                  const std::vector<Baseline>& baselines) {
  if (gpus.empty()) return;
  for (auto& test : tests) {
    if (test.verdict != report::TestVerdict::pass || !test.measured.is_number()) continue;
    const auto measured = test.measured.get<double>();
    for (const auto& baseline : baselines) {
      // The speed tests use the first GPU.
      if (baseline.test != test.id || baseline.gpu != gpus.front().name) continue;
      if (measured >= k_baseline_share * baseline.value) continue;
      test.verdict = report::TestVerdict::warn;
      test.reason =
          fmt::format("{:.4g} {} is {:.0f} % of what an {} does elsewhere ({:.4g}, {})", measured, test.unit,
                      100 * measured / baseline.value, baseline.gpu, baseline.value, baseline.source);
    }
  }
}

}  // namespace torchkiln::verify
