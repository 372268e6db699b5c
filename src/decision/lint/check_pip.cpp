// Rules about Python packages, whichever.

#include "decision/lint/checks.hpp"
#include "decision/lint/installs.hpp"
#include "foundation/base/text.hpp"

#include <algorithm>

namespace torchkiln::lint {

namespace {

/// A version, an address, a file or a folder: what is not any release of a name.
bool is_pinned_requirement(const Word& requirement) {
  const std::string_view text = requirement.text;
  return text.find_first_of("=<>~!@") != std::string_view::npos || text.find("://") != std::string_view::npos ||
         text.find('/') != std::string_view::npos || text == "." || text.starts_with(".[") ||
         text.ends_with(".whl") || text.ends_with(".tar.gz") || text.ends_with(".zip");
}

/// Whether pip's cache lies outside the layer.
bool is_cache_mounted(const Instruction& run) {
  return std::any_of(run.flags.begin(), run.flags.end(), [](const Flag& flag) {
    const auto is = [&](std::string_view part) { return flag.value.find(part) != std::string::npos; };
    return flag.name == "mount" && (is("type=cache") || is("type=tmpfs")) && is("cache");
  });
}

bool is_switched_off(std::string_view value) {
  const auto text = base::lower(value);
  return !text.empty() && text != "0" && text != "false" && text != "off" && text != "no";
}

void check_variable(const Step& step, const Assignment& one, Findings& findings) {
  if (one.name == "PIP_TRUSTED_HOST" && !one.value.empty())
    findings.add("pip-trusted-host", step, one.offset, "pip takes whatever answers for " + shown(one.value),
                 "mount your own authority's certificates as a secret, and name them in PIP_CERT");
}

}  // namespace

void check_pip(const Subject& subject, Findings& findings) {
  for (const auto& stage : subject.stages.all) {
    bool has_no_cache = false;
    if (stage.parent) {
      const auto& inherited = subject.stages.all[*stage.parent].environment;
      const auto found = inherited.find("PIP_NO_CACHE_DIR");
      has_no_cache = found != inherited.end() && is_switched_off(found->second);
    }
    for (const auto& step : stage.steps) {
      for (const auto& one : step.assignments) {
        if (step.is("LABEL")) continue;
        if (one.name == "PIP_NO_CACHE_DIR") has_no_cache = is_switched_off(one.value);
        check_variable(step, one, findings);
      }
      if (!step.is("RUN")) continue;
      for (const auto& install : pip_installs_of(step)) {
        const auto unpinned =
            std::find_if(install.requirements.begin(), install.requirements.end(),
                         [](const Word* requirement) { return !is_pinned_requirement(*requirement); });
        if (unpinned != install.requirements.end())
          findings.add(
              "pip-unpinned", step, (*unpinned)->offset,
              shown((*unpinned)->text) + " has no version: another day gives another image",
              "write " + shown((*unpinned)->text) + "==VERSION, or --requirement FILE with --require-hashes");
        const bool is_off =
            std::any_of(install.command->assignments.begin(), install.command->assignments.end(),
                        [](const Word& word) { return word.text.starts_with("PIP_NO_CACHE_DIR="); });
        if (!install.is_uv && !install.keeps_no_cache && !has_no_cache && !is_off &&
            !is_cache_mounted(*step.instruction))
          findings.add("pip-cache", step, install.offset, "every downloaded wheel is in the image twice",
                       "write pip install --no-cache-dir, or RUN --mount=type=cache,target=/root/.cache/pip");
        if (install.trusted_host)
          findings.add("pip-trusted-host", step, install.trusted_host->offset, "pip does not check who answers",
                       "mount your own authority's certificates as a secret, and give --cert");
      }
    }
  }
}

}  // namespace torchkiln::lint
