// Rules about Debian packages.

#include "decision/lint/checks.hpp"
#include "decision/lint/installs.hpp"

#include <algorithm>

namespace torchkiln::lint {

namespace {

bool is_pinned_package(const Word& package) {
  const std::string_view name = package.text;
  return name.find('=') != std::string_view::npos || name.find('/') != std::string_view::npos ||
         name.ends_with(".deb");
}

/// Whether a cache is mounted over apt's lists, or a folder that they are in.
bool has_mounted_lists(const Instruction& run) {
  return std::any_of(run.flags.begin(), run.flags.end(), [](const Flag& flag) {
    return flag.name == "mount" && flag.value.find("/var/lib/apt") != std::string::npos;
  });
}

bool removes_lists(const Step& step) {
  return std::any_of(step.commands.begin(), step.commands.end(), [](const Command& command) {
    return command.program() == "rm" &&
           std::any_of(command.words.begin(), command.words.end(),
                       [](const Word& word) { return word.text.starts_with("/var/lib/apt"); });
  });
}

void check_install(const Step& step, const AptCall& call, Findings& findings) {
  for (const auto* package : call.operands)
    if (!is_pinned_package(*package)) {
      findings.add("apt-unpinned", step, package->offset,
                   shown(package->text) + " has no version: another day gives another image",
                   "write " + shown(package->text) + "=VERSION, or pin the whole system as torchkiln lock does");
      break;
    }
  if (!call.says_yes)
    findings.add("apt-without-yes", step, call.offset, "the build waits for an answer that nobody gives",
                 "write " + std::string(call.program) + " install --yes");
  if (!call.leaves_recommends_out)
    findings.add("apt-recommends", step, call.offset, "recommended packages are installed as well",
                 "write " + std::string(call.program) + " install --no-install-recommends");
}

void check_step(const Step& step, Findings& findings) {
  const AptCall* update = nullptr;
  bool installs = false;
  const auto calls = apt_calls_of(step);
  for (const auto& call : calls) {
    if (call.program == "apt" && !call.action.empty())
      findings.add("apt-for-people", step, call.offset, "apt's output and options change with its versions",
                   "write apt-get or apt-cache");
    if (call.unauthenticated)
      findings.add("apt-unauthenticated", step, call.unauthenticated->offset,
                   shown(call.unauthenticated->text) + " has apt take unsigned packages",
                   "give the archive's key with signed-by=");
    if (call.action == "update") update = &call;
    if (call.action == "dist-upgrade" || call.action == "full-upgrade")
      findings.add("apt-upgrade", step, call.offset, "packages of the base are replaced or removed at every build",
                   "choose a newer base image");
    // Only what changes packages needs an update of its own before it.
    installs = installs || call.action == "install" || call.action == "upgrade" || call.action == "dist-upgrade" ||
               call.action == "full-upgrade" || call.action == "source" || call.action == "build-dep";
    if (call.action == "install") check_install(step, call, findings);
  }
  if (!update) return;
  if (!installs)
    findings.add("apt-update-alone", step, update->offset,
                 "the lists are cached: a later install asks for packages that are gone",
                 "write apt-get update and apt-get install in one RUN");
  if (!has_mounted_lists(*step.instruction) && !removes_lists(step))
    findings.add("apt-lists", step, update->offset, "the lists stay in the layer",
                 "end with && rm -rf /var/lib/apt/lists/*");
}

}  // namespace

void check_apt(const Subject& subject, Findings& findings) {
  for (const auto& stage : subject.stages.all)
    for (const auto& step : stage.steps)
      if (step.is("RUN")) check_step(step, findings);
}

}  // namespace torchkiln::lint
