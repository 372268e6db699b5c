#include "interface/console/explain_document.hpp"

#include "foundation/base/text.hpp"
#include "interface/console/audit_text.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace torchkiln::console {

namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t k_label_columns = 8;

/// "  cause   words words\n          words".
std::string paragraph(std::string_view label, std::string_view text, std::size_t columns) {
  const auto indent = 2 + k_label_columns;
  std::string written;
  for (const auto& line : wrapped(one_line(text), columns > indent + 20 ? columns - indent : 20))
    written += (written.empty() ? fmt::format("  {:<{}}", label, k_label_columns) : std::string(indent, ' ')) +
               line + "\n";
  return written;
}

std::string explanation_text(const Explanation& explanation, const Paint& paint, std::size_t columns) {
  const auto& finding = explanation.finding;
  auto text = paint.bold(finding.id + ": " + finding.title) + "\n";
  const auto where = finding.times > 1 ? fmt::format("line {}, {} times", finding.line, finding.times)
                                       : fmt::format("line {}", finding.line);
  text += paragraph("found", where + ": " + finding.quote, columns);
  text += paragraph("cause", finding.cause, columns);
  for (const auto& detail : finding.details) text += paragraph("says", detail.text, columns);
  for (const auto& bearing : explanation.bearings)
    text += paragraph("here", bearing.source.empty() ? bearing.text : bearing.text + " (" + bearing.source + ")",
                      columns);
  for (const auto& remedy : finding.remedies) {
    text += paragraph("fix", remedy.text, columns);
    if (!remedy.command.empty()) text += std::string(4 + k_label_columns, ' ') + paint.cyan(remedy.command) + "\n";
  }
  return text + paragraph("seen in", base::join(finding.threads, ", "), columns);
}

}  // namespace

std::string explain_text(const std::vector<Explanation>& explanations, const Paint& paint, std::size_t columns) {
  if (explanations.empty())
    return "no error that torchkiln knows is in this text\n" +
           paragraph("try", "the whole log, from the first line of the error on", columns) +
           paragraph(
               "send",
               "an error of drivers, CUDA, cuDNN, NCCL or containers that is not known, as an issue: its text, "
               "nvidia-smi's first lines, the image or the PyTorch release, and how the program was started",
               columns);
  std::string text;
  for (const auto& explanation : explanations)
    text += (text.empty() ? "" : "\n") + explanation_text(explanation, paint, columns);
  return text;
}

std::string explain_json(const std::vector<Explanation>& explanations) {
  Json findings = Json::array();
  for (const auto& [finding, bearings] : explanations) {
    Json details = Json::object(), fixes = Json::array(), here = Json::array();
    for (const auto& detail : finding.details)
      details[detail.name] = {{"value", detail.value}, {"text", detail.text}};
    for (const auto& remedy : finding.remedies) {
      fixes.push_back({{"text", remedy.text}});
      if (!remedy.command.empty()) fixes.back()["command"] = remedy.command;
    }
    for (const auto& bearing : bearings) here.push_back({{"text", bearing.text}, {"source", bearing.source}});
    findings.push_back({{"id", finding.id},
                        {"title", finding.title},
                        {"certain", finding.weight == diagnosis::Weight::cause},
                        {"line", finding.line},
                        {"times", finding.times},
                        {"quote", finding.quote},
                        {"cause", finding.cause},
                        {"details", details},
                        {"this_host", here},
                        {"fixes", fixes},
                        {"threads", finding.threads}});
  }
  const Json root = {{"schema", "torchkiln.explain/1"},
                     {"status", explanations.empty() ? "unknown" : "explained"},
                     {"findings", findings}};
  return root.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace torchkiln::console
