// Rules about the images that stages begin with.

#include "decision/lint/checks.hpp"
#include "decision/lint/image_name.hpp"
#include "foundation/base/text.hpp"
#include "knowledge/matrix/query.hpp"

#include <algorithm>
#include <set>

namespace torchkiln::lint {

namespace {

void check_tag(const Stage& stage, const matrix::Matrix& matrix, Findings& findings) {
  const auto& base = stage.base;
  if (base.text.empty() || !base.is_known || stage.parent || is_scratch(base.text)) return;
  const auto image = image_name(base.text);
  const auto line = stage.from->begin.line;
  if (image.digest.empty() && (image.tag.empty() || image.tag == "latest"))
    findings.add("tag-latest", stage.base_position(), line,
                 image.tag.empty() ? shown(base.text) + " has no tag, which means latest: another image any day"
                                   : shown(base.text) + " is another image any day",
                 "name a version, and for the same bytes every time its digest: " + shown(image.repository) +
                     ":VERSION@sha256:…");
  if (const auto* gone = matrix::find_tombstone(matrix, base.text))
    findings.add("tag-vanished", stage.base_position(), line,
                 shown(base.text) + " is gone from its registry since " + gone->gone + " (" +
                     gone->from.place.to_string() + ")",
                 "use " + gone->instead);
}

void check_platform(const Stage& stage, Findings& findings) {
  const auto* platform = stage.from->flag("platform");
  if (!platform || platform->value.find('$') != std::string::npos) return;
  findings.add("platform-fixed", platform->position, stage.from->begin.line,
               "the stage is always for " + shown(platform->value) + ", whatever the build is for",
               "leave --platform out, or write --platform=$BUILDPLATFORM");
}

/// Stages can be named, and numbered from 0.
void check_copy_source(const Stages& stages, const Stage& stage, const Step& step, Findings& findings) {
  const auto* from = step.instruction->flag("from");
  if (!from || from->value.empty() || from->value.find('$') != std::string::npos) return;
  const auto name = base::lower(from->value);
  const auto line = step.instruction->begin.line;
  if (name == stage.name || name == std::to_string(stage.number)) {
    findings.add("copy-from-itself", from->position, line, "the stage copies from itself",
                 "name a stage that stands above this one");
    return;
  }
  if (name.find_first_of(":/@") != std::string::npos) return;  // an image, named in full
  const bool is_known =
      std::any_of(stages.all.begin(), stages.all.begin() + static_cast<std::ptrdiff_t>(stage.number),
                  [&](const Stage& other) { return other.name == name || std::to_string(other.number) == name; });
  if (!is_known)
    findings.add("copy-from-unknown", from->position, line,
                 "no stage above is called " + shown(from->value) + ": an image of that name is looked for",
                 "name a stage by its AS, or an image with its tag");
}

}  // namespace

void check_bases(const Subject& subject, Findings& findings) {
  std::set<std::string_view> names;
  for (const auto& stage : subject.stages.all) {
    check_tag(stage, subject.matrix, findings);
    check_platform(stage, findings);
    if (!stage.name.empty() && !names.insert(stage.name).second)
      findings.add("stage-name-taken", *stage.from, "another stage is called " + shown(stage.name) + " already",
                   "give each stage a name of its own");
    for (const auto& step : stage.steps)
      if (step.is("COPY")) check_copy_source(subject.stages, stage, step, findings);
  }
}

}  // namespace torchkiln::lint
