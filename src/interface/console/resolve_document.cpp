#include "foundation/base/text.hpp"
#include "interface/console/documents.hpp"

#include <algorithm>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace torchkiln::console {

namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t k_brief_lines = 15;

template <class T>
std::string text_of(const std::optional<T>& value, std::string_view otherwise) {
  return value ? value->to_string() : std::string(otherwise);
}

std::string architectures(const std::vector<version::ComputeCapability>& list) {
  if (list.empty()) return "none";
  std::string text = "sm_";
  for (const auto& one : list) {
    if (&one != &list.front()) text += " ";
    text += base::replace_all(one.to_string(), ".", "");
  }
  return text;
}

std::string resolution_row(std::string_view label, std::string_view value) {
  return fmt::format("  {:<12} {}\n", label, value);
}

std::vector<std::string> texts_of(const std::vector<version::ComputeCapability>& list) {
  std::vector<std::string> texts;
  for (const auto& one : list) texts.push_back(one.to_string());
  return texts;
}

Json resolution_json(const solver::Resolution& r) {
  auto optional = [](const auto& value) { return value ? Json(value->to_string()) : Json(); };
  Json json = {{"pytorch", r.pytorch.to_string()},
               {"build", r.build},
               {"cuda", r.cuda.to_string()},
               {"cudnn", optional(r.cudnn)},
               {"nccl", optional(r.nccl)},
               {"python", r.python},
               {"torchvision", optional(r.torchvision)},
               {"torchaudio", optional(r.torchaudio)},
               {"triton", optional(r.triton)},
               {"os", r.os.id},
               {"index", r.index},
               {"architecture", name(r.architecture)},
               {"status", name(r.status)},
               {"released", r.released},
               {"download_bytes", r.download_bytes ? Json(*r.download_bytes) : Json()}};
  return json;
}

Json proofs_rested_on(const std::vector<matrix::Proof>& proofs) {
  Json list = Json::array();
  for (const auto& proof : proofs)
    list.push_back({{"gpu", proof.gpu},
                    {"compute_capability", proof.compute.to_string()},
                    {"driver", proof.driver.to_string()},
                    {"level", name(proof.level)},
                    {"image", proof.image.to_string()},
                    {"stamp", proof.from.source},
                    {"date", proof.from.date}});
  return list;
}

/// What stands behind a fact: "documented 2026-11-21: NVIDIA CUDA compatibility guide".
std::string grounds(const solver::Statement& statement) {
  auto text = fmt::format("{} {}: {}", name(*statement.grade), statement.date, statement.origin);
  return statement.note.empty() ? text : text + "; " + statement.note;
}

Json statement_json(const solver::Statement& statement) {
  Json json = {{"statement", statement.statement}, {"source", statement.source}};
  if (!statement.grade) return json;
  json["origin"] = statement.origin;
  json["grade"] = name(*statement.grade);
  json["date"] = statement.date;
  if (!statement.note.empty()) json["note"] = statement.note;
  return json;
}

/// The first lines, as many as a screen can spare, and the last.
void cut(std::vector<std::string>& lines, std::size_t statements) {
  if (lines.size() <= k_brief_lines) return;
  std::size_t keep = k_brief_lines - 2;
  // A fix is two lines: whole ones only.
  const std::size_t first_fix = 2 + statements;
  if (keep > first_fix) keep -= (keep - first_fix) % 2;
  lines.erase(lines.begin() + static_cast<std::ptrdiff_t>(keep), lines.end() - 1);
  lines.insert(lines.end() - 1, "more with --explain=full");
}

constexpr std::int64_t k_day_s = 24 * 60 * 60;

}  // namespace

DataAge DataAge::of(const std::string& date, std::int64_t now_s) {
  const auto then_s = base::parse_time(date + "T00:00:00Z");
  return {date, then_s && now_s > *then_s ? (now_s - *then_s) / k_day_s : 0};
}

std::string DataAge::to_string() const {
  return fmt::format("{} ({} {} old)", date, days, days == 1 ? "day" : "days");
}

std::string resolution_text(const solver::Resolution& r, const DataAge& age, const Paint& paint) {
  std::string text = paint.bold(fmt::format("PyTorch {}+{}", r.pytorch.to_string(), r.build)) +
                     fmt::format(" with Python {} on {}{}\n", r.python, r.os.id,
                                 r.architecture == matrix::Architecture::aarch64 ? " for aarch64" : "");
  text += resolution_row(
      "CUDA", fmt::format("{}, cuDNN {}, NCCL {}, Triton {}", r.cuda.to_string(), text_of(r.cudnn, "not known"),
                          text_of(r.nccl, "not known"), text_of(r.triton, "not pinned")));
  if (r.torchvision || r.torchaudio)
    text += resolution_row("with", fmt::format("torchvision {}, torchaudio {}", text_of(r.torchvision, "none"),
                                               text_of(r.torchaudio, "none")));
  text += resolution_row("driver",
                         fmt::format("{} or newer; {} for every feature of CUDA {}", r.driver_minimum.to_string(),
                                     r.driver_without_minor_version_compatibility.to_string(), r.cuda.to_string()));
  if (r.driver_mode) text += resolution_row("", fmt::format("yours runs it in mode {}", name(*r.driver_mode)));
  text += resolution_row(
      "GPUs", architectures(r.sass) + (r.ptx.empty() ? ", no PTX" : ", PTX for " + architectures(r.ptx)));
  for (const auto& gpu : r.gpus) {
    const auto model = gpu.model == gpu.requested ? "" : gpu.model + ", ";
    text +=
        resolution_row("", fmt::format("{} ({}compute capability {}): {}, driver {} or newer", gpu.requested, model,
                                       gpu.compute.to_string(), name(gpu.kernels), gpu.driver_minimum.to_string()));
  }
  for (const auto& proof : r.proofs)
    text += resolution_row(&proof == &r.proofs.front() ? "proven" : "",
                           fmt::format("on {} with driver {} on {} ({})", proof.gpu, proof.driver.to_string(),
                                       proof.from.date, name(proof.level)));
  if (r.download_bytes)
    text += resolution_row("download", base::format_bytes(*r.download_bytes) + " for PyTorch and what it pins");
  text += resolution_row("index", r.index == "default" ? "the default Python index" : "PyTorch's own index");
  text += resolution_row("data", "as of " + age.to_string());
  for (const auto& warning : r.warnings) text += paint.yellow("warning:") + " " + warning.text + "\n";
  return text;
}

std::string conflict_text(const solver::Conflict& conflict, const DataAge& age, Explain explain,
                          const Paint& paint) {
  std::vector<std::string> lines = {paint.red("no:") + " " + conflict.summary};
  std::size_t width = 0;
  for (const auto& one : conflict.core) width = std::max(width, one.statement.size());
  for (const auto& one : conflict.core) {
    lines.push_back(
        fmt::format("  {:<{}}  {}", one.statement, std::min<std::size_t>(width, 90), paint.dim(one.source)));
    if (explain == Explain::full && one.grade) lines.push_back("    " + paint.dim(grounds(one)));
  }
  if (!conflict.fixes.empty()) lines.push_back("fixes, nearest first:");
  for (const auto& fix : conflict.fixes) {
    const auto& r = fix.resolution;
    const auto gives = fmt::format("{}+{}", r.pytorch.to_string(), r.build);
    lines.push_back(fmt::format("  {} {}", fix.text, paint.dim("(gives " + gives + ")")));
    lines.push_back("    " + paint.cyan(fix.command));
  }
  lines.push_back(paint.dim("data as of " + age.to_string()));
  if (explain == Explain::brief) cut(lines, conflict.core.size());
  return base::join(lines, "\n") + "\n";
}

std::string outcome_json(const solver::Outcome& outcome, const DataAge& age) {
  Json root = {{"schema", "torchkiln.resolve/1"}};
  if (const auto* r = std::get_if<solver::Resolution>(&outcome)) {
    root["status"] = "resolved";
    root["resolution"] = resolution_json(*r);
    root["runs_on"] = {
        {"driver_minimum", r->driver_minimum.to_string()},
        {"driver_without_minor_version_compatibility", r->driver_without_minor_version_compatibility.to_string()},
        {"sass", texts_of(r->sass)},
        {"ptx", texts_of(r->ptx)}};
    if (r->driver_mode) root["runs_on"]["driver_mode"] = name(*r->driver_mode);
    Json gpus = Json::array();
    for (const auto& gpu : r->gpus)
      gpus.push_back({{"requested", gpu.requested},
                      {"model", gpu.model},
                      {"compute_capability", gpu.compute.to_string()},
                      {"kernels", name(gpu.kernels)},
                      {"driver_minimum", gpu.driver_minimum.to_string()}});
    root["runs_on"]["gpus"] = gpus;
    Json pins = Json::object();
    for (const auto& [package, version] : r->pins) pins[package] = version.to_string();
    root["pins"] = pins;
    if (!r->proofs.empty()) root["proofs"] = proofs_rested_on(r->proofs);
    root["evidence"] = Json::array();
    for (const auto& one : r->evidence)
      root["evidence"].push_back({{"fact", one.fact},
                                  {"source", one.source},
                                  {"origin", one.origin},
                                  {"grade", name(one.grade)},
                                  {"date", one.date}});
    root["warnings"] = Json::array();
    for (const auto& one : r->warnings) root["warnings"].push_back({{"code", one.code}, {"text", one.text}});
  } else {
    const auto& conflict = std::get<solver::Conflict>(outcome);
    root["status"] = "conflict";
    Json core = Json::array(), fixes = Json::array();
    for (const auto& one : conflict.core) core.push_back(statement_json(one));
    for (const auto& fix : conflict.fixes)
      fixes.push_back(
          {{"text", fix.text}, {"command", fix.command}, {"resolution", resolution_json(fix.resolution)}});
    root["conflict"] = {{"summary", conflict.summary}, {"core", core}, {"fixes", fixes}};
  }
  root["data_date"] = age.date;
  root["data_age_days"] = age.days;
  return root.dump(2) + "\n";
}

}  // namespace torchkiln::console
