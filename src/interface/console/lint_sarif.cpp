// SARIF 2.1.0: a result a finding, with the place to the column.

#include "foundation/base/digest.hpp"
#include "interface/console/audit_text.hpp"
#include "interface/console/lint_document.hpp"

#include <map>
#include <set>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace torchkiln::console {

namespace {

using Json = nlohmann::ordered_json;

std::string_view sarif_level(lint::Severity severity) {
  return severity == lint::Severity::info ? "note" : name(severity);
}

Json rule_json(const lint::Rule& rule) {
  Json tags = Json::array();
  for (const auto alias : rule.aliases)
    if (!alias.empty()) tags.push_back(alias);
  return {{"id", rule.id},
          {"shortDescription", {{"text", rule.summary}}},
          {"defaultConfiguration", {{"level", sarif_level(rule.severity)}}},
          {"properties", {{"tags", tags}}}};
}

}  // namespace

std::string lint_sarif(const LintReport& report) {
  Json rules = Json::array(), results = Json::array();
  std::set<const lint::Rule*> described;
  std::map<std::string, int> alike;  // the same words of one rule may stand twice in a file
  for (const auto& finding : report.findings) {
    const auto& [rule, place, instruction_line, text, fix] = finding;
    if (described.insert(rule).second) rules.push_back(rule_json(*rule));
    // A finding stays the same one while lines move: its number among those alike, not its line, is in it.
    const auto said = fmt::format("{}\n{}\n{}", place.file, rule->id, text);
    const auto fingerprint = base::Digest::of(fmt::format("{}\n{}", said, alike[said]++)).hex();
    const Json region = {{"startLine", place.line}, {"startColumn", place.column}};
    results.push_back(
        {{"ruleId", rule->id},
         {"level", sarif_level(rule->severity)},
         {"message", {{"text", fmt::format("{}. Fix: {}.", text, fix)}}},
         {"locations",
          Json::array(
              {{{"physicalLocation", {{"artifactLocation", {{"uri", uri_of(place.file)}}}, {"region", region}}}}})},
         {"partialFingerprints", {{"primaryLocationLineHash", fingerprint}}}});
  }
  const Json driver = {{"name", "torchkiln"}, {"rules", rules}};
  const Json root = {
      {"$schema", "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"},
      {"version", "2.1.0"},
      {"runs",
       Json::array({{{"tool", {{"driver", driver}}}, {"columnKind", "unicodeCodePoints"}, {"results", results}}})}};
  return root.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace torchkiln::console
