#include "foundation/base/text.hpp"
#include "interface/console/documents.hpp"

#include <algorithm>
#include <map>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace torchkiln::console {

namespace {

using Json = nlohmann::ordered_json;

std::string size_row(const BuiltImage& built) {
  std::string text = fmt::format("{} in {} layers", base::format_bytes(built.size_bytes), built.layers);
  if (built.unpacked_bytes) text += fmt::format(", {} unpacked", base::format_bytes(built.unpacked_bytes));
  return text;
}

/// Reasons may be whole stack traces; the report has them in full.
std::string first_line(const std::string& text) {
  constexpr std::size_t k_shown_bytes = 200;
  const auto line = text.substr(0, text.find('\n'));
  return line.size() > k_shown_bytes ? line.substr(0, k_shown_bytes) + "…" : line;
}

std::string verdict_word(const report::TestOutcome& test, const Paint& paint) {
  switch (test.verdict) {
    case report::TestVerdict::pass:
      return paint.green("pass");
    case report::TestVerdict::warn:
      return paint.yellow("warn");
    case report::TestVerdict::fail:
      return paint.red("FAIL");
    case report::TestVerdict::skip:
      return paint.yellow("skip");
  }
  return "";
}

/// Where the time went: steps of one verb together, longest first.
std::string time_row(const std::vector<StepTime>& times, double seconds) {
  std::map<std::string, double> by_verb;
  for (const auto& step : times)
    by_verb[base::lower(step.verb)] = std::max(by_verb[base::lower(step.verb)], step.seconds);
  std::vector<std::pair<double, std::string>> sorted;
  for (const auto& [verb, spent] : by_verb)
    if (spent >= 0.05) sorted.emplace_back(spent, verb);
  std::sort(sorted.rbegin(), sorted.rend());
  std::vector<std::string> parts;
  for (const auto& [spent, verb] : sorted) parts.push_back(fmt::format("{} {:.1f}", verb, spent));
  std::string text = fmt::format("{:.1f} s", seconds);
  // Steps overlap, so their sum is more than the whole.
  if (!parts.empty()) text += " (longest step of each kind: " + base::join(parts, ", ") + ")";
  return text;
}

Json built_json(const BuiltImage& built) {
  return {{"reference", built.image.name},
          {"tag", built.image.tag},
          {"digest", built.image.descriptor.digest.to_string()},
          {"size", built.size_bytes},
          {"unpacked_size", built.unpacked_bytes},
          {"layers", built.layers},
          {"pushed", built.pushed}};
}

std::string pushed_rows(const BuiltImage& built) {
  std::string text;
  for (const auto& reference : built.pushed) text += row("pushed", reference);
  return text;
}

}  // namespace

std::string level_sentence(const report::TestRun& run) {
  const auto level = std::string(report::name(run.reached));
  if (is_verified(run)) {
    std::string gpus;
    for (const auto& gpu : run.host.gpus) gpus += (gpus.empty() ? "" : ", ") + gpu.name;
    return level + ": verified on " + gpus;
  }
  if (run.reached == report::Level::none) return "none: see the failed tests in the report";
  if (run.reached >= report::Level::gpu) return level + ": not verified, a test failed";
  return level + ": not verified on a GPU";
}

std::string bake_text(const BakeSummary& summary, const Paint& paint) {
  const auto& r = summary.resolution;
  std::string text;
  for (const auto& baked : summary.images) {
    text += "\n" + paint.bold(baked.built.image.name) + "\n";
    text += row("digest", baked.built.image.descriptor.digest.to_string());
    text += row("versions", fmt::format("PyTorch {}+{}, CUDA {}, cuDNN {}, NCCL {}, Python {}, {}", r.pytorch,
                                        r.build, r.cuda, r.cudnn, r.nccl, r.python, r.os));
    text += row("size", size_row(baked.built));
    const std::string when = baked.verified_before ? ", on " + base::format_time(baked.run.finished_s) : "";
    text += row("level", level_sentence(baked.run) + when);
    for (const auto& test : baked.run.tests)
      if (test.verdict == report::TestVerdict::fail)
        text += row("", paint.red("FAIL") + " " + test.id + ": " + first_line(test.reason));
    text += row("report", baked.report_file);
    text += row("stamp", baked.statements_file);
    text += pushed_rows(baked.built);
  }
  text += row("image", "oci:" + summary.layout);
  text += row("lock", summary.lock_file);
  text += row("time", time_row(summary.times, summary.seconds));
  const auto& first = summary.images.front().built.image;
  text += "next:\n";
  text += "  " +
          paint.cyan(fmt::format("{} run oci:{}:{} -- python -c 'import torch; print(torch.__version__)'",
                                 summary.program, summary.layout, first.tag)) +
          "\n";
  text += "  " +
          paint.cyan(fmt::format("{} stamp check oci:{}:{} --pub {} --require cpu", summary.program, summary.layout,
                                 first.tag, summary.public_key)) +
          "\n";
  return text;
}

std::string bake_json(const BakeSummary& summary) {
  Json images = Json::array();
  for (const auto& baked : summary.images) {
    Json one = built_json(baked.built);
    one["level_reached"] = report::name(baked.run.reached);
    one["verified"] = is_verified(baked.run);
    one["verified_before"] = baked.verified_before;
    one["report"] = baked.report_file;
    one["statements"] = baked.statements_file;
    images.push_back(std::move(one));
  }
  Json steps = Json::array();
  for (const auto& step : summary.times)
    steps.push_back(
        {{"verb", step.verb}, {"subject", step.subject}, {"outcome", step.outcome}, {"seconds", step.seconds}});
  const auto& r = summary.resolution;
  const Json root = {{"schema", "torchkiln.bake/1"},
                     {"resolution",
                      {{"pytorch", r.pytorch},
                       {"build", r.build},
                       {"cuda", r.cuda},
                       {"cudnn", r.cudnn},
                       {"nccl", r.nccl},
                       {"python", r.python},
                       {"os", r.os}}},
                     {"images", images},
                     {"layout", summary.layout},
                     {"lock", summary.lock_file},
                     {"public_key", summary.public_key},
                     {"seconds", summary.seconds},
                     {"steps", steps}};
  return root.dump(2) + "\n";
}

std::string build_text(const std::vector<BuiltImage>& images, const std::string& layout, const Paint& paint) {
  std::string text;
  for (const auto& built : images) {
    text += paint.bold(built.image.name) + "\n";
    text += row("digest", built.image.descriptor.digest.to_string());
    text += row("size", size_row(built));
    text += row("image", "oci:" + layout + ":" + built.image.tag);
    text += pushed_rows(built);
  }
  return text;
}

std::string build_json(const std::vector<BuiltImage>& images, const std::string& layout) {
  Json list = Json::array();
  for (const auto& built : images) list.push_back(built_json(built));
  const Json root = {{"schema", "torchkiln.build/1"}, {"layout", layout}, {"images", list}};
  return root.dump(2) + "\n";
}

std::string verification_text(const verify::Verification& verification, const Paint& paint) {
  std::string text;
  for (const auto& test : verification.run.tests) {
    text += fmt::format("{}  {:<28} {:>7.2f} s", verdict_word(test, paint), test.id, test.duration_s);
    if (!test.reason.empty()) text += "  " + first_line(test.reason);
    text += "\n";
  }
  text += fmt::format("level asked: {}, level reached: {}\n", report::name(verification.run.asked),
                      level_sentence(verification.run));
  return text;
}

}  // namespace torchkiln::console
