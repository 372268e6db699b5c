#pragma once
// Environment variables for the length of a test.

#include <cstdlib>
#include <map>
#include <optional>
#include <string>

namespace torchkiln::lock::test {

struct Variables {
  std::map<std::string, std::optional<std::string>> before;

  Variables() = default;
  Variables(const Variables&) = delete;
  Variables& operator=(const Variables&) = delete;
  /// Sets or, for nothing, unsets a variable.
  void set(const std::string& name, const std::optional<std::string>& value) {
    const char* old = std::getenv(name.c_str());
    before.emplace(name, old ? std::optional<std::string>(old) : std::nullopt);
    put(name, value);
  }
  ~Variables() {
    for (const auto& [name, value] : before) put(name, value);
  }

 private:
  static void put(const std::string& name, const std::optional<std::string>& value) {
    if (value)
      ::setenv(name.c_str(), value->c_str(), 1);
    else
      ::unsetenv(name.c_str());
  }
};

}  // namespace torchkiln::lock::test
