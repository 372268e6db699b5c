#pragma once
// A folder for one test, removed at its end. In memory where that is possible: what is written is flushed to the
// disk each time, which tests need not wait for.

#include "foundation/sys/files.hpp"
#include "support/must.hpp"

#include <filesystem>
#include <string>
#include <string_view>

namespace torchkiln::test {

inline std::filesystem::path scratch() {
  std::error_code error;
  return std::filesystem::is_directory("/dev/shm", error) ? std::filesystem::path("/dev/shm")
                                                          : std::filesystem::temp_directory_path();
}

struct TestFolder {
  sys::TemporaryDirectory directory = must(sys::TemporaryDirectory::create(scratch(), "tk-test-"));

  std::filesystem::path path(const std::string& name = "") const {
    return name.empty() ? directory.path() : directory.path() / name;
  }
  std::filesystem::path write(const std::string& name, std::string_view bytes) const {
    must(sys::write_file(path(name), bytes));
    return path(name);
  }
  std::string text(const std::string& name) const { return must(sys::read_file(path(name))); }
};

}  // namespace torchkiln::test
