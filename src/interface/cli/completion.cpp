// torchkiln completion: a shell's script that completes commands, options and their values. It is made from CLI11's
// tree of them, so that it knows what this program knows.

#include "foundation/base/text.hpp"
#include "interface/cli/commands.hpp"
#include "knowledge/matrix/matrix.hpp"
#include "proof/report/test_run.hpp"

#include <algorithm>
#include <map>
#include <set>

#include <fmt/format.h>

namespace torchkiln::cli {

using base::Result;

namespace {

using Texts = std::vector<std::string>;

/// What may stand for a value, a line each: "words a b c", "files", "folders" or "images". None: nobody knows.
using Offers = Texts;

/// A command and where it stands: "" is the program, " matrix list" a command of a command.
struct Command {
  std::string path;
  const CLI::App* app;
};

std::string words_line(const Texts& words) {
  return "words " + base::join(words, " ");
}

Texts level_names() {
  Texts names;
  for (const auto level : report::k_levels) names.emplace_back(report::name(level));
  return names;
}

/// Every set of parts.
Texts variant_names() {
  Texts names;
  for (unsigned bits = 0; bits < 1U << spec::k_parts.size(); ++bits) {
    spec::Variant variant;
    for (std::size_t i = 0; i < spec::k_parts.size(); ++i)
      if ((bits >> i & 1) != 0) variant.add(spec::k_parts[i]);
    names.push_back(spec::name(variant));
  }
  return names;
}

/// The values that CLI11 checks: "WHAT:{brief,full}", "TEXT:value in {auto->0,tty->1} OR {0,1}".
Texts checked_values(const std::string& type) {
  Texts values;
  const auto open = type.find('{');
  const auto close = type.find('}', open);
  if (open == std::string::npos || close == std::string::npos) return values;
  for (const auto value : base::split(std::string_view(type).substr(open + 1, close - open - 1), ','))
    values.emplace_back(value.substr(0, value.find("->")));
  return values;
}

Offers offers_of(const CLI::Option& option) {
  const auto type = option.get_type_name();
  if (const auto values = checked_values(type); !values.empty()) return {words_line(values)};
  if (type == "LEVEL") return {words_line(level_names())};
  if (type == "VARIANT") return {words_line(variant_names())};
  if (type == "ARCH")
    return {words_line({std::string(matrix::name(matrix::Architecture::x86_64)),
                        std::string(matrix::name(matrix::Architecture::aarch64))})};
  if (type == "FILE" || type == "[kiln.toml]") return {"files"};
  if (type == "DIR") return {"folders"};
  if (type == "IMAGE") return {"images"};
  if (type == "IMAGE|kiln.lock") return {"images", "files"};
  return {};
}

bool is_visible(const CLI::Option& option) {
  return !option.get_group().empty();
}
bool takes_value(const CLI::Option& option) {
  return option.get_items_expected_max() > 0;
}

/// "--output", "-o"; none for a positional.
Texts names_of(const CLI::Option& option) {
  Texts names;
  for (const auto& name : option.get_lnames()) names.push_back("--" + name);
  for (const auto& name : option.get_snames()) names.push_back("-" + name);
  return names;
}

std::vector<const CLI::Option*> options_of(const CLI::App& app) {
  return app.get_options(
      [](const CLI::Option* option) { return is_visible(*option) && !names_of(*option).empty(); });
}
std::vector<const CLI::Option*> positionals_of(const CLI::App& app) {
  return app.get_options(
      [](const CLI::Option* option) { return is_visible(*option) && names_of(*option).empty(); });
}
std::vector<const CLI::App*> subcommands_of(const CLI::App& app) {
  return app.get_subcommands([](const CLI::App* command) { return !command->get_group().empty(); });
}

void collect(const CLI::App& app, const std::string& path, std::vector<Command>& commands) {
  commands.push_back({path, &app});
  for (const auto* command : subcommands_of(app)) collect(*command, path + " " + command->get_name(), commands);
}

/// The command and those above it whose options it takes too, the program left out.
std::vector<const CLI::App*> family_of(const CLI::App& app) {
  std::vector<const CLI::App*> family;
  for (const auto* one = &app; one->get_parent() != nullptr; one = one->get_parent()) {
    family.push_back(one);
    if (!one->get_fallthrough()) break;
  }
  return family;
}

/// In single quotes, as every shell of the three reads them.
std::string quoted(const std::string& text, const char* escaped_quote) {
  return "'" + base::replace_all(text, "'", escaped_quote) + "'";
}
std::string sh(const std::string& text) {
  return quoted(text, "'\\''");
}
std::string fish(const std::string& text) {
  return quoted(base::replace_all(text, "\\", "\\\\"), "\\'");
}

/// Options that take a value, by what may stand for it. Those of the program go with every command.
struct ValueTable {
  std::map<Offers, std::set<std::string>> of_commands, of_program;
};
ValueTable value_table(const std::vector<Command>& commands) {
  ValueTable table;
  for (const auto& command : commands) {
    if (command.path.empty())
      for (const auto* option : options_of(*command.app))
        for (const auto& name : names_of(*option))
          if (takes_value(*option)) table.of_program[offers_of(*option)].insert(" " + name);
    for (const auto* app : family_of(*command.app))
      for (const auto* option : options_of(*app))
        for (const auto& name : names_of(*option))
          if (takes_value(*option)) table.of_commands[offers_of(*option)].insert(command.path + " " + name);
  }
  return table;
}

Texts paths_of(const std::vector<Command>& commands) {
  Texts paths;
  for (const auto& command : commands)
    if (!command.path.empty()) paths.push_back(command.path);
  return paths;
}

/// The positionals of a command.
Offers arguments_of(const CLI::App& app) {
  Offers offers;
  for (const auto* positional : positionals_of(app))
    for (auto& offer : offers_of(*positional))
      if (std::find(offers.begin(), offers.end(), offer) == offers.end()) offers.push_back(std::move(offer));
  return offers;
}

/// A command's options and those of the commands around it.
std::vector<const CLI::Option*> all_options_of(const CLI::App& app, const CLI::App& program) {
  std::vector<const CLI::Option*> all;
  std::set<std::string> told;
  auto family = family_of(app);
  family.push_back(&program);
  for (const auto* one : family)
    for (const auto* option : options_of(*one))
      if (told.insert(names_of(*option).front()).second) all.push_back(option);
  return all;
}

enum class Described { no, yes };

/// The parts that bash and zsh have in common: functions that print what is known.
std::string sh_tables(const std::vector<Command>& commands, Described described) {
  const auto say = [](const Texts& lines) {
    std::string text;
    for (const auto& line : lines) text += " " + sh(line);
    return text.empty() ? std::string(" ;;\n") : " printf '%s\\n'" + text + " ;;\n";
  };
  const auto patterns = [](const auto& texts, const char* before) {
    std::string text;
    for (const auto& one : texts) text += (text.empty() ? before : std::string("|") + before) + sh(one);
    return text;
  };
  std::string text = "_torchkiln_is_command() {\n  case \"$1\" in\n    " + patterns(paths_of(commands), "") +
                     ") return 0 ;;\n  esac\n  return 1\n}\n\n_torchkiln_takes() {\n  case \"$1\" in\n";
  const auto table = value_table(commands);
  for (const auto& [offers, options] : table.of_commands)
    text += "    " + patterns(options, "") + ")" + say(offers);
  for (const auto& [offers, options] : table.of_program)
    text += "    " + patterns(options, "*") + ")" + say(offers);
  text += "    *) return 1 ;;\n  esac\n}\n\n_torchkiln_arguments() {\n  case \"$1\" in\n";
  for (const auto& command : commands)
    if (const auto offers = arguments_of(*command.app); !offers.empty())
      text += "    " + sh(command.path) + ")" + say(offers);
  text += "  esac\n}\n\n_torchkiln_commands() {\n  case \"$1\" in\n";
  for (const auto& command : commands) {
    Texts lines;
    for (const auto* below : subcommands_of(*command.app))
      lines.push_back(described == Described::yes ? below->get_name() + ":" + below->get_description()
                                                  : below->get_name());
    if (!lines.empty()) text += "    " + sh(command.path) + ")" + say(lines);
  }
  text += "  esac\n}\n\n_torchkiln_options() {\n  case \"$1\" in\n";
  for (const auto& command : commands) {
    Texts lines;
    for (const auto* option : all_options_of(*command.app, *commands.front().app))
      for (const auto& name : names_of(*option))
        lines.push_back(described == Described::yes ? name + ":" + option->get_description() : name);
    text += "    " + sh(command.path) + ")" + say(lines);
  }
  return text + "  esac\n}\n";
}

constexpr std::string_view k_bash = R"sh(
_torchkiln() {
  local current=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]} command='' option='' offers kind words word i
  COMPREPLY=()
  for ((i = 1; i < COMP_CWORD; i++)); do
    word=${COMP_WORDS[i]}
    if [[ $word == -- ]]; then return; fi
    if [[ $word == = ]]; then continue; fi
    if [[ -n $option ]]; then option=''
    elif [[ $word == -* ]]; then
      if _torchkiln_takes "$command $word" >/dev/null; then option=$word; fi
    elif _torchkiln_is_command "$command $word"; then command+=" $word"
    fi
  done
  # "--level=" and "oci:" are words of their own to bash.
  if [[ $before == = ]]; then option=${COMP_WORDS[COMP_CWORD-2]}; fi
  if [[ $current == = ]]; then current=''; fi
  if [[ $current == : ]]; then
    current=''
  elif [[ $before == : ]]; then
    before=${COMP_WORDS[COMP_CWORD-2]}
  else
    before=''
  fi
  if [[ $before == oci ]]; then offers=folders
  elif [[ $before == oci-archive ]]; then offers=files
  elif [[ -n $before ]]; then return
  elif [[ -n $option ]]; then offers=$(_torchkiln_takes "$command $option")
  elif [[ $current == -* ]]; then offers="words $(_torchkiln_options "$command" | tr '\n' ' ')"
  else offers="words $(_torchkiln_commands "$command" | tr '\n' ' ')"$'\n'$(_torchkiln_arguments "$command")
  fi
  while read -r kind words; do
    case $kind in
      words) mapfile -t -O "${#COMPREPLY[@]}" COMPREPLY < <(compgen -W "$words" -- "$current") ;;
      files) compopt -o filenames 2>/dev/null; mapfile -t -O "${#COMPREPLY[@]}" COMPREPLY < <(compgen -f -- "$current") ;;
      folders) compopt -o filenames 2>/dev/null; mapfile -t -O "${#COMPREPLY[@]}" COMPREPLY < <(compgen -d -- "$current") ;;
      images) compopt -o nospace 2>/dev/null
              mapfile -t -O "${#COMPREPLY[@]}" COMPREPLY < <(compgen -W 'oci: oci-archive: docker: podman:' -- "$current") ;;
    esac
  done <<< "$offers"
}
complete -F _torchkiln torchkiln
)sh";

constexpr std::string_view k_zsh = R"sh(
_torchkiln() {
  local command='' option='' word offer
  local -a list
  integer i
  for ((i = 2; i < CURRENT; i++)); do
    word=$words[i]
    if [[ $word == -- ]]; then return 1; fi
    if [[ -n $option ]]; then option=''
    elif [[ $word == -*=* ]]; then continue
    elif [[ $word == -* ]]; then
      if _torchkiln_takes "$command $word" >/dev/null; then option=$word; fi
    elif _torchkiln_is_command "$command $word"; then command+=" $word"
    fi
  done
  if [[ -z $option && $words[CURRENT] == --*=* ]]; then
    option=${words[CURRENT]%%=*}
    compset -P '*='
  fi
  if [[ -n $option ]]; then
    list=("${(@f)$(_torchkiln_takes "$command $option")}")
  elif [[ $words[CURRENT] == -* ]]; then
    list=("${(@f)$(_torchkiln_options "$command")}")
    _describe -o option list
    return
  else
    list=("${(@f)$(_torchkiln_commands "$command")}")
    if [[ -n $list ]]; then _describe command list; fi
    list=("${(@f)$(_torchkiln_arguments "$command")}")
  fi
  for offer in $list; do
    case $offer in
      words*) compadd -- ${=offer#words } ;;
      files) _files ;;
      folders) _files -/ ;;
      images)
        if compset -P 'oci:'; then _files -/
        elif compset -P 'oci-archive:'; then _files
        else compadd -S '' -- oci: oci-archive: docker: podman:
        fi ;;
    esac
  done
}
if [[ $funcstack[1] == _torchkiln ]]; then _torchkiln "$@"; else compdef _torchkiln torchkiln; fi
)sh";

constexpr std::string_view k_fish = R"sh(
function __torchkiln_command
    set -l command ''
    set -l option ''
    for word in (commandline -opc)[2..]
        if test -n "$option"
            set option ''
        else if string match -q -- '-*' $word
            if not string match -q -- '*=*' $word; and __torchkiln_takes "$command $word"
                set option $word
            end
        else if __torchkiln_is_command "$command $word"
            set command "$command $word"
        end
    end
    printf '%s\n' "$command"
end

function __torchkiln_in
    test "$(__torchkiln_command)" = "$argv[1]"
end

function __torchkiln_images
    set -l word (commandline -ct)
    set -l rest (string replace -r -- '^[^:=]*[:]' '' $word)
    if string match -q -- 'oci:*' $word
        for folder in $rest*/
            printf 'oci:%s\n' $folder
        end
    else if string match -q -- 'oci-archive:*' $word
        for file in $rest*
            printf 'oci-archive:%s\n' $file
        end
    else
        printf '%s\n' oci: oci-archive: docker: podman:
    end
end

complete -c torchkiln -f
)sh";

std::string fish_function(const char* name, const Texts& patterns) {
  std::string text = fmt::format("function {}\n    switch \"$argv[1]\"\n        case", name);
  for (const auto& pattern : patterns) text += " " + fish(pattern);
  return text + "\n            return 0\n    end\n    return 1\nend\n\n";
}

/// What "complete" is told of a value.
std::string fish_value(const Offers& offers) {
  std::string words;
  bool has_files = false;
  for (const auto& offer : offers) {
    if (offer.starts_with("words ")) words += " " + offer.substr(6);
    if (offer == "files") has_files = true;
    if (offer == "folders") words += " (__fish_complete_directories)";
    if (offer == "images") words += " (__torchkiln_images)";
  }
  std::string text = has_files ? " -F" : " -f";
  if (!words.empty()) text += " -a " + fish(words.substr(1));
  return text;
}

std::string fish_option(const CLI::Option& option, const std::string& condition) {
  std::string text = "complete -c torchkiln" + condition;
  for (const auto& name : option.get_lnames()) text += " -l " + name;
  for (const auto& name : option.get_snames()) text += (name.size() == 1 ? " -s " : " -o ") + name;
  if (takes_value(option)) text += " -r" + fish_value(offers_of(option));
  return text + " -d " + fish(option.get_description()) + "\n";
}

std::string fish_script(const std::vector<Command>& commands) {
  const auto table = value_table(commands);
  Texts patterns;
  for (const auto& [offers, options] : table.of_commands)
    patterns.insert(patterns.end(), options.begin(), options.end());
  for (const auto& [offers, options] : table.of_program)
    for (const auto& option : options) patterns.push_back("*" + option);
  std::string text = fish_function("__torchkiln_is_command", paths_of(commands)) +
                     fish_function("__torchkiln_takes", patterns) + std::string(k_fish.substr(1));
  for (const auto& command : commands) {
    const auto condition = " -n " + fish("__torchkiln_in " + fish(command.path));
    for (const auto* below : subcommands_of(*command.app))
      text += fmt::format("complete -c torchkiln{} -a {} -d {}\n", condition, below->get_name(),
                          fish(below->get_description()));
    for (const auto* positional : positionals_of(*command.app))
      if (const auto value = fish_value(offers_of(*positional)); !value.empty())
        text += "complete -c torchkiln" + condition + value + "\n";
    if (command.path.empty())
      for (const auto* option : options_of(*command.app)) text += fish_option(*option, "");
    for (const auto* app : family_of(*command.app))
      for (const auto* option : options_of(*app)) text += fish_option(*option, condition);
  }
  return text;
}

std::string script_for(const std::string& shell, const CLI::App& program) {
  std::vector<Command> commands;
  collect(program, "", commands);
  const std::string head = "# Made by: torchkiln completion " + shell + "\n\n";
  if (shell == "bash") return head + sh_tables(commands, Described::no) + std::string(k_bash);
  if (shell == "zsh")
    return "#compdef torchkiln\n" + head + sh_tables(commands, Described::yes) + std::string(k_zsh);
  return head + fish_script(commands);
}

}  // namespace

void add_completion(CLI::App& program, Action& chosen) {
  auto* command = program.add_subcommand("completion", "Print a script that completes commands in a shell");
  auto shell = std::make_shared<std::string>();
  command->add_option("shell", *shell, "bash, zsh or fish")
      ->required()
      ->check(CLI::IsMember({"bash", "zsh", "fish"}))
      ->type_name("SHELL");
  command->callback([&chosen, &program, shell] {
    chosen = [&program, shell](Session& session) -> Result<int> {
      const auto script = script_for(*shell, program);
      TK_CHECK(session.print(
          script, document::Json{{"schema", "torchkiln.completion/1"}, {"shell", *shell}, {"script", script}}));
      return 0;
    };
  });
}

}  // namespace torchkiln::cli
