#include "decision/lint/installs.hpp"

#include "foundation/base/text.hpp"

#include <algorithm>

namespace torchkiln::lint {

namespace {

bool is_one_of(std::string_view word, std::initializer_list<std::string_view> words) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

/// "pip", "pip3", "pip3.11".
bool is_pip(std::string_view program) {
  return program.starts_with("pip") && program.find_first_not_of("0123456789.", 3) == std::string_view::npos;
}

bool is_python(std::string_view program) {
  return program.starts_with("python") && program.find_first_not_of("0123456789.", 6) == std::string_view::npos;
}

/// Where the words behind "install" begin; 0 when the command is no pip install.
std::size_t behind_pip_install(const Command& command, bool& is_uv) {
  const auto& words = command.words;
  std::size_t at = 1;
  if (is_python(command.program())) {
    while (at < words.size() && words[at].text != "-m") ++at;
    if (at + 1 >= words.size() || words[at + 1].text != "pip") return 0;
    at += 2;
  } else if (command.program() == "uv") {
    if (words.size() < 2 || words[1].text != "pip") return 0;
    is_uv = true;
    at = 2;
  } else if (!is_pip(command.program())) {
    return 0;
  }
  while (at < words.size() && words[at].text.starts_with('-')) ++at;  // pip's own options
  return at < words.size() && words[at].text == "install" ? at + 1 : 0;
}

class PipReader {
 public:
  explicit PipReader(PipInstall& install) : m_install(install) {}

  void read(std::size_t at) {
    const auto& words = m_install.command->words;
    for (; at < words.size(); ++at) {
      const auto& word = words[at];
      if (!word.text.starts_with('-')) {
        if (!word.text.empty()) m_install.requirements.push_back(&word);
        continue;
      }
      const auto equals = word.text.find('=');
      const auto option = std::string_view(word.text).substr(0, equals);
      const bool is_short = option.size() > 2 && option[1] != '-';
      const auto name = is_short ? option.substr(0, 2) : option;
      take_flag(name, word);
      if (!takes_value(name)) continue;
      // "--index-url=URL" and "-iURL" are one word.
      const bool is_joined = equals != std::string::npos || is_short;
      if (!is_joined && at + 1 >= words.size()) return;
      take_value(name, is_joined ? word : words[++at]);
    }
  }

 private:
  static bool takes_value(std::string_view option) {
    return is_one_of(option, {"-r",
                              "--requirement",
                              "--requirements",
                              "-c",
                              "--constraint",
                              "--constraints",
                              "-e",
                              "--editable",
                              "-t",
                              "--target",
                              "-i",
                              "--index-url",
                              "--default-index",
                              "--extra-index-url",
                              "--index",
                              "-f",
                              "--find-links",
                              "--trusted-host",
                              "--allow-insecure-host",
                              "--platform",
                              "--python-version",
                              "--implementation",
                              "--abi",
                              "--prefix",
                              "--root",
                              "--src",
                              "--python",
                              "-p",
                              "--torch-backend",
                              "--only-binary",
                              "--no-binary",
                              "--upgrade-strategy",
                              "--progress-bar",
                              "--timeout",
                              "--retries",
                              "--cache-dir",
                              "--log",
                              "--proxy",
                              "--cert",
                              "--index-strategy",
                              "--config-settings",
                              "--global-option",
                              "--no-build-isolation-package",
                              "--exclude-newer"});
  }

  void take_flag(std::string_view option, const Word& word) {
    if (is_one_of(option, {"-r", "--requirement", "--requirements", "-e", "--editable", "--group"}))
      m_install.has_files = true;
    if (is_one_of(option, {"-i", "--index-url", "--default-index"})) m_install.replaces_index = true;
    if (option == "--require-hashes" || option == "--hash") m_install.has_hashes = true;
    if (option == "--no-cache-dir" || option == "--no-cache") m_install.keeps_no_cache = true;
    if (option == "--trusted-host" || option == "--allow-insecure-host") m_install.trusted_host = &word;
  }

  void take_value(std::string_view option, const Word& value) {
    if (is_one_of(option, {"-i", "--index-url", "--default-index", "--extra-index-url", "--index", "-f",
                           "--find-links", "--torch-backend"}))
      m_install.indexes.push_back(&value);
  }

  PipInstall& m_install;
};

}  // namespace

std::vector<AptCall> apt_calls_of(const Step& step) {
  std::vector<AptCall> calls;
  for (const auto& command : step.commands) {
    const auto program = command.program();
    if (!is_one_of(program, {"apt-get", "apt", "aptitude"})) continue;
    AptCall call;
    call.program = program;
    call.offset = command.words.front().offset;
    int quietness = 0;
    for (std::size_t i = 1; i < command.words.size(); ++i) {
      const auto& word = command.words[i];
      const std::string_view text = word.text;
      if (text == "-o" || text == "-t" || text == "-c" || text == "--option" || text == "--target-release") {
        if (i + 1 >= command.words.size()) break;
        const auto option = base::lower(command.words[++i].text);
        if (option.find("install-recommends=") != std::string::npos &&
            is_one_of(option.substr(option.find('=') + 1), {"false", "0", "no"}))
          call.leaves_recommends_out = true;
        continue;
      }
      if (!text.starts_with('-')) {
        if (call.action.empty())
          call.action = text;
        else
          call.operands.push_back(&word);
        continue;
      }
      if (is_one_of(text, {"--yes", "--assume-yes", "--force-yes"})) call.says_yes = true;
      if (text == "--no-install-recommends") call.leaves_recommends_out = true;
      if (text.ends_with("install-recommends=false") || text.ends_with("install-recommends=0"))
        call.leaves_recommends_out = true;
      if (is_one_of(text, {"--allow-unauthenticated", "--force-yes"})) call.unauthenticated = &word;
      if (text[1] != '-' && text.find('=') == std::string_view::npos) {
        if (text.find('y') != std::string_view::npos) call.says_yes = true;
        quietness += static_cast<int>(std::count(text.begin(), text.end(), 'q'));
      }
      if (text == "-q=2" || quietness >= 2) call.says_yes = true;  // apt-get(8): -qq implies -y
    }
    calls.push_back(std::move(call));
  }
  return calls;
}

std::vector<PipInstall> pip_installs_of(const Step& step) {
  std::vector<PipInstall> installs;
  for (const auto& command : step.commands) {
    PipInstall install;
    const auto begin = behind_pip_install(command, install.is_uv);
    if (begin == 0) continue;
    install.command = &command;
    install.offset = command.words.front().offset;
    // "pip --no-cache-dir install" is as good.
    for (std::size_t i = 1; i + 1 < begin; ++i)
      if (command.words[i].text == "--no-cache-dir") install.keeps_no_cache = true;
    PipReader(install).read(begin);
    installs.push_back(std::move(install));
  }
  return installs;
}

std::vector<CondaInstall> conda_installs_of(const Step& step) {
  std::vector<CondaInstall> installs;
  for (const auto& command : step.commands) {
    if (!is_one_of(command.program(), {"conda", "mamba", "micromamba"})) continue;
    if (!command.has({"install", "create"})) continue;
    CondaInstall install;
    install.offset = command.words.front().offset;
    for (std::size_t i = 1; i < command.words.size(); ++i) {
      const auto& word = command.words[i];
      if (is_one_of(word.text, {"-c", "--channel", "-n", "--name", "-p", "--prefix", "-f", "--file"})) {
        ++i;
      } else if (!word.text.starts_with('-') && word.text != "install" && word.text != "create") {
        install.packages.push_back(&word);
      }
    }
    installs.push_back(std::move(install));
  }
  return installs;
}

std::string package_of(std::string_view requirement) {
  // "pytorch::pytorch=2.0" names a conda channel.
  if (const auto channel = requirement.find("::"); channel != std::string_view::npos)
    requirement.remove_prefix(channel + 2);
  auto name = base::lower(base::trim(requirement.substr(0, requirement.find_first_of("=<>!~[;@ \t"))));
  std::string normal;
  for (const char c : name) {
    const bool is_separator = c == '-' || c == '_' || c == '.';
    if (!is_separator)
      normal += c;
    else if (!normal.empty() && normal.back() != '-')
      normal += '-';
  }
  return normal;
}

}  // namespace torchkiln::lint
