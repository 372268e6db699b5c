// A TestRun becomes torchkiln.report/1.

#include "foundation/base/text.hpp"
#include "proof/report/test_run.hpp"

namespace torchkiln::report {

using document::Json;

namespace {

Json document_of(const TestRun& run) {
  Json gpus = Json::array();
  for (const auto& gpu : run.host.gpus)
    gpus.push_back(
        {{"name", gpu.name}, {"uuid_sha256", gpu.uuid_sha256}, {"compute_capability", gpu.compute_capability}});
  Json tests = Json::array();
  for (const auto& test : run.tests) {
    Json one = {{"id", test.id}, {"level", name(test.level)}, {"verdict", name(test.verdict)}};
    if (!test.reason.empty()) one["reason"] = test.reason;
    if (!test.measured.is_null()) one["measured"] = Json(test.measured);
    if (!test.limit.is_null()) one["limit"] = Json(test.limit);
    for (const auto& [key, text] : {std::pair{"measures", &test.measures}, std::pair{"compare", &test.compare},
                                    std::pair{"unit", &test.unit}, std::pair{"fault", &test.fault}})
      if (!text->empty()) one[key] = *text;
    if (!test.details.is_null() && !test.details.empty()) one["details"] = Json(test.details);
    one["seconds"] = static_cast<double>(static_cast<std::int64_t>(test.duration_s * 1000 + 0.5)) / 1000;
    tests.push_back(std::move(one));
  }
  Json versions = Json::object();
  for (const auto& [key, value] : run.versions) versions[key] = value;
  Json document = {{"schema", "torchkiln.report/1"},
                   {"image", {{"digest", run.image.to_string()}, {"name", run.image_name}}}};
  if (run.lock) document["lock"] = {{"digest", run.lock->to_string()}};
  document["suite"] = {{"digest", run.suite.to_string()}};
  document["nonce"] = run.nonce;
  document["host"] = {{"kernel", run.host.kernel},
                      {"arch", run.host.architecture},
                      {"cpu", run.host.cpu},
                      {"driver", run.host.driver},
                      {"gpus", gpus},
                      {"runtime", run.host.runtime}};
  document["versions"] = versions;
  document["level_asked"] = name(run.asked);
  document["level_reached"] = name(run.reached);
  document["started"] = base::format_time(run.started_s);
  document["finished"] = base::format_time(run.finished_s);
  document["tests"] = tests;
  return document;
}

}  // namespace

base::Result<std::string> to_report(const TestRun& run) {
  TK_TRY(auto bytes, document::to_bytes(document_of(run)));
  return bytes + "\n";
}

}  // namespace torchkiln::report
