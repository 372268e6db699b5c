#pragma once
// Texts that are compared with files of tests/golden. TORCHKILN_ACCEPT=1 writes them anew: read the diff.

#include "foundation/base/text.hpp"
#include "foundation/sys/environment.hpp"
#include "foundation/sys/files.hpp"
#include "support/must.hpp"

#include <string>
#include <string_view>

namespace torchkiln::test {

/// Nothing when `text` is what the golden file holds; else the first line that is not.
inline std::string difference_to_golden(const std::string& name, std::string_view text) {
  const auto path = std::filesystem::path(TK_TEST_DATA) / "golden" / name;
  if (sys::environment("TORCHKILN_ACCEPT") == "1") must(sys::write_file(path, text));
  const auto golden = sys::read_file(path);
  if (!golden) return name + " is not there; TORCHKILN_ACCEPT=1 writes it";
  const auto wanted = base::split(*golden, '\n'), got = base::split(text, '\n');
  for (std::size_t i = 0; i < std::max(wanted.size(), got.size()); ++i) {
    const std::string a(i < got.size() ? got[i] : "(nothing)"), b(i < wanted.size() ? wanted[i] : "(nothing)");
    if (a != b) return name + ":" + std::to_string(i + 1) + "\n  got    " + a + "\n  wanted " + b;
  }
  return "";
}

}  // namespace torchkiln::test
