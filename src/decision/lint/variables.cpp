#include "decision/lint/variables.hpp"

#include "foundation/base/text.hpp"

#include <algorithm>

namespace torchkiln::lint {

namespace {

std::size_t name_bytes(std::string_view text) {
  std::size_t size = 0;
  while (size < text.size() &&
         (text[size] == '_' || (text[size] >= 'a' && text[size] <= 'z') ||
          (text[size] >= 'A' && text[size] <= 'Z') || (size > 0 && text[size] >= '0' && text[size] <= '9')))
    ++size;
  return size;
}

/// What "${…}" stands for; `inside` is between the braces.
std::optional<std::string> value_of(std::string_view inside, const Variables& variables) {
  const auto name = inside.substr(0, name_bytes(inside));
  auto rest = inside.substr(name.size());
  if (name.empty()) return std::nullopt;
  const auto found = variables.find(name);
  const bool counts_empty = rest.starts_with(':');
  if (counts_empty) rest.remove_prefix(1);
  const bool is_set = found != variables.end() && !(counts_empty && found->second.empty());
  if (rest.empty()) return found == variables.end() ? std::nullopt : std::optional(found->second);
  if (rest.find('$') != std::string_view::npos) return std::nullopt;
  if (rest[0] == '-') return is_set ? found->second : std::string(rest.substr(1));
  if (rest[0] == '+') return is_set ? std::string(rest.substr(1)) : std::string();
  return std::nullopt;
}

}  // namespace

std::optional<std::string> expanded(std::string_view text, const Variables& variables) {
  std::string value;
  for (std::size_t at = 0; at < text.size();) {
    if (value.size() > k_value_bytes) return std::nullopt;
    if (text[at] == '\\' && at + 1 < text.size() && text[at + 1] == '$') {
      value += '$';
      at += 2;
    } else if (text[at] != '$') {
      value += text[at++];
    } else if (text.substr(at).starts_with("${")) {
      const auto end = text.find('}', at);
      if (end == std::string_view::npos) return std::nullopt;
      const auto one = value_of(text.substr(at + 2, end - at - 2), variables);
      if (!one) return std::nullopt;
      value += *one;
      at = end + 1;
    } else {
      const auto name = text.substr(at + 1, name_bytes(text.substr(at + 1)));
      const auto found = variables.find(name);
      if (name.empty() || found == variables.end()) return std::nullopt;
      value += found->second;
      at += 1 + name.size();
    }
  }
  if (value.size() > k_value_bytes) return std::nullopt;
  return value;
}

Word expanded(Word word, const Variables& variables) {
  auto value = expanded(word.text, variables);
  if (value)
    word.text = std::move(*value);
  else
    word.is_known = false;
  return word;
}

std::vector<Assignment> assignments_of(const Instruction& instruction, char escape) {
  const auto& text = instruction.text.bytes();
  auto words = words_of(text, escape);
  std::vector<Assignment> found;
  // "ENV NAME some words": the old form, told by the first word's lack of "=". ARG has no such form.
  if (!words.empty() && instruction.keyword != "ARG" && words[0].text.find('=') == std::string::npos) {
    Assignment one{words[0].text, "", words[0].offset, words.size() > 1, true};
    if (words.size() > 1) one.value = base::trim(std::string_view(text).substr(words[1].offset));
    found.push_back(std::move(one));
    return found;
  }
  for (auto& word : words) {
    const auto equals = word.text.find('=');
    Assignment one{word.text.substr(0, equals), "", word.offset, equals != std::string::npos, true};
    if (one.has_value) one.value = word.text.substr(equals + 1);
    found.push_back(std::move(one));
  }
  return found;
}

}  // namespace torchkiln::lint
