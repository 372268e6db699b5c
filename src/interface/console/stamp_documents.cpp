#include "interface/console/stamp_documents.hpp"

#include "foundation/base/text.hpp"
#include "foundation/document/json.hpp"
#include "interface/console/documents.hpp"
#include "proof/sbom/statement.hpp"

#include <algorithm>

#include <fmt/format.h>

namespace torchkiln::console {

using document::Json;

namespace {

std::string title(const oci::Image& image, const Paint& paint) {
  const auto& name = image.name.empty() ? image.tag : image.name;
  return paint.bold(name.empty() ? "image" : name) + " " + image.descriptor.digest.to_string() + "\n";
}

std::string time_or_none(const std::optional<std::int64_t>& time_s, std::string_view none) {
  return time_s ? base::format_time(*time_s) : std::string(none);
}

std::string refusals_text(const std::vector<stamp::Refusal>& refusals, const Paint& paint) {
  // Stamps that are refused for one reason are told once.
  std::vector<std::pair<const stamp::Refusal*, std::size_t>> kinds;
  for (const auto& refusal : refusals) {
    const auto known = std::find_if(kinds.begin(), kinds.end(), [&refusal](const auto& kind) {
      return kind.first->reason == refusal.reason && kind.first->text == refusal.text &&
             kind.first->remedy == refusal.remedy;
    });
    if (known == kinds.end())
      kinds.emplace_back(&refusal, 1);
    else
      ++known->second;
  }
  std::string text;
  for (const auto& [refusal, count] : kinds) {
    text += fmt::format("{} {}{}: {}\n", paint.yellow("refused"), name(refusal->reason),
                        count == 1 ? "" : fmt::format(", {} stamps", count), refusal->text);
    if (!refusal->remedy.empty()) text += row("", refusal->remedy);
  }
  return text;
}

Json to_json(const std::vector<stamp::Refusal>& refusals) {
  Json all = Json::array();
  for (const auto& refusal : refusals)
    all.push_back({{"stamp", refusal.stamp.to_string()},
                   {"reason", name(refusal.reason)},
                   {"text", refusal.text},
                   {"remedy", refusal.remedy}});
  return all;
}

/// What a run that somebody signed says, for either document.
Json to_json(const report::TestRun& run, const std::optional<std::int64_t>& valid_until_s) {
  Json gpus = Json::array();
  for (const auto& gpu : run.host.gpus)
    gpus.push_back({{"name", gpu.name}, {"compute_capability", gpu.compute_capability}});
  Json json = {{"level", report::name(run.reached)},
               {"verified", is_verified(run)},
               {"finished", base::format_time(run.finished_s)},
               {"tests", run.tests.size()},
               {"driver", run.host.driver},
               {"gpus", std::move(gpus)}};
  json["valid_until"] = valid_until_s ? Json(base::format_time(*valid_until_s)) : Json();
  return json;
}

Json image_json(const oci::Image& image) {
  return {{"name", image.name}, {"digest", image.descriptor.digest.to_string()}};
}

std::string bytes_of(const Json& document) {
  return document.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

/// What people call a predicate type.
std::string kind_of(const std::string& predicate_type) {
  if (predicate_type == sbom::predicate_type(sbom::Format::spdx)) return "SBOM, SPDX";
  if (predicate_type == sbom::predicate_type(sbom::Format::cyclonedx)) return "SBOM, CycloneDX";
  if (predicate_type == sbom::predicate_type(sbom::Format::provenance)) return "provenance, SLSA";
  if (predicate_type == stamp::k_summary_type) return "verification summary, SLSA";
  return predicate_type.empty() ? "no type" : predicate_type;
}

/// "proven", or why a run that was signed proves nothing.
std::string standing_of(const stamp::ShownRun& shown, const Paint& paint) {
  if (result_of(shown.result.run) == report::RunResult::failed) return paint.red("failed ");
  if (shown.is_expired) return paint.yellow("expired");
  return paint.green("proven ");
}

}  // namespace

std::string stamp_check_text(const oci::Image& image, const stamp::Verdict& verdict, const Paint& paint) {
  std::string text = title(image, paint);
  for (const auto& proof : verdict.proofs) {
    const auto& run = proof.run;
    std::string on = run.host.cpu;
    for (const auto& gpu : run.host.gpus) on += ", " + gpu.name;
    if (!run.host.driver.empty()) on += ", driver " + run.host.driver;
    text += fmt::format("{} level {}, {} tests, {}, on {} (kernel {}, {})\n", paint.green("proven"),
                        level_sentence(run), run.tests.size(), base::format_time(run.finished_s), on,
                        run.host.kernel, run.host.runtime);
    text += row("stamp", proof.stamp.to_string());
    text += row("key", proof.key_hint);
    if (proof.valid_until_s) text += row("until", base::format_time(*proof.valid_until_s));
  }
  text += refusals_text(verdict.refusals, paint);
  for (const auto& unmet : verdict.unmet) text += paint.red("unmet") + " " + unmet + "\n";
  return text;
}

std::string stamp_check_json(const oci::Image& image, const stamp::Verdict& verdict) {
  Json proofs = Json::array();
  for (const auto& proof : verdict.proofs) {
    Json json = {{"stamp", proof.stamp.to_string()}, {"key", proof.key_hint}};
    json.update(to_json(proof.run, proof.valid_until_s));
    proofs.push_back(std::move(json));
  }
  return bytes_of({{"schema", "torchkiln.stamp-check/1"},
                   {"image", image_json(image)},
                   {"satisfied", verdict.is_satisfied()},
                   {"proofs", std::move(proofs)},
                   {"refusals", to_json(verdict.refusals)},
                   {"unmet", verdict.unmet}});
}

std::string stamp_show_text(const oci::Image& image, const stamp::Shown& shown, const Paint& paint) {
  std::string text = title(image, paint);
  if (shown.runs.empty()) text += row("", "no key that you trust has signed a test of this image");
  for (const auto& each : shown.runs) {
    const auto& run = each.result.run;
    const auto level = result_of(run) == report::RunResult::failed ? run.asked : run.reached;
    const auto driver = run.host.driver.empty() ? "" : ", driver " + run.host.driver;
    text += fmt::format("{} {:<9} {}{}\n", standing_of(each, paint), report::name(level), run.host.gpus.empty() ? "no GPU, " + run.host.cpu : report::gpus_in_words(run.host), driver);
    text += row("when", base::format_time(run.finished_s));
    text += row("until", time_or_none(each.result.valid_until_s, "no end"));
    text += row("key", each.key_hint);
  }
  for (const auto& each : shown.statements)
    text += fmt::format("{} {}\n", paint.bold("signed "), kind_of(each.predicate_type));
  return text + refusals_text(shown.refusals, paint);
}

std::string stamp_show_json(const oci::Image& image, const stamp::Shown& shown) {
  Json runs = Json::array(), statements = Json::array();
  for (const auto& each : shown.runs) {
    Json json = {{"stamp", each.stamp.to_string()},
                 {"key", each.key_hint},
                 {"result", name(result_of(each.result.run))},
                 {"expired", each.is_expired}};
    json.update(to_json(each.result.run, each.result.valid_until_s));
    runs.push_back(std::move(json));
  }
  for (const auto& each : shown.statements)
    statements.push_back({{"stamp", each.stamp.to_string()},
                          {"key", each.key_hint},
                          {"predicate_type", each.predicate_type}});
  return bytes_of({{"schema", "torchkiln.stamp-show/1"},
                   {"image", image_json(image)},
                   {"runs", std::move(runs)},
                   {"statements", std::move(statements)},
                   {"refusals", to_json(shown.refusals)}});
}

}  // namespace torchkiln::console
