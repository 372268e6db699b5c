// The TOML files that we read: specs, locks, manifests, and uv's pylock.toml; and what apt-get prints. The first
// byte says which. Whatever the rest is, reading ends with a value or with an error that has a place; a value is
// written and read as the same.

#include "knowledge/matrix/load.hpp"
#include "knowledge/spec/spec.hpp"
#include "plan/lock/debian.hpp"
#include "plan/lock/lock.hpp"
#include "plan/lock/python.hpp"

using namespace torchkiln;

namespace {

template <class T>
bool is_told(const base::Result<T>& result) {
  return result || (!result.error().message.empty() && result.error().where);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0]) {
    case 's': {
      const auto spec = spec::parse(text, "kiln.toml");
      TK_ASSERT(is_told(spec), "an error of a spec has words and a place");
      if (spec) TK_ASSERT(!spec::canonical_json(*spec).empty(), "a spec has a meaning");
      return 0;
    }
    case 'l': {
      const auto lock = lock::parse(text, "kiln.lock");
      TK_ASSERT(is_told(lock), "an error of a lock has words and a place");
      if (!lock) return 0;
      const auto again = lock::parse(lock::to_toml(*lock), "again");
      TK_ASSERT(again && lock::identity(*again) == lock::identity(*lock), "a lock is written and read as the same");
      return 0;
    }
    case 'm': {
      const auto matrix = matrix::read({{"a.toml", std::string(text)}}, "manifests");
      TK_ASSERT(is_told(matrix), "an error of a manifest has words and a place");
      if (matrix) (void)matrix::check(*matrix);
      return 0;
    }
    case 'd':
      (void)lock::parse_print_uris_line(text);
      return 0;
    case 'p':
      (void)lock::read_pylock(text, "pylock.toml", "3.11", "2.36", "x86_64");
      return 0;
    default:
      return 0;
  }
}
