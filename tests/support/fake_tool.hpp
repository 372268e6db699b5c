#pragma once
// A fake of a program that we drive: it notes its arguments and does what the test says.

#include "foundation/base/text.hpp"
#include "support/test_folder.hpp"

#include <cstdlib>
#include <string>
#include <vector>

namespace torchkiln::test {

/// Puts a fake `name` first on PATH for its lifetime. `body` is a shell script; "$@" are the arguments, $FAKE is a
/// folder of the test's own.
class FakeTool {
 public:
  FakeTool(const std::string& name, const std::string& body) : m_path_before(std::getenv("PATH")) {
    must(sys::write_file(path() / "bin" / name,
                         "#!/bin/sh\nFAKE='" + path().string() +
                             "'\nfor a in \"$@\"; do printf '%s\\0' \"$a\"; done >> \"$FAKE/arguments\"\n"
                             "printf '\\n\\0' >> \"$FAKE/arguments\"\n" +
                             body + "\n",
                         0755));
    ::setenv("PATH", ((path() / "bin").string() + ":" + m_path_before).c_str(), 1);
  }
  ~FakeTool() { ::setenv("PATH", m_path_before.c_str(), 1); }
  FakeTool(const FakeTool&) = delete;
  FakeTool& operator=(const FakeTool&) = delete;

  std::filesystem::path path() const { return m_folder.path(); }
  std::filesystem::path program(const std::string& name) const { return path() / "bin" / name; }
  std::string text(const std::string& name) const { return m_folder.text(name); }

  /// The arguments of every call.
  std::vector<std::vector<std::string>> calls() const {
    std::vector<std::vector<std::string>> list;
    const auto text = sys::read_file(path() / "arguments");
    if (!text) return list;
    std::vector<std::string> call;
    for (const auto word : base::split(*text, '\0')) {
      if (word == "\n") {
        list.push_back(std::move(call));
        call.clear();
      } else {
        call.emplace_back(word);
      }
    }
    return list;
  }

 private:
  TestFolder m_folder;
  std::string m_path_before;
};

}  // namespace torchkiln::test
