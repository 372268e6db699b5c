#include "decision/lint/stages.hpp"

#include "foundation/base/text.hpp"

#include <algorithm>
#include <array>

namespace torchkiln::lint {

namespace {

/// SHELL is one of these, or commands are not read: PowerShell and cmd have other rules.
constexpr std::array<std::string_view, 4> k_posix_shells = {"sh", "bash", "dash", "zsh"};

std::string_view program_of(std::string_view path) {
  return path.substr(path.rfind('/') + 1);
}

/// What a SHELL instruction means for the RUN instructions behind it.
struct Shell {
  bool fails_in_pipes = false;
  bool is_posix = true;

  static Shell of(const std::vector<std::string>& words) {
    Shell shell;
    if (words.empty()) return shell;
    const auto program = base::lower(program_of(words[0]));
    shell.is_posix = std::find(k_posix_shells.begin(), k_posix_shells.end(), program) != k_posix_shells.end() ||
                     program == "ash" || program == "eatmydata";
    for (std::size_t i = 1; i < words.size(); ++i)
      if (words[i] == "pipefail") shell.fails_in_pipes = true;
    return shell;
  }
};

class StageReader {
 public:
  explicit StageReader(const Dockerfile& file) : m_file(file) {}

  Stages read() {
    for (const auto& instruction : m_file.instructions) {
      if (instruction.keyword == "FROM" && instruction.when == When::now)
        begin(instruction);
      else
        take(instruction);
    }
    finish();
    return std::move(m_stages);
  }

 private:
  Stage* current() { return m_stages.all.empty() ? nullptr : &m_stages.all.back(); }

  void finish() {
    if (auto* stage = current()) {
      stage->environment = m_environment;
      stage->arguments = m_arguments;
    }
  }

  void begin(const Instruction& from) {
    finish();
    Stage stage;
    stage.number = m_stages.all.size();
    stage.from = &from;
    const auto words = words_of(from.text.bytes(), m_file.escape);
    if (!words.empty()) stage.base = expanded(words[0], m_global);
    if (words.size() >= 3 && base::lower(words[1].text) == "as") stage.name = base::lower(words[2].text);
    const auto parent = std::find_if(m_stages.all.rbegin(), m_stages.all.rend(), [&](const Stage& other) {
      return !other.name.empty() && other.name == base::lower(stage.base.text);
    });
    m_environment.clear();
    m_arguments.clear();
    m_shell = {};
    if (parent != m_stages.all.rend()) {
      stage.parent = parent->number;
      m_environment = parent->environment;
      m_shell = m_shells[parent->number];
    }
    m_stages.all.push_back(std::move(stage));
    m_shells.push_back(m_shell);
  }

  Variables variables() const {
    auto all = m_arguments;
    for (const auto& [name, value] : m_environment) all.insert_or_assign(name, value);
    return all;
  }

  void take(const Instruction& instruction) {
    Step step;
    step.instruction = &instruction;
    step.fails_in_pipes = m_shell.fails_in_pipes;
    step.is_posix_shell = m_shell.is_posix;
    const auto& keyword = instruction.keyword;
    if (keyword == "ARG" || keyword == "ENV" || keyword == "LABEL")
      assign(step);
    else if (keyword == "RUN" || keyword == "CMD" || keyword == "ENTRYPOINT" || keyword == "HEALTHCHECK")
      read_commands(step);
    else
      read_words(step);
    if (keyword == "SHELL" && instruction.json && instruction.when == When::now) {
      m_shell = Shell::of(*instruction.json);
      if (!m_shells.empty()) m_shells.back() = m_shell;
    }
    if (auto* stage = current())
      stage->steps.push_back(std::move(step));
    else
      m_stages.before.push_back(std::move(step));
  }

  void assign(Step& step) {
    step.assignments = assignments_of(*step.instruction, m_file.escape);
    const bool is_arg = step.is("ARG"), is_env = step.is("ENV");
    const bool is_global = m_stages.all.empty();
    // Every value of one ENV sees the variables as they were before it.
    const auto before = is_global ? m_global : variables();
    for (auto& one : step.assignments) {
      std::optional<std::string> value;
      if (one.has_value) {
        value = expanded(one.value, before);
      } else if (is_arg && !is_global) {
        if (const auto global = m_global.find(one.name); global != m_global.end()) value = global->second;
      }
      one.is_known = value.has_value() || !one.has_value;
      if (value && one.has_value) one.value = *value;
      if (step.instruction->when == When::on_build) continue;
      auto& scope = is_env ? m_environment : is_global ? m_global : m_arguments;
      if (!is_arg && !is_env) continue;
      if (value && scope.size() < k_variable_count)
        scope.insert_or_assign(one.name, *value);
      else
        scope.erase(one.name);
    }
  }

  void expand(std::vector<Word>& words, const Variables& variables) {
    for (auto& word : words) word = expanded(std::move(word), variables);
  }

  void read_commands(Step& step) {
    const auto& instruction = *step.instruction;
    const auto all = variables();
    if (instruction.json) {
      Command command;
      for (const auto& word : *instruction.json) command.words.push_back({word, 0, true});
      // "bash -c SCRIPT" in the exec form is a script all the same.
      if (command.words.size() >= 3 && command.words[1].text.ends_with("c") &&
          command.words[1].text.starts_with("-")) {
        step.commands = commands_of(command.words[2].text);
        for (auto& one : step.commands)
          for (auto* words : {&one.words, &one.assignments})
            for (auto& word : *words) word.offset = 0;
      } else if (!command.words.empty()) {
        step.commands.push_back(std::move(command));
      }
    } else if (step.is_posix_shell) {
      const auto& text = instruction.text.bytes();
      if (instruction.heredocs.size() == 1 && base::trim(text).starts_with("<<") &&
          base::trim(text).find_first_of(" \t") == std::string_view::npos) {
        const auto& body = instruction.heredocs[0].body;
        // A script for another interpreter says so in its first line.
        if (!body.bytes().starts_with("#!") ||
            body.bytes().substr(0, body.bytes().find('\n')).find("sh") != std::string::npos) {
          step.script = &body;
          step.commands = commands_of(body.bytes());
        }
      } else {
        const bool is_health = step.is("HEALTHCHECK");
        const std::size_t skipped = is_health && base::lower(text).starts_with("cmd") ? 3 : 0;
        if (!is_health || skipped > 0) step.commands = commands_of(std::string_view(text).substr(skipped), skipped);
      }
    }
    for (auto& command : step.commands) {
      expand(command.words, all);
      expand(command.assignments, all);
    }
  }

  void read_words(Step& step) {
    const auto& instruction = *step.instruction;
    const bool is_list = step.is("ADD") || step.is("COPY") || step.is("VOLUME") || step.is("SHELL");
    if (instruction.json && is_list)
      for (const auto& word : *instruction.json) step.words.push_back({word, 0, true});
    else
      step.words = words_of(instruction.text.bytes(), m_file.escape);
    expand(step.words, variables());
  }

  const Dockerfile& m_file;
  Stages m_stages;
  std::vector<Shell> m_shells;  ///< at the end of each stage
  Shell m_shell;
  Variables m_global, m_arguments, m_environment;
};

}  // namespace

Position Step::position(std::size_t offset) const {
  return (script ? *script : instruction->text).position(offset);
}

std::vector<const Stage*> Stages::line_of(const Stage& stage) const {
  std::vector<const Stage*> line = {&stage};
  while (line.back()->parent) line.push_back(&all[*line.back()->parent]);
  return line;
}

const Word& Stages::root_image(const Stage& stage) const {
  const auto* root = &stage;
  while (root->parent) root = &all[*root->parent];
  return root->base;
}

Stages stages_of(const Dockerfile& file) {
  return StageReader(file).read();
}

bool is_scratch(std::string_view image) {
  return base::lower(image) == "scratch";
}

}  // namespace torchkiln::lint
