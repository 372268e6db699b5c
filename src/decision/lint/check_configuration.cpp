// Rules about what the image is set to: user, folder, command, ports, health.

#include "decision/lint/checks.hpp"
#include "foundation/base/text.hpp"

#include <algorithm>
#include <array>
#include <map>

namespace torchkiln::lint {

namespace {

bool is_number(std::string_view text) {
  return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
}

/// The user part of "user:group".
std::string_view user_of(std::string_view text) {
  return text.substr(0, text.find(':'));
}

bool is_now(const Step& step, std::string_view keyword) {
  return step.is(keyword) && step.instruction->when == When::now;
}

/// The last USER of the stage and those that it begins with.
const Step* last_user(const Stages& stages, const Stage& stage) {
  for (const auto* one : stages.line_of(stage))
    for (auto step = one->steps.rbegin(); step != one->steps.rend(); ++step)
      if (is_now(*step, "USER") && !step->words.empty()) return &*step;
  return nullptr;
}

void check_users(const Subject& subject, Findings& findings) {
  for (const auto& stage : subject.stages.all)
    for (const auto& step : stage.steps) {
      if (!step.is("USER") || step.words.empty() || !step.words[0].is_known) continue;
      const auto user = user_of(step.words[0].text);
      if (!is_number(user))
        findings.add("user-by-name", step, step.words[0].offset,
                     "a cluster cannot see whether " + shown(user) + " is root (runAsNonRoot)",
                     "write its number, such as USER 1000:1000");
    }
  const auto* final = subject.stages.final();
  if (!final) return;
  const auto* step = last_user(subject.stages, *final);
  if (!step) {
    if (!is_scratch(final->base.text))
      findings.add("user-missing", *final->from, "nothing here says who the image's processes run as",
                   "make a user and write USER 1000:1000 at the end");
    return;
  }
  const auto user = user_of(step->words[0].text);
  if (user == "root" || user == "0")
    findings.add("root-user", *step, step->words[0].offset, "the image's processes run as root",
                 "write USER 1000:1000 behind what needs root");
}

void check_workdir(const Step& step, Findings& findings) {
  if (!step.is("WORKDIR") || step.words.empty() || !step.words[0].is_known) return;
  const std::string_view path = step.words[0].text;
  const bool is_windows = path.size() > 1 && path[1] == ':';
  if (!path.starts_with('/') && !path.starts_with('$') && !is_windows)
    findings.add("workdir-relative", step, step.words[0].offset,
                 shown(path) + " is below whatever folder came before",
                 "write the whole path, such as /" + shown(path));
}

/// Folders that the kernel fills, or that hold it: what is written there is gone, or in its way.
constexpr std::array<std::string_view, 5> k_system_folders = {"/proc", "/sys", "/dev", "/boot", "/lost+found"};

void check_system_workdir(const Step& step, Findings& findings) {
  if (!step.is("WORKDIR") || step.words.empty() || !step.words[0].is_known) return;
  const std::string_view path = step.words[0].text;
  for (const auto folder : k_system_folders)
    if (path.starts_with(folder) && (path.size() == folder.size() || path[folder.size()] == '/'))
      findings.add("workdir-system", step, step.words[0].offset,
                   shown(path) + " is the kernel's: a container has its own there",
                   "work in a folder of your own, such as /workspace");
}

/// A label counts wherever the stage or one that it begins with sets it; the base image's are not known here.
void check_labels(const Subject& subject, Findings& findings) {
  const auto* final = subject.stages.final();
  if (!final) return;
  for (const auto& label : subject.options.required_labels) {
    bool is_set = false;
    for (const auto* stage : subject.stages.line_of(*final))
      for (const auto& step : stage->steps)
        for (const auto& one : step.assignments) is_set = is_set || (is_now(step, "LABEL") && one.name == label);
    if (!is_set)
      findings.add("label-missing", *final->from, "the image has no label " + shown(label),
                   "write LABEL " + shown(label) + "=\"…\"");
  }
}

void check_command(const Step& step, Findings& findings) {
  if (!step.is("CMD") && !step.is("ENTRYPOINT")) return;
  if (step.instruction->json) return;
  findings.add("command-not-json", *step.instruction,
               step.instruction->keyword + " runs under a shell, which keeps SIGTERM from the program",
               "write " + step.instruction->keyword + R"( ["program", "argument"])");
}

void check_repeated(const Stage& stage, Findings& findings) {
  std::map<std::string_view, const Step*> last;
  for (const auto& step : stage.steps) {
    if (!is_now(step, "CMD") && !is_now(step, "ENTRYPOINT") && !is_now(step, "HEALTHCHECK")) continue;
    auto& earlier = last[step.instruction->keyword];
    if (earlier)
      findings.add("instruction-twice", *step.instruction,
                   step.instruction->keyword + " replaces the one of line " +
                       std::to_string(earlier->instruction->begin.line),
                   "leave one of them out");
    earlier = &step;
  }
}

void check_ports(const Step& step, Findings& findings) {
  if (!step.is("EXPOSE")) return;
  for (const auto& word : step.words) {
    if (!word.is_known) continue;
    const auto range = word.text.substr(0, word.text.find('/'));
    for (const auto part : base::split(range, '-')) {
      const auto port = base::parse_integer(part);
      if (port && *port == 22)
        findings.add("ssh-port", step, word.offset, "port 22 is root's and every scanner's",
                     "have sshd listen above 1024, as on 2222, without root");
      if (!is_number(part) || !port || *port > 65535)
        findings.add("port-invalid", step, word.offset, shown(word.text) + " is no port",
                     "write a number up to 65535");
    }
  }
}

void check_health(const Stages& stages, Findings& findings) {
  const auto* final = stages.final();
  if (!final) return;
  for (const auto* stage : stages.line_of(*final))
    for (const auto& step : stage->steps)
      if (is_now(step, "HEALTHCHECK")) return;
  findings.add("healthcheck-missing", *final->from, "nobody can tell whether a container of the image still works",
               "write HEALTHCHECK CMD …, or HEALTHCHECK NONE where that makes no sense");
}

}  // namespace

void check_configuration(const Subject& subject, Findings& findings) {
  check_users(subject, findings);
  check_health(subject.stages, findings);
  check_labels(subject, findings);
  for (const auto& stage : subject.stages.all) {
    check_repeated(stage, findings);
    for (const auto& step : stage.steps) {
      check_workdir(step, findings);
      check_system_workdir(step, findings);
      check_command(step, findings);
      check_ports(step, findings);
      if (step.is("MAINTAINER"))
        findings.add("maintainer", *step.instruction, "MAINTAINER is no longer read",
                     "write LABEL org.opencontainers.image.authors=\"" +
                         shown(base::trim(step.instruction->text.bytes())) + "\"");
    }
  }
}

}  // namespace torchkiln::lint
