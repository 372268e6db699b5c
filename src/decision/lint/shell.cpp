#include "decision/lint/shell.hpp"

#include <algorithm>
#include <array>
#include <optional>

namespace torchkiln::lint {

namespace {

constexpr std::array<std::string_view, 17> k_reserved = {"if",    "then", "else", "elif", "fi",      "while",
                                                         "until", "do",   "done", "case", "esac",    "in",
                                                         "{",     "}",    "!",    "time", "function"};

bool is_assignment(std::string_view word) {
  const auto equals = word.find('=');
  if (equals == std::string_view::npos || equals == 0) return false;
  for (const char c : word.substr(0, word[equals - 1] == '+' ? equals - 1 : equals))
    if (c != '_' && !(c >= '0' && c <= '9') && !(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z')) return false;
  return !(word[0] >= '0' && word[0] <= '9');
}

bool is_digits(std::string_view word) {
  return !word.empty() && word.find_first_not_of("0123456789") == std::string_view::npos;
}

std::string_view base_name(std::string_view path) {
  return path.substr(std::min(path.rfind('/') + 1, path.size()));  // npos + 1 is 0
}

/// A program that runs what stands behind its own options.
struct Wrapper {
  std::string_view program;
  std::string_view subcommand;                  ///< that makes it one; empty: none needed
  std::array<std::string_view, 8> takes_value;  ///< options whose value is the next word
  std::size_t operands = 0;                     ///< of its own before the command
};

constexpr Wrapper k_wrappers[] = {
    {"sudo", "", {"-u", "-g", "-h", "-p", "-C", "-r", "-t", "-D"}, 0},
    {"env", "", {"-u", "-C", "-S"}, 0},
    {"exec", "", {"-a"}, 0},
    {"command", "", {}, 0},
    {"nohup", "", {}, 0},
    {"nice", "", {"-n"}, 0},
    {"eatmydata", "", {}, 0},
    {"timeout", "", {"-k", "-s"}, 1},
    {"xargs", "", {"-n", "-I", "-P", "-L", "-d", "-a", "-E", "-s"}, 0},
    {"gosu", "", {}, 1},
    {"conda", "run", {"-n", "--name", "-p", "--prefix", "--cwd"}, 0},
    {"mamba", "run", {"-n", "--name", "-p", "--prefix", "--cwd"}, 0},
    {"micromamba", "run", {"-n", "--name", "-p", "--prefix", "--cwd"}, 0},
};

class ShellReader {
 public:
  ShellReader(std::string_view text, std::size_t offset, std::size_t depth, std::vector<Command>& out)
      : m_text(text), m_offset(offset), m_depth(depth), m_out(out) {}

  void read() {
    while (m_at < m_text.size()) {
      read_list('\0');
      if (m_at < m_text.size()) ++m_at;  // a ")" that nothing opened
    }
  }

 private:
  char peek(std::size_t ahead = 0) const { return m_at + ahead < m_text.size() ? m_text[m_at + ahead] : '\0'; }

  /// Commands up to `end`, which stays; '\0' for the end of the text, where ")" ends a list too.
  void read_list(char end) {
    Command command;
    const auto finish = [&](Piped piped) {
      command.piped = piped;
      give(std::move(command));
      command = {};
    };
    while (m_at < m_text.size()) {
      const char c = peek();
      if (c == end && end != '\0') break;
      if (c == ' ' || c == '\t' || c == '\r') {
        ++m_at;
      } else if (c == '\n') {
        finish(Piped::no);
        ++m_at;
        skip_heredocs();
      } else if (c == '#') {
        m_at = std::min(m_text.find('\n', m_at), m_text.size());
      } else if (c == ';' || c == '&') {
        if (c == '&' && peek(1) == '>') {
          redirect(1);
          continue;
        }
        finish(Piped::no);
        m_at += peek(1) == c ? 2 : 1;
      } else if (c == '|') {
        finish(peek(1) == '|' ? Piped::no : Piped::into_next);
        m_at += peek(1) == '|' || peek(1) == '&' ? 2 : 1;
      } else if (c == '(') {
        finish(Piped::no);
        ++m_at;
        if (m_depth + m_open >= k_shell_depth) continue;
        ++m_open;
        read_list(')');
        --m_open;
        if (peek() == ')') ++m_at;
      } else if (c == ')') {
        finish(Piped::no);  // of a case's pattern, or unopened
        if (end == '\0') break;
        ++m_at;
      } else if (c == '<' || c == '>') {
        redirect(0);
      } else {
        auto word = read_word();
        if (is_digits(word.text) && (peek() == '<' || peek() == '>')) continue;  // a file descriptor
        add(command, std::move(word));
      }
    }
    finish(Piped::no);
  }

  static void add(Command& command, Word word) {
    if (command.words.empty()) {
      if (std::find(k_reserved.begin(), k_reserved.end(), word.text) != k_reserved.end()) return;
      if (is_assignment(word.text)) {
        command.assignments.push_back(std::move(word));
        return;
      }
    }
    command.words.push_back(std::move(word));
  }

  /// ">", ">>", "2>&1", "<<EOF": the operator and its word. `before` bytes stand before the operator.
  void redirect(std::size_t before) {
    m_at += before;
    const auto begin = m_at;
    while (peek() == '<' || peek() == '>' || peek() == '&' || peek() == '|') ++m_at;
    const auto op = m_text.substr(begin, m_at - begin);
    bool strips_tabs = false;
    if (op == "<<" && peek() == '-') {
      strips_tabs = true;
      ++m_at;
    }
    while (peek() == ' ' || peek() == '\t') ++m_at;
    if (peek() == '(') return;  // <(…) is read as a list
    if (m_at >= m_text.size() || peek() == '\n') return;
    const auto word = read_word();
    if (op == "<<" && m_heredocs.size() < k_heredoc_count) m_heredocs.push_back({word.text, strips_tabs});
  }

  /// The bodies of here-documents, behind the line that names them.
  void skip_heredocs() {
    for (const auto& [name, strips_tabs] : m_heredocs) {
      while (m_at < m_text.size()) {
        const auto end = std::min(m_text.find('\n', m_at), m_text.size());
        auto line = m_text.substr(m_at, end - m_at);
        m_at = std::min(end + 1, m_text.size());
        while (strips_tabs && line.starts_with('\t')) line.remove_prefix(1);
        if (line == name) break;
      }
    }
    m_heredocs.clear();
  }

  /// Up to what ends a word. A dollar that means nothing to the shell is written "\$", as words_of() does.
  Word read_word() {
    Word word{"", m_offset + m_at, true};
    char quote = '\0';
    while (m_at < m_text.size()) {
      const char c = peek();
      if (quote == '\'') {
        if (c == '\'')
          quote = '\0';
        else
          word.text += c == '$' ? std::string("\\$") : std::string(1, c);
        ++m_at;
      } else if (c == '\\') {
        if (peek(1) == '\n') {
          m_at += 2;
          continue;
        }
        const bool is_escape =
            quote == '\0' || peek(1) == '"' || peek(1) == '$' || peek(1) == '\\' || peek(1) == '`';
        if (!is_escape || peek(1) == '$') word.text += c;
        if (peek(1) != '\0' && is_escape) word.text += peek(1);
        m_at += is_escape ? 2 : 1;
      } else if (c == '"') {
        quote = quote == '"' ? '\0' : '"';
        ++m_at;
      } else if (c == '\'' && quote == '\0') {
        quote = c;
        ++m_at;
      } else if (c == '`') {
        substitute_backticks(word);
      } else if (c == '$' && peek(1) == '(') {
        substitute(word);
      } else if (c == '$' && peek(1) == '{') {
        const auto end = std::min(m_text.find('}', m_at), m_text.size() - 1);
        word.text += m_text.substr(m_at, end + 1 - m_at);
        m_at = end + 1;
      } else if (quote == '\0' && std::string_view(" \t\r\n;&|()<>").find(c) != std::string_view::npos) {
        break;
      } else {
        word.text += c;
        ++m_at;
      }
    }
    return word;
  }

  /// $(…): its commands are read, the word has a value that only the build knows.
  void substitute(Word& word) {
    word.is_known = false;
    m_at += 2;
    if (m_depth + m_open >= k_shell_depth) return;
    ++m_open;
    read_list(')');
    --m_open;
    if (peek() == ')') ++m_at;
  }

  void substitute_backticks(Word& word) {
    word.is_known = false;
    const auto begin = ++m_at;
    while (m_at < m_text.size() && peek() != '`') m_at += peek() == '\\' ? 2 : 1;
    m_at = std::min(m_at, m_text.size());
    if (m_depth + m_open < k_shell_depth)
      ShellReader(m_text.substr(begin, m_at - begin), m_offset + begin, m_depth + m_open + 1, m_out).read();
    if (m_at < m_text.size()) ++m_at;
  }

  void give(Command command) {
    if ((command.words.empty() && command.assignments.empty()) || m_out.size() >= k_command_count) return;
    m_out.push_back(command);
    unwrap(command, m_depth + m_open);
  }

  /// What the command runs besides itself.
  void unwrap(const Command& command, std::size_t depth) {
    if (command.words.empty() || depth >= k_shell_depth || m_out.size() >= k_command_count) return;
    if (const auto* script = shell_script(command)) {
      // Offsets inside the quotes are not kept: everything stands where the script begins.
      std::vector<Command> inner;
      ShellReader(script->text, 0, depth + 1, inner).read();
      for (auto& one : inner) {
        for (auto* words : {&one.words, &one.assignments})
          for (auto& word : *words) word.offset = script->offset;
        one.origin = Origin::wrapped;
        if (m_out.size() < k_command_count) m_out.push_back(std::move(one));
      }
      return;
    }
    if (auto inner = wrapped_command(command)) {
      m_out.push_back(*inner);
      unwrap(*inner, depth + 1);
    }
  }

  /// The script of `sh -c SCRIPT`, be it `bash -euxo pipefail -c`.
  static const Word* shell_script(const Command& command) {
    const auto program = command.program();
    if (program != "sh" && program != "bash" && program != "dash" && program != "ash" && program != "zsh")
      return nullptr;
    for (std::size_t i = 1; i + 1 < command.words.size(); ++i) {
      const std::string_view word = command.words[i].text;
      if (word.starts_with('-') && !word.starts_with("--") && word.ends_with('c')) return &command.words[i + 1];
    }
    return nullptr;
  }

  static std::optional<Command> wrapped_command(const Command& command) {
    for (const auto& wrapper : k_wrappers) {
      if (command.program() != wrapper.program) continue;
      std::size_t i = 1;
      if (!wrapper.subcommand.empty()) {
        if (command.words.size() < 2 || command.words[1].text != wrapper.subcommand) return std::nullopt;
        ++i;
      }
      Command inner;
      for (auto operands = wrapper.operands; i < command.words.size(); ++i) {
        const auto& word = command.words[i];
        if (word.text.starts_with('-')) {
          const auto& valued = wrapper.takes_value;
          if (std::find(valued.begin(), valued.end(), word.text) != valued.end()) ++i;
        } else if (is_assignment(word.text)) {
          inner.assignments.push_back(word);
        } else if (operands > 0) {
          --operands;
        } else {
          break;
        }
      }
      if (i >= command.words.size()) return std::nullopt;
      inner.words.assign(command.words.begin() + static_cast<std::ptrdiff_t>(i), command.words.end());
      inner.piped = command.piped;
      inner.origin = Origin::wrapped;
      return inner;
    }
    return std::nullopt;
  }

  struct Heredoc {
    std::string name;
    bool strips_tabs;
  };

  std::string_view m_text;
  std::size_t m_offset, m_depth;
  std::size_t m_at = 0, m_open = 0;
  std::vector<Heredoc> m_heredocs;
  std::vector<Command>& m_out;
};

}  // namespace

std::string_view Command::program() const {
  return words.empty() ? std::string_view() : base_name(words.front().text);
}

bool Command::has(std::initializer_list<std::string_view> any) const {
  return words.size() > 1 && std::any_of(words.begin() + 1, words.end(), [&](const Word& word) {
           return std::find(any.begin(), any.end(), word.text) != any.end();
         });
}

std::vector<Command> commands_of(std::string_view script, std::size_t offset) {
  std::vector<Command> commands;
  ShellReader(script, offset, 0, commands).read();
  // An inner command is finished before the one whose word it is in.
  const auto begin = [](const Command& command) {
    return command.assignments.empty() ? command.words.front().offset : command.assignments.front().offset;
  };
  std::stable_sort(commands.begin(), commands.end(),
                   [&](const Command& a, const Command& b) { return begin(a) < begin(b); });
  return commands;
}

}  // namespace torchkiln::lint
