#pragma once
// Results in tests: the value, or a failed test that shows the error.

#include "foundation/base/error.hpp"

#include <catch2/catch.hpp>
#include <string>
#include <utility>

namespace torchkiln::test {

inline std::string words(const base::Error& error) {
  std::string text = std::string(base::name(error.code)) + ": ";
  if (error.where) text += error.where->to_string() + ": ";
  text += error.message;
  for (const auto& note : error.notes) text += "\n  " + note;
  return text;
}

template <class T>
T must(base::Result<T> result) {
  if (!result) FAIL(words(result.error()));
  return std::move(*result);
}
inline void must(const base::Result<void>& result) {
  if (!result) FAIL(words(result.error()));
}

/// The error of what has to fail.
template <class T>
base::Error error_of(const base::Result<T>& result) {
  if (result) FAIL("this should have failed");
  return result.error();
}

}  // namespace torchkiln::test
