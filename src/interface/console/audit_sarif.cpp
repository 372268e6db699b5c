// SARIF 2.1.0: a result for each kind of host and each image that does not run on it or runs limited. Alike hosts
// are one result, so that a fleet fits the limits of code scanning; their number is in occurrenceCount.

#include "foundation/base/digest.hpp"
#include "interface/console/audit_grid.hpp"
#include "interface/console/audit_text.hpp"
#include "interface/console/audit_verdicts.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace torchkiln::console {

namespace {

using Json = nlohmann::ordered_json;

constexpr std::string_view k_limited_rule = "limited";
constexpr std::size_t k_hosts_bytes = 200;  ///< of a list of hosts in a message

std::string sarif_text(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string_view level_of(audit::Verdict verdict) {
  if (audit::runs(verdict)) return "note";
  return verdict == audit::Verdict::unknown ? "warning" : "error";
}

Json rules() {
  Json all = Json::array();
  for (std::size_t i = 0; i < audit::k_verdicts; ++i) {
    const auto verdict = static_cast<audit::Verdict>(i);
    if (audit::runs(verdict)) continue;
    all.push_back({{"id", name(verdict)},
                   {"shortDescription", {{"text", meaning_of(verdict)}}},
                   {"defaultConfiguration", {{"level", level_of(verdict)}}}});
  }
  all.push_back({{"id", k_limited_rule},
                 {"shortDescription", {{"text", "the image runs, but a feature of it does not"}}},
                 {"defaultConfiguration", {{"level", "note"}}}});
  return all;
}

Json location_of(const SourcePlace& place) {
  Json physical = {{"artifactLocation", {{"uri", uri_of(place.file)}}}};
  if (place.line > 0) physical["region"] = {{"startLine", place.line}};
  return {{"physicalLocation", physical}};
}

/// Where a result is shown: the image's own file, else the first file that a reason names.
Json locations_of(const AuditGroup& hosts, const audit::Image& image, const audit::Judgement& judgement) {
  auto place = place_of(image.source);
  for (const auto& reason : judgement.reasons)
    if (place.file.empty()) place = place_of(reason.source);
  Json location = place.file.empty() ? Json::object() : location_of(place);
  location["logicalLocations"] = Json::array({{{"fullyQualifiedName", hosts.names + "/" + image.name}}});
  return Json::array({location});
}

std::string message_of(const AuditGroup& hosts, const audit::Image& image, const audit::Judgement& judgement) {
  auto text = fmt::format("{} on {}: {}.", one_line(image.name), shortened(hosts, k_hosts_bytes, "hosts"),
                          name(judgement.verdict));
  if (!audit::runs(judgement.verdict))
    for (const auto& reason : judgement.reasons) text += fmt::format(" {} ({}).", reason.text, reason.source);
  for (const auto& one : judgement.limitations) text += fmt::format(" {}: {}.", one.feature, one.text);
  for (const auto& fix : judgement.fixes) text += fmt::format(" Fix: {}.", fix.text);
  return text;
}

Json result_of(const AuditGroup& hosts, const std::string& facts, const audit::Image& image,
               const audit::Judgement& judgement) {
  const bool runs = audit::runs(judgement.verdict);
  // Hosts come and go: a result is the same one while it is about machines of the same facts.
  const auto fingerprint = base::Digest::of(facts + "\n" + image.name).hex();
  return {{"ruleId", runs ? k_limited_rule : name(judgement.verdict)},
          {"level", level_of(judgement.verdict)},
          {"message", {{"text", message_of(hosts, image, judgement)}}},
          {"locations", locations_of(hosts, image, judgement)},
          {"partialFingerprints", {{"primaryLocationLineHash", fingerprint}, {"torchkilnPair/v1", fingerprint}}},
          {"occurrenceCount", hosts.members.size()},
          {"properties", {{"hosts", hosts.names}, {"facts", facts}, {"image", image.name}}}};
}

}  // namespace

void write_audit_sarif(const AuditGrid& grid, AuditText& out) {
  out << R"({"$schema":"https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json",)"
      << R"("version":"2.1.0","runs":[{"tool":{"driver":{"name":"torchkiln","rules":)" << sarif_text(rules())
      << R"(}},"columnKind":"unicodeCodePoints","properties":{"data_date":)" << json_string(grid.data.date)
      << R"(},"results":[)";
  const auto hosts = groups_of_hosts(grid);
  std::map<std::string, int> groups_with_facts;
  for (const auto& group : hosts) ++groups_with_facts[facts_of(grid.hosts[group.first()])];
  bool first = true;
  for (const auto& group : hosts) {
    auto facts = facts_of(grid.hosts[group.first()]);
    // Kinds that differ in what the short form leaves out are told apart by their names.
    if (groups_with_facts[facts] > 1) facts += "; " + group.names;
    for (std::size_t image = 0; image < grid.images.size(); ++image) {
      const auto judgement = grid.judgement(group.first(), image);
      if (audit::runs(judgement.verdict) && judgement.limitations.empty()) continue;
      out << (first ? "\n" : ",\n") << sarif_text(result_of(group, facts, grid.images[image], judgement));
      first = false;
    }
  }
  out << "\n]}]}\n";
}

}  // namespace torchkiln::console
