#include "knowledge/upstream/marker.hpp"

#include "foundation/base/text.hpp"

#include <algorithm>
#include <vector>

namespace torchkiln::upstream {

using base::Result;

namespace {

base::Unexpected unreadable(std::string_view line, const std::string& what) {
  return base::fail(base::ErrorCode::input_invalid,
                    "the requirement '" + std::string(base::trim(line)) + "' cannot be read: " + what);
}

/// What a part of a marker comes to on the one machine: always, never, or on some Pythons.
struct Truth {
  enum class Kind { always, never, on_python };
  Kind kind = Kind::always;
  std::string clause;  ///< 'python_version < "3.12"'
  bool operator==(const Truth&) const = default;

  static Truth of(bool holds) { return {holds ? Kind::always : Kind::never, ""}; }
};

/// A recursive-descent parser that evaluates as it reads.
class Marker {
 public:
  Marker(std::string_view line, std::string_view text, matrix::Architecture architecture, std::string_view extra)
      : m_line(line), m_rest(text), m_architecture(architecture), m_extra(extra) {}

  Result<Truth> evaluate() {
    TK_TRY(auto truth, disjunction());
    skip_space();
    if (!m_rest.empty()) return unreadable(m_line, "'" + std::string(m_rest) + "' follows its marker");
    return truth;
  }

 private:
  Result<Truth> disjunction() {
    TK_TRY(auto left, conjunction());
    while (take_word("or")) {
      TK_TRY(const auto right, conjunction());
      if (left == right || left.kind == Truth::Kind::always || right.kind == Truth::Kind::never) continue;
      if (left.kind == Truth::Kind::never || right.kind == Truth::Kind::always)
        left = right;
      else
        return unreadable(m_line, "its marker asks for one of two ranges of Python versions");
    }
    return left;
  }

  Result<Truth> conjunction() {
    TK_TRY(auto left, comparison());
    while (take_word("and")) {
      TK_TRY(const auto right, comparison());
      if (left == right || left.kind == Truth::Kind::never || right.kind == Truth::Kind::always) continue;
      if (left.kind == Truth::Kind::always || right.kind == Truth::Kind::never)
        left = right;
      else
        return unreadable(m_line, "its marker has two clauses about the Python version");
    }
    return left;
  }

  Result<Truth> comparison() {
    skip_space();
    if (m_rest.starts_with('(')) {
      if (++m_depth > k_marker_depth) return unreadable(m_line, "its marker is nested too deep");
      m_rest.remove_prefix(1);
      TK_TRY(auto inner, disjunction());
      skip_space();
      if (!m_rest.starts_with(')')) return unreadable(m_line, "a parenthesis is open");
      m_rest.remove_prefix(1);
      --m_depth;
      return inner;
    }
    TK_TRY(const auto left, operand());
    TK_TRY(auto comparator, comparator_word());
    TK_TRY(const auto right, operand());
    if (left.is_literal == right.is_literal)
      return unreadable(m_line, "its marker compares no variable with a text");
    const auto& variable = left.is_literal ? right.text : left.text;
    const auto& literal = left.is_literal ? left.text : right.text;
    if (variable == "python_version") {
      if (left.is_literal || comparator.find('i') != std::string::npos)
        return unreadable(m_line, "its marker says python_version in an unusual way");
      return Truth{Truth::Kind::on_python, "python_version " + comparator + " \"" + literal + "\""};
    }
    const auto value = value_of(variable);
    if (!value) return unreadable(m_line, "its marker depends on " + variable);
    if (comparator == "==") return Truth::of(*value == literal);
    if (comparator == "!=") return Truth::of(*value != literal);
    const bool is_inside =
        left.is_literal ? value->find(literal) != std::string::npos : literal.find(*value) != std::string::npos;
    if (comparator == "in") return Truth::of(is_inside);
    if (comparator == "not in") return Truth::of(!is_inside);
    return unreadable(m_line, "its marker orders " + variable + ", which is no version");
  }

  struct Operand {
    std::string text;
    bool is_literal = false;
  };
  Result<Operand> operand() {
    skip_space();
    if (m_rest.starts_with('"') || m_rest.starts_with('\'')) {
      const auto end = m_rest.find(m_rest.front(), 1);
      if (end == std::string_view::npos) return unreadable(m_line, "a quotation is open");
      Operand literal{std::string(m_rest.substr(1, end - 1)), true};
      m_rest.remove_prefix(end + 1);
      return literal;
    }
    const auto word = leading_word();
    if (word.empty()) return unreadable(m_line, "its marker is no marker");
    m_rest.remove_prefix(word.size());
    return Operand{std::string(word), false};
  }

  Result<std::string> comparator_word() {
    skip_space();
    for (const std::string_view symbol : {"===", "==", "!=", "<=", ">=", "~=", "<", ">"})
      if (m_rest.starts_with(symbol)) {
        m_rest.remove_prefix(symbol.size());
        return std::string(symbol);
      }
    if (take_word("in")) return std::string("in");
    if (take_word("not") && take_word("in")) return std::string("not in");
    return unreadable(m_line, "its marker has no comparison");
  }

  std::string_view leading_word() const {
    std::size_t length = 0;
    while (length < m_rest.size() && (m_rest[length] == '_' || (m_rest[length] >= 'a' && m_rest[length] <= 'z')))
      ++length;
    return m_rest.substr(0, length);
  }
  bool take_word(std::string_view word) {
    skip_space();
    if (leading_word() != word) return false;
    m_rest.remove_prefix(word.size());
    return true;
  }
  void skip_space() {
    while (m_rest.starts_with(' ') || m_rest.starts_with('\t')) m_rest.remove_prefix(1);
  }

  std::optional<std::string> value_of(std::string_view variable) const {
    if (variable == "platform_system") return "Linux";
    if (variable == "sys_platform") return "linux";
    if (variable == "os_name") return "posix";
    if (variable == "platform_machine") return std::string(matrix::name(m_architecture));
    if (variable == "platform_python_implementation") return "CPython";
    if (variable == "implementation_name") return "cpython";
    if (variable == "extra") return std::string(m_extra);
    return std::nullopt;
  }

  std::string_view m_line, m_rest;
  matrix::Architecture m_architecture;
  std::string_view m_extra;
  unsigned m_depth = 0;
};

/// "triton (==2.1.0)" and "triton ==2.1.0" as "triton==2.1.0".
std::string plain(std::string_view requirement) {
  std::string text;
  for (const char c : requirement)
    if (c != '(' && c != ')' && c != ' ' && c != '\t') text += c;
  return text;
}

}  // namespace

Result<std::optional<std::string>> requirement_on_linux(std::string_view line, matrix::Architecture architecture,
                                                        std::string_view extra) {
  const auto semicolon = line.find(';');
  auto text = plain(line.substr(0, semicolon));
  if (text.empty()) return unreadable(line, "it names no package");
  if (semicolon == std::string_view::npos) return std::optional(std::move(text));
  TK_TRY(const auto truth, Marker(line, line.substr(semicolon + 1), architecture, extra).evaluate());
  if (truth.kind == Truth::Kind::never) return std::optional<std::string>();
  if (truth.kind == Truth::Kind::on_python) text += "; " + truth.clause;
  return std::optional(std::move(text));
}

}  // namespace torchkiln::upstream
