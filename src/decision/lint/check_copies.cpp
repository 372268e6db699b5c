// Rules about ADD and COPY.

#include "decision/lint/checks.hpp"
#include "foundation/base/text.hpp"

#include <algorithm>
#include <array>

namespace torchkiln::lint {

namespace {

/// What ADD unpacks (Dockerfile reference, "ADD").
constexpr std::array<std::string_view, 12> k_archives = {
    ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tbz", ".tar.xz", ".txz", ".gz", ".bz2", ".xz", ".tar.zst"};

bool is_for_add(const Word& source) {
  const auto text = base::lower(source.text);
  if (!source.is_known || text.find("://") != std::string::npos || text.starts_with("git@")) return true;
  return std::any_of(k_archives.begin(), k_archives.end(),
                     [&](std::string_view end) { return text.ends_with(end); });
}

bool is_absolute(std::string_view path) {
  return path.starts_with('/') || path.starts_with('$') ||
         (path.size() > 2 && path[1] == ':' && (path[2] == '/' || path[2] == '\\'));
}

}  // namespace

void check_copies(const Subject& subject, Findings& findings) {
  std::vector<bool> has_workdir(subject.stages.all.size(), false);
  for (const auto& stage : subject.stages.all) {
    if (stage.parent) has_workdir[stage.number] = has_workdir[*stage.parent];
    for (const auto& step : stage.steps) {
      if (step.is("WORKDIR")) has_workdir[stage.number] = true;
      if ((!step.is("ADD") && !step.is("COPY")) || step.words.size() < 2) continue;
      const auto& destination = step.words.back();
      const bool has_heredoc = !step.instruction->heredocs.empty();
      if (step.is("ADD") && !has_heredoc)
        for (std::size_t i = 0; i + 1 < step.words.size(); ++i)
          if (!is_for_add(step.words[i])) {
            findings.add("add-for-copy", step, step.words[i].offset,
                         "ADD copies " + shown(step.words[i].text) + ", which it neither downloads nor unpacks",
                         "write COPY");
            break;
          }
      if (step.words.size() > 2 && destination.is_known && !destination.text.ends_with('/'))
        findings.add("copy-destination", step, destination.offset,
                     "several files go to " + shown(destination.text) + ", which does not end with /",
                     "write " + shown(destination.text) + "/");
      if (step.is("COPY") && !has_workdir[stage.number] && !is_absolute(destination.text))
        findings.add("copy-relative", step, destination.offset,
                     shown(destination.text) + " is below whatever folder the base image works in",
                     "write an absolute path, or WORKDIR before it");
    }
  }
}

}  // namespace torchkiln::lint
