#include "knowledge/upstream/block.hpp"

#include "foundation/base/text.hpp"

#include <algorithm>

#include <fmt/format.h>

namespace torchkiln::upstream {

namespace {

/// Where `wanted` stands outside quotation marks, from `at` on.
std::size_t find_outside_quotes(std::string_view line, std::string_view wanted, std::size_t at = 0) {
  char quote = 0;
  for (std::size_t i = 0; i < line.size(); ++i) {
    if (quote != 0) {
      if (line[i] == '\\' && quote == '"')
        ++i;
      else if (line[i] == quote)
        quote = 0;
    } else if (i >= at && line.substr(i).starts_with(wanted)) {
      return i;
    } else if (line[i] == '"' || line[i] == '\'') {
      quote = line[i];
    }
  }
  return std::string_view::npos;
}

bool begins_with_key(std::string_view line, std::string_view key) {
  line = base::trim(line);
  if (!line.starts_with(key)) return false;
  const auto rest = base::trim(line.substr(key.size()));
  return rest.starts_with('=');
}

/// One past the last line of the value that begins in line `at`: arrays may go on until their bracket closes.
std::size_t value_end(const Lines& block, std::size_t at) {
  const auto comment = find_outside_quotes(block[at], "#");
  if (!base::trim(std::string_view(block[at]).substr(0, comment)).ends_with('[')) return at + 1;
  while (at < block.size() && !base::trim(block[at]).starts_with(']')) ++at;
  return std::min(at + 1, block.size());
}

void set_inline_key(std::string& line, const std::string& key, const std::string& value) {
  for (std::size_t at = find_outside_quotes(line, key); at != std::string::npos;
       at = find_outside_quotes(line, key, at + 1)) {
    const auto equals = line.find_first_not_of(' ', at + key.size());
    const bool is_whole_word = at > 0 && (line[at - 1] == ' ' || line[at - 1] == '{');
    if (!is_whole_word || equals == std::string::npos || line[equals] != '=') continue;
    const auto begin = line.find_first_not_of(' ', equals + 1);
    const auto end =
        std::min({find_outside_quotes(line, ",", begin), find_outside_quotes(line, " }", begin), line.size()});
    line.replace(begin, end - begin, value);
    return;
  }
  const auto source = find_outside_quotes(line, "source");
  const auto close = find_outside_quotes(line, " }");
  if (key == "note" && close != std::string::npos)
    line.insert(close, ", " + key + " = " + value);
  else if (source != std::string::npos)
    line.insert(source, key + " = " + value + ", ");
}

}  // namespace

Lines split_lines(std::string_view text) {
  Lines lines;
  for (const auto line : base::lines(text)) lines.emplace_back(line);
  return lines;
}

std::string join_lines(const Lines& lines) {
  std::string text;
  for (const auto& line : lines) text += line + "\n";
  return text;
}

Block block_at(const Lines& file, int line) {
  TK_ASSERT(line >= 1 && static_cast<std::size_t>(line) <= file.size(), "a row stands in a line of its file");
  Block block;
  block.begin = static_cast<std::size_t>(line) - 1;
  block.is_inline = base::trim(file[block.begin]).starts_with('{');
  block.end = block.begin + 1;
  if (block.is_inline) return block;
  while (block.end < file.size() && !file[block.end].starts_with("[[")) ++block.end;
  // What comes between is the next row's: its comment and blank lines.
  while (block.end > block.begin + 1) {
    const auto last = base::trim(file[block.end - 1]);
    if (!last.empty() && !last.starts_with('#')) break;
    --block.end;
  }
  return block;
}

void set_key(Lines& block, const std::string& key, const std::string& value) {
  if (block.size() == 1 && base::trim(block[0]).starts_with('{')) return set_inline_key(block[0], key, value);
  constexpr std::string_view k_extras = "extras.";
  const bool is_extra = key.starts_with(k_extras);
  const std::string name = is_extra ? key.substr(k_extras.size()) : key;
  const auto is_subtable = [](const std::string& line) { return line.starts_with('[') && !line.starts_with("[["); };
  const auto subtable = std::find_if(block.begin(), block.end(), is_subtable) - block.begin();
  const auto first = static_cast<std::size_t>(is_extra ? subtable : 0);
  const auto last = is_extra ? block.size() : static_cast<std::size_t>(subtable);
  const auto lines = split_lines(name + " = " + value);
  for (std::size_t at = first; at < last; ++at) {
    if (!begins_with_key(block[at], name)) continue;
    auto replaced = lines;
    const auto end = value_end(block, at);
    if (const auto comment = find_outside_quotes(block[at], "#");
        comment != std::string_view::npos && end == at + 1)
      replaced.back() += "  " + block[at].substr(comment);
    block.erase(block.begin() + static_cast<std::ptrdiff_t>(at), block.begin() + static_cast<std::ptrdiff_t>(end));
    block.insert(block.begin() + static_cast<std::ptrdiff_t>(at), replaced.begin(), replaced.end());
    return;
  }
  std::size_t at = last;
  if (!is_extra && name != "note")
    for (at = first; at < last && !begins_with_key(block[at], "source");) ++at;
  block.insert(block.begin() + static_cast<std::ptrdiff_t>(at), lines.begin(), lines.end());
}

std::string to_inline_toml(const Row& row) {
  std::string text = "  { ";
  for (const auto& field : row.fields) text += field.key + " = " + field.value + ", ";
  text += fmt::format("source = {}, grade = {}, date = {}", toml_text(row.from.source),
                      toml_text(matrix::name(row.from.grade)), row.from.date);
  if (!row.from.note.empty()) text += ", note = " + toml_text(row.from.note);
  return text + " },";
}

}  // namespace torchkiln::upstream
