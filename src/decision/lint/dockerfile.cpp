#include "decision/lint/dockerfile.hpp"

#include "foundation/base/text.hpp"
#include "foundation/document/json.hpp"

#include <algorithm>
#include <array>

#include <fmt/format.h>

namespace torchkiln::lint {

namespace {

constexpr std::array<std::string_view, 18> k_keywords = {
    "ADD",   "ARG",        "CMD",     "COPY", "ENTRYPOINT", "ENV",        "EXPOSE", "FROM",   "HEALTHCHECK",
    "LABEL", "MAINTAINER", "ONBUILD", "RUN",  "SHELL",      "STOPSIGNAL", "USER",   "VOLUME", "WORKDIR"};

bool is_blank(char c) {
  return c == ' ' || c == '\t' || c == '\r' || c == '\v' || c == '\f';
}

std::size_t skip_blanks(std::string_view text, std::size_t at) {
  while (at < text.size() && is_blank(text[at])) ++at;
  return at;
}

std::string upper(std::string_view text) {
  std::string capitals(text);
  for (auto& c : capitals)
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  return capitals;
}

bool is_among(std::string_view keyword, std::initializer_list<std::string_view> keywords) {
  return std::find(keywords.begin(), keywords.end(), keyword) != keywords.end();
}

/// The length of a line without the escape that continues it on the next; nothing when it ends here. An escape that
/// is itself escaped continues nothing.
std::optional<std::size_t> continued(std::string_view line, char escape) {
  auto end = line.size();
  while (end > 0 && is_blank(line[end - 1])) --end;
  if (end == 0 || line[end - 1] != escape) return std::nullopt;
  if (end >= 2 && line[end - 2] == escape) return std::nullopt;
  return end - 1;
}

/// "<<EOF", "<<-'EOF'" or "3<<EOF" as a whole word.
struct HereMark {
  std::string name;
  bool strips_tabs = false;
};

std::optional<HereMark> here_mark(std::string_view word) {
  std::size_t at = 0;
  while (at < word.size() && word[at] >= '0' && word[at] <= '9') ++at;
  if (!word.substr(at).starts_with("<<")) return std::nullopt;
  word.remove_prefix(at + 2);
  HereMark mark;
  if (word.starts_with('-')) {
    mark.strips_tabs = true;
    word.remove_prefix(1);
  }
  if (word.find('<') != std::string_view::npos) return std::nullopt;
  for (const char c : word)
    if (c != '"' && c != '\'') mark.name += c;
  if (mark.name.empty()) return std::nullopt;
  return mark;
}

class Reader {
 public:
  Reader(std::string_view text, std::string file) : m_lines(base::lines(text)), m_file(std::move(file)) {}

  base::Result<Dockerfile> read() {
    bool directives_may_come = true;
    while (m_next < m_lines.size()) {
      const auto line = m_lines[m_next];
      const auto begin = skip_blanks(line, 0);
      if (begin == line.size()) {
        directives_may_come = false;
        ++m_next;
      } else if (line[begin] == '#') {
        const auto text = base::trim(line.substr(begin + 1));
        directives_may_come = directives_may_come && read_directive(text);
        m_file_read.comments.push_back({number(m_next), std::string(text)});
        ++m_next;
      } else {
        directives_may_come = false;
        if (m_file_read.instructions.size() == k_instruction_count)
          return base::fail_at(base::ErrorCode::input_invalid, {m_file, number(m_next), 1},
                               fmt::format("more than {} instructions", k_instruction_count));
        read_instruction();
      }
    }
    return std::move(m_file_read);
  }

 private:
  static int number(std::size_t index) { return static_cast<int>(index) + 1; }

  void problem(Position position, std::string text) { m_file_read.problems.push_back({position, std::move(text)}); }

  /// "escape=`"; false when the comment is no directive, after which no other can follow.
  bool read_directive(std::string_view text) {
    const auto equals = text.find('=');
    if (equals == std::string_view::npos) return false;
    const auto key = base::lower(base::trim(text.substr(0, equals)));
    const auto value = base::trim(text.substr(equals + 1));
    if (key == "escape") {
      if (value == "\\" || value == "`")
        m_file_read.escape = value.front();
      else
        problem({number(m_next), 1}, "the escape directive takes \\ or `");
      return true;
    }
    return key == "syntax" || key == "check";
  }

  /// The logical line that begins here: continued lines without the escapes and the comments between them.
  SourceText read_logical_line() {
    SourceText text;
    bool is_first = true;
    while (m_next < m_lines.size()) {
      const auto line = m_lines[m_next];
      const auto begin = skip_blanks(line, 0);
      if (!is_first && (begin == line.size() || line[begin] == '#')) {
        if (begin < line.size())
          m_file_read.comments.push_back({number(m_next), std::string(base::trim(line.substr(begin + 1)))});
        ++m_next;
        continue;
      }
      const auto end = continued(line, m_file_read.escape);
      const auto from = is_first ? begin : 0;
      if (end.value_or(line.size()) > from || is_first)
        text.append(line.substr(from, end.value_or(line.size()) - from),
                    {number(m_next), static_cast<int>(from) + 1});
      ++m_next;
      is_first = false;
      if (!end) break;
    }
    return text;
  }

  void read_instruction() {
    const auto first = m_next;
    auto line = read_logical_line();
    Instruction instruction;
    instruction.begin = line.position(0);
    take_keyword(line, instruction);
    if (instruction.keyword == "ONBUILD") {
      instruction.when = When::on_build;
      take_keyword(line, instruction);
      if (is_among(instruction.keyword, {"ONBUILD", "FROM", "MAINTAINER"}))
        problem(instruction.begin, "ONBUILD " + instruction.keyword + " is not allowed");
    }
    if (std::find(k_keywords.begin(), k_keywords.end(), instruction.keyword) == k_keywords.end()) {
      problem(instruction.begin, instruction.keyword.empty()
                                     ? "ONBUILD lacks its instruction"
                                     : "there is no instruction " + instruction.keyword.substr(0, 40));
      return;
    }
    if (is_among(instruction.keyword, {"ADD", "COPY", "FROM", "HEALTHCHECK", "RUN"})) take_flags(line, instruction);
    instruction.text = std::move(line);
    if (base::trim(instruction.text.bytes()).empty())
      problem(instruction.begin, instruction.keyword + " needs an argument");
    if (is_among(instruction.keyword, {"ADD", "COPY", "RUN"})) read_heredocs(instruction);
    read_json(instruction);
    instruction.last_line = number(std::max(m_next, first + 1) - 1);
    m_file_read.instructions.push_back(std::move(instruction));
  }

  static void take_keyword(SourceText& line, Instruction& instruction) {
    const auto& text = line.bytes();
    const auto begin = skip_blanks(text, 0);
    auto end = begin;
    while (end < text.size() && !is_blank(text[end])) ++end;
    instruction.keyword = upper(std::string_view(text).substr(begin, end - begin));
    line = line.from(skip_blanks(text, end));
  }

  static void take_flags(SourceText& line, Instruction& instruction) {
    std::size_t at = 0;
    const std::string_view text = line.bytes();
    for (;;) {
      at = skip_blanks(text, at);
      if (!text.substr(at).starts_with("--")) break;
      auto end = at;
      while (end < text.size() && !is_blank(text[end])) ++end;
      const auto word = text.substr(at + 2, end - at - 2);
      if (!word.empty()) {
        const auto equals = std::min(word.find('='), word.size());
        instruction.flags.push_back({base::lower(word.substr(0, equals)),
                                     std::string(word.substr(std::min(equals + 1, word.size()))),
                                     line.position(at)});
      }
      at = end;
      if (word.empty()) {  // "--" ends the flags
        at = skip_blanks(text, at);
        break;
      }
    }
    line = line.from(at);
  }

  void read_heredocs(Instruction& instruction) {
    std::vector<HereMark> marks;
    // A mark is a word of its own, so white space alone separates; quotes only matter inside a mark.
    std::string_view text = instruction.text.bytes();
    for (std::size_t at = skip_blanks(text, 0); at < text.size();) {
      auto end = at;
      while (end < text.size() && !is_blank(text[end])) ++end;
      if (auto mark = here_mark(text.substr(at, end - at)); mark && marks.size() < k_heredoc_count)
        marks.push_back(std::move(*mark));
      at = skip_blanks(text, end);
    }
    for (const auto& mark : marks) {
      HereDocument document{mark.name, {}};
      bool ended = false;
      for (; m_next < m_lines.size() && !ended; ++m_next) {
        auto line = m_lines[m_next];
        int column = 1;
        while (mark.strips_tabs && line.starts_with('\t')) {
          line.remove_prefix(1);
          ++column;
        }
        ended = line == mark.name;
        if (!ended) document.body.append(std::string(line) + "\n", {number(m_next), column});
      }
      if (!ended) problem(instruction.begin, "the here-document " + mark.name + " has no end");
      instruction.heredocs.push_back(std::move(document));
    }
  }

  void read_json(Instruction& instruction) {
    if (!is_among(instruction.keyword,
                  {"ADD", "CMD", "COPY", "ENTRYPOINT", "HEALTHCHECK", "RUN", "SHELL", "VOLUME"}))
      return;
    auto text = base::trim(instruction.text.bytes());
    if (instruction.keyword == "HEALTHCHECK" && upper(text.substr(0, 3)) == "CMD")
      text = base::trim(text.substr(3));
    // What is no array of texts is the shell form, as BuildKit has it.
    if (text.starts_with('['))
      if (const auto json = document::JsonValue::parse(text, m_file))
        if (auto texts = json->texts()) instruction.json = std::move(*texts);
    if (instruction.keyword == "SHELL" && !instruction.json)
      problem(instruction.begin, "SHELL takes the JSON form");
  }

  std::vector<std::string_view> m_lines;
  std::string m_file;
  std::size_t m_next = 0;
  Dockerfile m_file_read;
};

}  // namespace

const Flag* Instruction::flag(std::string_view name) const {
  const auto found = std::find_if(flags.begin(), flags.end(), [&](const Flag& one) { return one.name == name; });
  return found == flags.end() ? nullptr : &*found;
}

base::Result<Dockerfile> read_dockerfile(std::string_view text, const std::string& file) {
  const auto refuse = [&](std::string why) {
    return base::fail_at(base::ErrorCode::input_invalid, {file, 0, 0}, std::move(why));
  };
  if (text.size() > k_file_bytes) return refuse(fmt::format("larger than {}", base::format_bytes(k_file_bytes)));
  if (text.find('\0') != std::string_view::npos) return refuse("holds NUL bytes: this is no Dockerfile");
  if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);
  int number = 0;
  for (const auto line : base::lines(text)) {
    ++number;
    if (line.size() > k_line_bytes)
      return base::fail_at(base::ErrorCode::input_invalid, {file, number, 1},
                           fmt::format("a line is longer than {}", base::format_bytes(k_line_bytes)));
  }
  return Reader(text, file).read();
}

std::vector<Word> words_of(std::string_view text, char escape) {
  std::vector<Word> words;
  for (auto at = skip_blanks(text, 0); at < text.size(); at = skip_blanks(text, at)) {
    Word word{"", at, true};
    char quote = '\0';
    for (; at < text.size() && (quote != '\0' || !is_blank(text[at])); ++at) {
      const char c = text[at];
      if (c == quote) {
        quote = '\0';
      } else if (quote == '\0' && (c == '"' || c == '\'')) {
        quote = c;
      } else if (c == escape && quote != '\'' && at + 1 < text.size()) {
        // Inside "…" an escape is one only before what it could hide.
        const char next = text[at + 1];
        if (next == '$') word.text += '\\';  // kept for the expansion of variables
        if (quote == '"' && next != '"' && next != '$' && next != escape) word.text += c;
        word.text += next;
        ++at;
      } else {
        word.text += c;
      }
    }
    words.push_back(std::move(word));
  }
  return words;
}

}  // namespace torchkiln::lint
