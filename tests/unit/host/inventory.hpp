#pragma once
// Inventories as text: what a test puts in and what it gets.

#include "support/describe_machine.hpp"
#include "support/must.hpp"

#include <string>
#include <string_view>

namespace torchkiln::test {

/// Every machine, one a line.
inline std::string machines(std::string_view bytes, const std::string& file) {
  std::string text;
  for (const auto& machine : must(host::read_inventory(bytes, file)))
    text += (text.empty() ? "" : "\n") + describe(machine);
  return text;
}

/// The Error's place and words, with its first hint in parentheses.
inline std::string complaint(std::string_view bytes, const std::string& file) {
  const auto read = host::read_inventory(bytes, file);
  if (read) return "read: " + machines(bytes, file);
  const auto& error = read.error();
  CHECK(error.code == base::ErrorCode::input_invalid);
  return (error.where ? error.where->to_string() + ": " : "") + error.message +
         (error.hints.empty() ? "" : " (" + error.hints[0] + ")");
}

}  // namespace torchkiln::test
