// Rules about the commands of RUN, whatever they install.

#include "decision/lint/checks.hpp"
#include "foundation/base/text.hpp"

#include <algorithm>
#include <array>

namespace torchkiln::lint {

namespace {

/// What does nothing good in a build (hadolint's list).
constexpr std::array<std::string_view, 10> k_host_commands = {"free",     "kill", "mount", "ps",  "service",
                                                              "shutdown", "ssh",  "top",   "vim", "ifconfig"};
/// Variables that turn the checking of certificates off, and the value that does.
constexpr std::array<std::pair<std::string_view, std::string_view>, 3> k_unchecked = {
    {{"PYTHONHTTPSVERIFY", "0"}, {"NODE_TLS_REJECT_UNAUTHORIZED", "0"}, {"GIT_SSL_NO_VERIFY", ""}}};
constexpr std::size_t k_low_id_digits = 5;

/// A command of the script whose program is one of `programs`; the first.
const Command* first_of(const Step& step, std::initializer_list<std::string_view> programs) {
  const auto found = std::find_if(step.commands.begin(), step.commands.end(), [&](const Command& command) {
    return std::find(programs.begin(), programs.end(), command.program()) != programs.end();
  });
  return found == step.commands.end() ? nullptr : &*found;
}

/// "-k" alone or among other letters, "-fsSLk".
bool has_letter(const Command& command, char letter) {
  return std::any_of(command.words.begin(), command.words.end(), [&](const Word& word) {
    return word.text.size() > 1 && word.text[0] == '-' && word.text[1] != '-' &&
           word.text.find(letter) != std::string::npos && word.text.find('=') == std::string::npos;
  });
}

bool has_prefix(const Command& command, std::string_view prefix) {
  return std::any_of(command.words.begin(), command.words.end(),
                     [&](const Word& word) { return word.text.starts_with(prefix); });
}

std::size_t offset_of(const Command& command) {
  return command.words.front().offset;
}

void check_folder(const Step& step, Findings& findings) {
  const auto* cd = first_of(step, {"cd"});
  if (!cd || cd->words.size() < 2) return;
  findings.add("cd-in-run", step, offset_of(*cd), "the change of folder ends with this RUN",
               "write WORKDIR " + shown(cd->words[1].text) + " before it");
}

void check_programs(const Step& step, Findings& findings) {
  if (const auto* sudo = first_of(step, {"sudo"}))
    findings.add("sudo-in-run", step, offset_of(*sudo),
                 "sudo changes terminals and signals, and stays in the image",
                 "write USER root before this RUN and USER 1000:1000 behind it");
  for (const auto& command : step.commands)
    if (command.origin == Origin::written &&
        std::find(k_host_commands.begin(), k_host_commands.end(), command.program()) != k_host_commands.end()) {
      findings.add("host-command", step, offset_of(command),
                   std::string(command.program()) + " has nothing to work on while an image is built",
                   "leave it out");
      break;
    }
  if (const auto* chpasswd = first_of(step, {"chpasswd"}))
    findings.add("password-in-build", step, offset_of(*chpasswd),
                 "whoever has the image's history has the password",
                 "use keys, or set the password when it starts");
  if (const auto* link = first_of(step, {"ln"}))
    if (link->has({"/bin/sh"}))
      findings.add("shell-link", step, offset_of(*link),
                   "/bin/sh becomes another shell for every program of the image",
                   R"(write SHELL ["/bin/bash", "-o", "pipefail", "-c"])");
}

/// "4755", "u+s", "ug=rxs": with the set-user or set-group bit.
bool sets_other_rights(std::string_view mode) {
  if (mode.size() >= 4 && mode.find_first_not_of("01234567") == std::string_view::npos)
    return ((mode[mode.size() - 4] - '0') & 6) != 0;
  const auto sign = mode.find_first_of("+=");
  if (sign == std::string_view::npos || mode.substr(0, sign).find_first_not_of("ugoa") != std::string_view::npos)
    return false;
  return mode.substr(sign).find('s') != std::string_view::npos;
}

void check_accounts(const Step& step, Findings& findings) {
  for (const auto& command : step.commands) {
    const auto program = command.program();
    if (program == "passwd" && (has_letter(command, 'd') || command.has({"--delete"})))
      findings.add("password-in-build", step, offset_of(command), "without a password everybody is let in",
                   "leave the account locked, as useradd makes it");
    if ((program == "useradd" || program == "groupadd" || program == "usermod" || program == "groupmod") &&
        (has_letter(command, 'o') || command.has({"--non-unique"})))
      findings.add("user-id-twice", step, offset_of(command), "two names have one number: each is the other",
                   "leave --non-unique out, and choose a number that is free");
    const auto is_setuid = [](const Word& word) { return sets_other_rights(word.text); };
    if (program == "chmod" && std::any_of(command.words.begin(), command.words.end(), is_setuid))
      findings.add("setuid", step, offset_of(command), "whoever runs the program has its owner's rights",
                   "leave the set-user and set-group bits out, and give USER the rights that it needs");
  }
}

/// As hadolint has it: a chain of commands was put together on purpose, and other mounts are another RUN.
void check_consecutive(const Stage& stage, Findings& findings) {
  const auto is_written = [](const auto& command) { return command.origin == Origin::written; };
  const auto is_one_command = [&](const Step& step) {
    return step.is("RUN") && std::count_if(step.commands.begin(), step.commands.end(), is_written) == 1;
  };
  const auto same_flags = [](const Flag& a, const Flag& b) { return a.name == b.name && a.value == b.value; };
  for (std::size_t i = 1; i < stage.steps.size(); ++i) {
    const auto &one = stage.steps[i - 1], &next = stage.steps[i];
    if (!is_one_command(one) || !is_one_command(next)) continue;
    const auto &before = one.instruction->flags, &flags = next.instruction->flags;
    if (std::equal(before.begin(), before.end(), flags.begin(), flags.end(), same_flags))
      findings.add("run-consecutive", *next.instruction, "two RUNs of a command each make two layers",
                   "write one RUN with && between them, where they belong together");
  }
}

void check_pipes(const Step& step, Findings& findings) {
  if (step.fails_in_pipes) return;
  for (const auto& command : step.commands)
    if (command.piped == Piped::into_next && command.origin == Origin::written && !command.words.empty()) {
      findings.add("pipe-fails-silently", step, offset_of(command),
                   "when " + shown(command.program()) + " fails the build goes on",
                   R"(write SHELL ["/bin/bash", "-o", "pipefail", "-c"] before it)");
      return;
    }
}

void check_new_users(const Step& step, Findings& findings) {
  for (const auto& command : step.commands) {
    if (command.program() != "useradd" || has_letter(command, 'l') || command.has({"--no-log-init"})) continue;
    for (std::size_t i = 1; i < command.words.size(); ++i) {
      std::string_view id = command.words[i].text;
      if ((id == "-u" || id == "--uid") && i + 1 < command.words.size())
        id = command.words[i + 1].text;
      else if (id.starts_with("--uid="))
        id = id.substr(6);
      else
        continue;
      if (id.size() > k_low_id_digits && base::parse_integer(id))
        findings.add("useradd-log", step, offset_of(command),
                     "the log of last logins becomes a sparse file, which a layer holds in full",
                     "write useradd --no-log-init");
    }
  }
}

void check_downloads(const Step& step, Findings& findings) {
  for (const auto& command : step.commands) {
    const bool is_curl = command.program() == "curl", is_wget = command.program() == "wget";
    if ((is_curl && (has_letter(command, 'k') || command.has({"--insecure"}))) ||
        (is_wget && command.has({"--no-check-certificate"})))
      findings.add("certificates-unchecked", step, offset_of(command),
                   std::string(command.program()) + " takes whatever any server between sends",
                   "leave the option out; mount your own authority's certificates as a secret");
    const bool is_quiet = has_letter(command, 'q') || command.has({"-nv", "--quiet", "--no-verbose"}) ||
                          has_prefix(command, "--progress") || has_prefix(command, "-o") ||
                          has_prefix(command, "--output-file") || has_prefix(command, "-a");
    if (is_wget && command.words.size() > 1 && !is_quiet)
      findings.add("wget-progress", step, offset_of(command), "the bar fills the build's log",
                   "write wget --progress=dot:giga, or -nv");
  }
}

void check_variables_of(const Step& step, Findings& findings) {
  const auto look = [&](std::string_view name, std::string_view value, std::size_t offset) {
    for (const auto& [variable, off] : k_unchecked)
      if (name == variable && (off.empty() ? !value.empty() && value != "0" && value != "false" : value == off))
        findings.add("certificates-unchecked", step, offset,
                     shown(name) + " turns the checking of certificates off",
                     "leave it out; mount your own authority's certificates as a secret");
  };
  if (step.is("ENV") || step.is("ARG"))
    for (const auto& one : step.assignments) look(one.name, one.value, one.offset);
  for (const auto& command : step.commands) {
    for (const auto& word : command.assignments) {
      const auto equals = word.text.find('=');
      if (equals != std::string::npos)
        look(std::string_view(word.text).substr(0, equals), std::string_view(word.text).substr(equals + 1),
             word.offset);
    }
    if (command.program() == "export")
      for (std::size_t i = 1; i < command.words.size(); ++i) {
        const std::string_view word = command.words[i].text;
        if (const auto equals = word.find('='); equals != std::string_view::npos)
          look(word.substr(0, equals), word.substr(equals + 1), command.words[i].offset);
      }
  }
}

/// Once a stage has used both, every use of either is told: which of them goes is the author's choice.
void check_two_programs(const Stage& stage, Findings& findings) {
  bool has_wget = false, has_curl = false;
  for (const auto& step : stage.steps) {
    if (!step.is("RUN")) continue;
    const auto* wget = first_of(step, {"wget"});
    const auto* curl = first_of(step, {"curl"});
    has_wget = has_wget || wget;
    has_curl = has_curl || curl;
    if (!has_wget || !has_curl || (!wget && !curl)) continue;
    const auto& later = wget && curl ? (offset_of(*wget) > offset_of(*curl) ? *wget : *curl) : wget ? *wget : *curl;
    findings.add("wget-and-curl", step, offset_of(later), "the stage downloads with wget here and with curl there",
                 "use one of them, and install only that");
  }
}

}  // namespace

void check_commands(const Subject& subject, Findings& findings) {
  for (const auto& stage : subject.stages.all) {
    check_two_programs(stage, findings);
    check_consecutive(stage, findings);
    for (const auto& step : stage.steps) {
      check_variables_of(step, findings);
      if (!step.is("RUN")) continue;
      check_folder(step, findings);
      check_programs(step, findings);
      check_pipes(step, findings);
      check_accounts(step, findings);
      check_new_users(step, findings);
      check_downloads(step, findings);
    }
  }
}

}  // namespace torchkiln::lint
