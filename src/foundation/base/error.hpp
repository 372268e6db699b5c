#pragma once
// What can go wrong, as data. A room returns Result<T>; interface/console turns an Error into words on a
// terminal, and src/main.cpp turns its code into an exit status. A negative answer (a conflict, a finding, a
// failed verification) is a value, never an Error.

#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include <tl/expected.hpp>

namespace torchkiln::base {

/// Why something failed. The name is stable: it appears in --json output.
enum class ErrorCode {
  usage,             ///< the command line
  spec_invalid,      ///< kiln.toml
  matrix_invalid,    ///< a file under manifests/
  lock_invalid,      ///< kiln.lock is unreadable, stale or absent
  template_invalid,  ///< a file under templates/
  input_invalid,     ///< any other file given to us: a wheel, a layout, a report, a key
  package_conflict,  ///< packages that cannot be in one image: the honest answer is no
  network_failed,    ///< an index, mirror or registry did not answer
  integrity_failed,  ///< bytes that do not have the digest they should have
  tool_missing,      ///< a program we drive is not installed
  tool_failed,       ///< a program we drive failed
  file_failed,       ///< a file operation failed
  disk_full,         ///< no space left
  interrupted,       ///< SIGINT or SIGTERM
  internal,          ///< a broken invariant
};

/// The stable name of a code, for example "spec-invalid".
std::string_view name(ErrorCode code);

/// The process exit status a code leads to: 1 no, 2 usage or input, 3 the outside world, 70 internal, 130
/// interrupted (docs/architecture.md, "Exit codes").
int exit_status(ErrorCode code);

/// A place in a file the user can open. Line and column count from 1; 0 means unknown.
struct Place {
  std::string file;
  int line = 0;
  int column = 0;

  /// "file:line:column", without the parts that are unknown.
  std::string to_string() const;
  bool operator==(const Place&) const = default;
};

struct Error {
  ErrorCode code = ErrorCode::internal;
  std::string message;             ///< one line, lower case, no full stop
  std::optional<Place> where;      ///< where the user can mend it
  std::vector<std::string> notes;  ///< what else is known, a line each
  std::vector<std::string> hints;  ///< what to try next, a line each
};

template <class T>
class [[nodiscard]] Result : public tl::expected<T, Error> {
 public:
  using tl::expected<T, Error>::expected;
};

template <>
class [[nodiscard]] Result<void> : public tl::expected<void, Error> {
 public:
  using tl::expected<void, Error>::expected;
};

using Unexpected = tl::unexpected<Error>;

/// Makes the failing side of any Result.
inline Unexpected fail(Error error) {
  return Unexpected(std::move(error));
}
inline Unexpected fail(ErrorCode code, std::string message, std::vector<std::string> hints = {}) {
  return Unexpected(Error{code, std::move(message), std::nullopt, {}, std::move(hints)});
}
inline Unexpected fail_at(ErrorCode code, Place where, std::string message, std::vector<std::string> hints = {}) {
  return Unexpected(Error{code, std::move(message), std::move(where), {}, std::move(hints)});
}

/// Aborts with `why`: for broken invariants only, in every build. Use TK_ASSERT.
[[noreturn]] void broken_invariant(const char* condition, const char* why, const char* file, int line);

}  // namespace torchkiln::base

#define TK_ASSERT(condition, why) \
  ((condition) ? (void)0 : ::torchkiln::base::broken_invariant(#condition, why, __FILE__, __LINE__))

#define TK_CONCAT_(a, b) a##b
#define TK_CONCAT(a, b) TK_CONCAT_(a, b)

/// TK_TRY(auto x, may_fail()); returns the error from the enclosing function, or declares x with the value.
#define TK_TRY(declaration, expression) TK_TRY_(declaration, expression, TK_CONCAT(tk_result_, __COUNTER__))
#define TK_TRY_(declaration, expression, temporary)                             \
  auto temporary = (expression);                                                \
  if (!temporary) return ::torchkiln::base::fail(std::move(temporary).error()); \
  declaration = std::move(*temporary)

/// TK_CHECK(may_fail()); returns the error from the enclosing function, if there is one.
#define TK_CHECK(expression)                                                                                     \
  do {                                                                                                           \
    if (auto tk_result = (expression); !tk_result) return ::torchkiln::base::fail(std::move(tk_result).error()); \
  } while (false)
