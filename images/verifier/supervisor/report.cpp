#include "supervisor/report.hpp"

#include <cmath>
#include <cstdio>

namespace torchkiln::verifier {
namespace {

Json limit_json(const Value& limit) {
  if (const auto* number = std::get_if<double>(&limit)) return *number;
  return std::get<std::string>(limit);
}

/// Four digits are what a reader compares; the report has all of them.
std::string brief(const Json& value) {
  if (value.is_string()) return value.get<std::string>();
  if (!value.is_number()) return "nothing measured";
  char text[32];
  std::snprintf(text, sizeof text, "%.4g", value.get<double>());
  return text;
}

Json result_json(const Result& result) {
  return {{"id", result.test.id},
          {"level", name_of(result.test.level)},
          {"verdict", name_of(result.verdict)},
          {"reason", result.reason},
          {"fault", result.fault.empty() ? Json() : Json(result.fault)},
          {"measures", result.test.measures},
          {"measured", result.measured},
          {"compare", name_of(result.test.compare)},
          {"limit", limit_json(result.test.limit)},
          {"unit", result.test.unit},
          {"seconds", std::round(result.seconds * 1000) / 1000},
          {"details", result.details}};
}

/// The members of `into` in their order, each taken from `from` where it is there; then what only `from` has.
void fill(Json& into, const Json& from) {
  if (from.is_object()) into.update(from);
}

}  // namespace

Json report_document(const Report& report) {
  Json versions = Json::object();
  for (const char* name : {"torch", "torch_git", "cuda_runtime", "cuda_driver", "cudnn_runtime", "cudnn_compiled",
                           "nccl", "nccl_compiled", "python"}) {
    versions[name] = nullptr;
  }
  Json host = {{"driver", nullptr}, {"gpus", Json::array()}, {"kernel", nullptr}, {"machine", nullptr}};
  fill(versions, report.facts.value("versions", Json()));
  fill(host, report.facts.value("host", Json()));
  Json tests = Json::array();
  for (const auto& result : report.results) tests.push_back(result_json(result));
  return {{"schema", "torchkiln.verifier/1"},
          {"nonce", report.nonce},
          {"seed", report.seed},
          {"level", name_of(report.asked)},
          {"reached", report.reached ? Json(name_of(*report.reached)) : Json()},
          {"planned", report.planned},
          {"versions", versions},
          {"host", host},
          {"tests", tests},
          {"seconds", std::round(report.seconds * 1000) / 1000}};
}

Json plan_document(const std::vector<Test>& tests) {
  Json rows = Json::array();
  for (const auto& test : tests) {
    rows.push_back({{"id", test.id},
                    {"level", name_of(test.level)},
                    {"program", name_of(test.program)},
                    {"measures", test.measures},
                    {"compare", name_of(test.compare)},
                    {"limit", limit_json(test.limit)},
                    {"unit", test.unit},
                    {"timeout_s", test.timeout_s},
                    {"needs", test.needs}});
  }
  return {{"schema", "torchkiln.verifier-plan/1"}, {"tests", rows}};
}

std::string text_of(const Json& document) {
  return document.dump(1, ' ', false, Json::error_handler_t::replace) + "\n";
}

std::string result_line(const Result& result) {
  char text[256];
  const auto measured = result.measured.is_null()
                            ? std::string()
                            : brief(result.measured) + ", " + std::string(name_of(result.test.compare)) + " " +
                                  brief(limit_json(result.test.limit)) +
                                  (result.test.unit.empty() ? "" : " " + result.test.unit);
  std::snprintf(text, sizeof text, "%-4s  %-26s %7.2f s  %s\n", std::string(name_of(result.verdict)).c_str(),
                result.test.id.c_str(), result.seconds, measured.c_str());
  std::string line = text;
  if (!result.reason.empty()) line += "      " + result.reason + "\n";
  return line;
}

}  // namespace torchkiln::verifier
