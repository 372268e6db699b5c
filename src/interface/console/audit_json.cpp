// torchkiln.audit/1 and its lines.

#include "interface/console/audit_grid.hpp"
#include "interface/console/audit_text.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace torchkiln::console {

namespace {

using Json = nlohmann::ordered_json;

std::string dumped(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

/// `"verdict":…,"reasons":[…],"fixes":[…],"features":{…}`.
std::string judgement_members(const audit::Judgement& judgement) {
  Json reasons = Json::array(), fixes = Json::array(), features = Json::object(), limitations = Json::array();
  for (const auto& reason : judgement.reasons)
    reasons.push_back({{"rule", reason.rule}, {"text", reason.text}, {"source", reason.source}});
  for (const auto& fix : judgement.fixes) {
    fixes.push_back({{"text", fix.text}});
    if (!fix.command.empty()) fixes.back()["command"] = fix.command;
  }
  for (const auto& one : judgement.limitations) {
    features[one.feature] = false;
    limitations.push_back({{"feature", one.feature}, {"text", one.text}});
  }
  auto members =
      fmt::format(R"("verdict":"{}","runs":{},"reasons":{},"fixes":{},"features":{})", name(judgement.verdict),
                  audit::runs(judgement.verdict), dumped(reasons), dumped(fixes), dumped(features));
  if (!limitations.empty()) members += ",\"limitations\":" + dumped(limitations);
  return members;
}

template <class T>
Json fact_json(const host::Fact<T>& fact, std::string value) {
  return {{"value", std::move(value)}, {"source", fact.source}};
}

Json host_json(const host::Machine& machine) {
  Json json = {{"name", machine.name}};
  if (machine.driver) json["driver"] = fact_json(*machine.driver, machine.driver->value.to_string());
  if (machine.userland) json["userland_driver"] = fact_json(*machine.userland, machine.userland->value.to_string());
  json["gpus"] = Json::array();
  for (const auto& gpu : machine.gpus) {
    Json one = {{"count", gpu.count}};
    if (!gpu.model.empty()) one["model"] = gpu.model;
    if (gpu.compute) one["compute_capability"] = gpu.compute->to_string();
    if (!gpu.brand.empty()) one["brand"] = gpu.brand;
    one["source"] = gpu.source;
    json["gpus"].push_back(std::move(one));
  }
  if (!machine.without_gpu.empty()) json["without_gpu"] = {{"source", machine.without_gpu}};
  if (machine.architecture)
    json["architecture"] = fact_json(*machine.architecture, std::string(name(machine.architecture->value)));
  if (machine.glibc) json["glibc"] = fact_json(*machine.glibc, machine.glibc->value.to_string());
  if (machine.compat_package)
    json["compat_package"] = fact_json(*machine.compat_package, machine.compat_package->value.to_string());
  if (machine.injection)
    json["runtime"] = fact_json(*machine.injection, std::string(name(machine.injection->value)));
  if (!machine.notes.empty()) json["notes"] = machine.notes;
  return json;
}

/// Calls `write(members)` with the members of each pair's object.
template <class Write>
void each_result(const AuditGrid& grid, Write write) {
  AuditWords words(grid, judgement_members);
  std::vector<std::string> images;
  for (const auto& image : grid.images) images.push_back(",\"image\":" + json_string(image.name) + ",");
  for (std::size_t host = 0; host < grid.hosts.size(); ++host) {
    const auto begin = "\"host\":" + json_string(grid.hosts[host].name);
    for (std::size_t image = 0; image < grid.images.size(); ++image)
      write(begin + images[image] + words.at(host, image));
  }
}

}  // namespace

void write_audit_json(const AuditGrid& grid, AuditText& out) {
  out << R"({"schema":"torchkiln.audit/1","results":[)";
  bool first = true;
  each_result(grid, [&](const std::string& members) {
    out << (first ? "\n{" : ",\n{") << members << "}";
    first = false;
  });
  Json summary = Json::object();
  for (std::size_t i = 0; i < grid.counts.size(); ++i)
    if (grid.counts[i] > 0) summary[std::string(name(static_cast<audit::Verdict>(i)))] = grid.counts[i];
  out << "\n],\"summary\":" << dumped(summary) << ",\"hosts\":[";
  for (const auto& machine : grid.hosts)
    out << (&machine == grid.hosts.data() ? "\n" : ",\n") << dumped(host_json(machine));
  out << "\n],\"data_date\":" << json_string(grid.data.date)
      << ",\"data_age_days\":" << std::to_string(grid.data.days) << "}\n";
}

void write_audit_jsonl(const AuditGrid& grid, AuditText& out) {
  each_result(grid, [&](const std::string& members) {
    out << R"({"schema":"torchkiln.audit-result/1",)" << members << "}\n";
  });
}

}  // namespace torchkiln::console
