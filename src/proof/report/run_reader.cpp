#include "proof/report/run_reader.hpp"

#include "foundation/base/text.hpp"

#include <algorithm>
#include <array>
#include <set>

namespace torchkiln::report {

using base::Result;
using document::JsonValue;

namespace {
constexpr std::array<std::string_view, 4> k_verdict_names = {"pass", "warn", "fail", "skip"};
}

std::string_view name(TestVerdict verdict) {
  return k_verdict_names[static_cast<std::size_t>(verdict)];
}

std::optional<TestVerdict> parse_verdict(std::string_view text) {
  const auto found = std::find(k_verdict_names.begin(), k_verdict_names.end(), text);
  if (found == k_verdict_names.end()) return std::nullopt;
  return static_cast<TestVerdict>(found - k_verdict_names.begin());
}

Result<std::string> plain_or_empty(const JsonValue& parent, std::string_view key) {
  TK_TRY(const auto value, parent.find(key));
  if (!value) return std::string();
  TK_TRY(auto text, value->text());
  if (std::any_of(text.begin(), text.end(), [](unsigned char c) { return c < 0x20 || c == 0x7f; }))
    return value->wrong("has a control character");
  return text;
}

Result<std::string> plain(const JsonValue& parent, std::string_view key) {
  TK_TRY(const auto value, parent.member(key));
  TK_TRY(auto text, plain_or_empty(parent, key));
  if (text.empty()) return value.wrong("is empty");
  return text;
}

Result<std::int64_t> time_s(const JsonValue& parent, std::string_view key) {
  TK_TRY(const auto value, parent.member(key));
  TK_TRY(const auto text, value.text());
  const auto time = base::parse_time(text);
  if (!time) return value.wrong("is \"" + text + "\", no RFC 3339 time in UTC");
  return *time;
}

Result<Level> level(const JsonValue& parent, std::string_view key) {
  TK_TRY(const auto value, parent.member(key));
  TK_TRY(const auto text, value.text());
  const auto known = parse_level(text);
  if (!known) return value.wrong("is \"" + text + "\", none of none, static, boot, cpu, gpu, multi-gpu");
  return *known;
}

Result<TestVerdict> verdict(const JsonValue& parent) {
  TK_TRY(const auto value, parent.member("verdict"));
  TK_TRY(const auto text, value.text());
  const auto known = parse_verdict(text);
  if (!known) return value.wrong("is \"" + text + "\", none of pass, warn, fail, skip");
  return *known;
}

Result<document::ParsedJson> scalar(const JsonValue& parent, std::string_view key) {
  TK_TRY(const auto value, parent.find(key));
  if (!value) return document::ParsedJson(nullptr);
  if (value->json().is_structured()) return value->wrong("is neither a number nor a text");
  return value->json();
}

Result<document::ParsedJson> details(const JsonValue& parent) {
  TK_TRY(const auto found, parent.find("details"));
  if (!found) return document::ParsedJson(nullptr);
  TK_TRY(const auto members, found->members());
  for (const auto& [name, value] : members) {
    const auto& json = value.json();
    const bool is_curve = json.is_array() && std::all_of(json.begin(), json.end(), [](const auto& point) {
                            return point.is_number() || point.is_string();  // "nan" and "inf" are texts
                          });
    if (!is_curve && !json.is_number() && !json.is_string() && !json.is_null())
      return value.wrong("is neither a number, a text nor a curve");
  }
  return found->json();
}

Result<std::vector<GpuFacts>> gpus(const JsonValue& parent, std::string_view key, std::string_view capability_key) {
  std::vector<GpuFacts> all;
  TK_TRY(const auto found, parent.find(key));
  if (!found) return all;
  TK_TRY(const auto items, found->items());
  for (const auto& item : items) {
    GpuFacts gpu;
    TK_TRY(gpu.name, plain(item, "name"));
    TK_TRY(gpu.uuid_sha256, plain_or_empty(item, "uuid_sha256"));
    TK_TRY(gpu.compute_capability, plain(item, capability_key));
    all.push_back(std::move(gpu));
  }
  return all;
}

Result<void> check_run(const TestRun& run, const JsonValue& document) {
  if (run.finished_s < run.started_s) return document.wrong("ends before it starts");
  std::set<std::string_view> ids;
  for (const auto& test : run.tests)
    if (!ids.insert(test.id).second) return document.wrong("has the test \"" + test.id + "\" twice");
  const auto borne_out = level_borne_out(run.tests);
  if (run.reached > borne_out)
    return document.wrong("claims the level " + std::string(name(run.reached)) + ", its tests bear out " +
                          std::string(name(borne_out)));
  if (run.reached >= Level::gpu && (run.host.gpus.empty() || run.host.driver.empty()))
    return document.wrong("claims the level " + std::string(name(run.reached)) + " without a GPU and its driver");
  return {};
}

}  // namespace torchkiln::report
